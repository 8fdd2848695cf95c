"""How long a party keeps what it pinned for a job."""

from __future__ import annotations

import structlog

from d2m.chain.contracts.market import Market
from d2m.jobs.contents import (
    SAMPLER,
    Content,
    job_contents,
    request_contents,
)
from d2m.jobs.pins import market_prefix, place_of
from d2m.store.cid import Cid
from d2m.store.errors import StoreError
from d2m.store.local import Store

KEEP_BLOCKS = 50_400
"""Blocks after its end that a job's content is kept: a week of 12 s blocks, in which a buyer that
was away fetches its model. As long as the longest window that a job can have."""
SWEEP_BLOCKS = 300
"""Between two looks at the names of all pins, beside the one at a party's start: an hour."""

log = structlog.get_logger()


class Retention:
    """Unpins the content of ended jobs. It reads from the chain what is due, also after restarts.

    A store with names tells what was pinned for a job though no chain names it, such as the results
    that were not accepted, whichever of the parties on that store pinned it.
    """

    def __init__(self, market: Market, store: Store) -> None:
        self._market = market
        self._store = store
        self._kept_until: dict[int, int] = {}
        self._next_sweep = 0

    def ended(self, job_id: int) -> None:
        """Take note of a job of the party's that has ended."""
        self._kept_until[job_id] = self._market.jobs.end_blocks()[job_id] + KEEP_BLOCKS

    def forget(self) -> None:
        """Forget which jobs have ended: the chain was re-organised."""
        self._kept_until.clear()

    def release(self, block: int) -> None:
        """Unpin what no job needs any more; what the store cannot do now is tried again later."""
        over = {job_id for job_id, until in self._kept_until.items() if until <= block}
        if not over and block < self._next_sweep:
            return
        try:
            self._sweep(over, block)
        except StoreError as error:
            log.warning("not unpinned", jobs=sorted(over), why=str(error))
            return
        self._next_sweep = block + SWEEP_BLOCKS
        for job_id in over:
            del self._kept_until[job_id]
            log.info("unpinned", job=job_id)

    def _sweep(self, over: set[int], block: int) -> None:
        """Unpin what was pinned for these jobs, and what names say was for others that are over."""
        named = self._named_for_what_is_over(block)
        due, jobs = set(named), over | {job_id for job_id in named.values() if job_id is not None}
        for job_id in over:
            due |= {content.cid for content in job_contents(self._market, job_id)}
        if due:
            for cid in due - self._kept_cids(jobs, block):
                self._store.unpin(cid)

    def _named_for_what_is_over(self, block: int) -> dict[Cid, int | None]:
        """Pins of jobs that ended, and of requests that were made, long enough ago; their jobs."""
        market_id = self._market.id
        named = self._store.named(market_prefix(market_id))
        ends = self._market.jobs.end_blocks() if named else {}
        found: dict[Cid, int | None] = {}
        for cid, name in named.items():
            place = place_of(market_id, name)
            if place is None:
                continue
            since = place.number if place.job is None else ends.get(place.job)
            if since is not None and since + KEEP_BLOCKS <= block:
                found[cid] = place.job
        return found

    def _kept_cids(self, over: set[int], block: int) -> set[Cid]:
        """CIDs for running jobs, jobs that ended of late, open auctions, and sellers of others.

        Sellers need the last sampler state of the jobs in `over`.
        """
        ends, kept = self._market.jobs.end_blocks(), list[Content]()
        for job_id in range(1, self._market.jobs.count() + 1):
            if job_id not in ends or ends[job_id] + KEEP_BLOCKS > block:
                kept += job_contents(self._market, job_id)
            elif job_id in over:
                kept += _last_sampler(job_contents(self._market, job_id))
        for request in self._market.auctions.open_requests():
            kept += request_contents(request)
        return {content.cid for content in kept}


def _last_sampler(contents: list[Content]) -> list[Content]:
    """The last sampler state of a job's content.

    Sellers prove their shares with it, which they may claim whenever they like; it is small.
    """
    return [content for content in contents if content.role == SAMPLER][-1:]
