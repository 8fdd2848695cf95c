"""How long a party keeps what it pinned for a job."""

from __future__ import annotations

import structlog

from offchain.parties.contents import (
    SAMPLER,
    Content,
    end_blocks,
    job_contents,
    open_requests,
    request_contents,
)
from offchain.parties.ledger import Ledger
from offchain.store.cid import Cid
from offchain.store.errors import StoreError
from offchain.store.local import Store

KEEP_BLOCKS = 50_400
"""Blocks after its end that a job's content is kept: a week of 12 s blocks, in which a buyer that
was away fetches its model. As long as the longest window that a job can have."""

log = structlog.get_logger()


class Retention:
    """Unpins the content of ended jobs. What is due is read from the chain, also after restarts."""

    def __init__(self, ledger: Ledger, store: Store) -> None:
        self._ledger = ledger
        self._store = store
        self._kept_until: dict[int, int] = {}

    def ended(self, job_id: int) -> None:
        """Take note of a job of the party's that has ended."""
        self._kept_until[job_id] = end_blocks(self._ledger)[job_id] + KEEP_BLOCKS

    def forget(self) -> None:
        """Forget which jobs have ended: the chain was re-organised."""
        self._kept_until.clear()

    def release(self, block: int) -> None:
        """Unpin what no job needs any more; what the store cannot do now is tried again later."""
        over = [job_id for job_id, until in self._kept_until.items() if until <= block]
        if not over:
            return
        kept = self._kept_cids(block)
        for job_id in over:
            try:
                for cid in self._releasable(job_id) - kept:
                    self._store.unpin(cid)
            except StoreError as error:
                log.warning("not unpinned", job=job_id, why=str(error))
                return
            del self._kept_until[job_id]
            log.info("unpinned", job=job_id)

    def _releasable(self, job_id: int) -> set[Cid]:
        """All of a job's content but the last sampler state.

        Sellers prove their shares with it, which they may claim whenever they like; it is small.
        """
        contents = job_contents(self._ledger, job_id)
        last = max((content.round for content in contents if content.role == SAMPLER), default=0)
        return {each.cid for each in contents if (each.role, each.round) != (SAMPLER, last)}

    def _kept_cids(self, block: int) -> set[Cid]:
        """What running jobs, jobs that ended of late and open auctions need."""
        ends, kept = end_blocks(self._ledger), list[Content]()
        for job_id in range(1, self._ledger.job_count() + 1):
            if job_id not in ends or ends[job_id] + KEEP_BLOCKS > block:
                kept += job_contents(self._ledger, job_id)
        for request in open_requests(self._ledger):
            kept += request_contents(request)
        return {content.cid for content in kept}
