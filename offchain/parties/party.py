"""What all parties share: looking at the chain block by block, pushing jobs on, withdrawing."""

from __future__ import annotations

import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import FrameType

import structlog
from nacl.public import PrivateKey

from offchain.chain.client import Chain
from offchain.chain.errors import Reverted
from offchain.chain.records import Job, JobView
from offchain.parties.desk import Desk
from offchain.parties.jobkeys import JobKeys
from offchain.parties.ledger import Ledger
from offchain.sealing.errors import SealError
from offchain.store.errors import StoreError
from offchain.store.local import Store

POLL_SECONDS = 0.25
"""Between two questions for news: below any chain's block time, and cheap for a local node."""


UNUSABLE_JOB = (StoreError, ValueError, LookupError)
"""Content that is absent, malformed or contradictory, in whatever form it shows."""


class Party(ABC):
    """A process of the market. All it needs to know is on the chain, in the store, and its key."""

    watches: tuple[str, ...]
    """Contracts whose events may give the party something to do."""

    def __init__(
        self,
        chain: Chain,
        store: Store,
        key: PrivateKey,
        *,
        patience_blocks: int,
        request_secret: bytes | None = None,
    ) -> None:
        """`key` opens what is sealed to the party; with `request_secret` it opens requests."""
        self.chain = chain
        self.key = key
        self.ledger = Ledger(chain)
        self.desk = Desk(self.ledger, store, JobKeys(self.ledger, store, key, request_secret))
        self.log = structlog.get_logger().bind(party=type(self).__name__, address=chain.address)
        self._patience_blocks = patience_blocks
        self._due_since: dict[int, int] = {}
        self._closed: set[int] = set()
        self._said: dict[int, str] = {}
        self._jobs_ended = 0
        self._next_look = 0
        self._stop = threading.Event()

    def look_again(self, block: int) -> None:
        """Ask for a look at `block` even if there is no news by then."""
        self._next_look = min(self._next_look, block)

    @abstractmethod
    def concerns(self, job_id: int, job: Job) -> bool:
        """Whether the party takes part in a job."""

    @abstractmethod
    def act(self, job_id: int, view: JobView) -> None:
        """Do what is due in a running job."""

    @abstractmethod
    def finish(self, job_id: int, view: JobView) -> None:
        """Collect what a job that has ended owes the party."""

    def stop(self) -> None:
        """Let `serve` return after the step at hand."""
        self._stop.set()

    @property
    def jobs_ended(self) -> int:
        """Jobs of this party that ended while it served."""
        return self._jobs_ended

    def serve(self, until: Callable[[], bool] = lambda: False) -> None:
        """Serve until stopped, or until `until` holds after a look.

        Looks when a contract that the party watches has spoken; without news only as often as its
        patience with overdue jobs asks for, because a look costs ten times as much as the question.
        """
        seen = self.chain.deployment.block - 1
        while not self._stop.is_set():
            block = self.chain.block_number()
            news = self.chain.has_logs(self.watches, seen + 1, block)
            if news or block >= self._next_look:
                self._next_look = block + max(1, self._patience_blocks)
                self.look(block)
                if until():
                    return
            seen = block
            self._stop.wait(POLL_SECONDS)

    def look(self, block: int) -> None:
        """One look at every job that has not ended."""
        for job_id in range(1, self.ledger.job_count() + 1):
            if job_id in self._closed:
                continue
            try:
                self._look_at(job_id, block)
            except SealError as sealed:
                self._say_once(job_id, str(sealed))
            except UNUSABLE_JOB:
                # A buyer may have posted anything: its job must not stop the service of others.
                self.log.exception("job cannot be served now", job=job_id)

    def _say_once(self, job_id: int, why: str) -> None:
        """A key that is missing is missing at every look: it need not be said at each."""
        if self._said.get(job_id) != why:
            self._said[job_id] = why
            self.log.warning("job cannot be read now", job=job_id, why=why)

    def _look_at(self, job_id: int, block: int) -> None:
        view = self.ledger.situation(job_id)
        job = view.job
        concerned = self.concerns(job_id, job)
        if not job.state.ended:
            if concerned:
                self.act(job_id, view)
                self._push(job_id, view.due, block)
            return
        if concerned:
            self.finish(job_id, view)
            self._jobs_ended += 1
            self.log.info("job ended", job=job_id, state=job.state.name)
        # Only now: what could not be collected or read yet is tried again at the next look.
        self._closed.add(job_id)

    def withdraw(self, *tokens: str) -> None:
        """Withdraw the party's credits in these tokens to its own address.

        A token that refuses its holders was chosen by a buyer: it must not stop the service.
        """
        chosen = sorted(set(tokens))
        amounts = self.ledger.credits(self.chain.address, chosen)
        for token, amount in zip(chosen, amounts, strict=True):
            if not amount:
                continue
            try:
                self.chain.send(self.ledger.escrow.functions.withdraw(token, self.chain.address))
                self.log.info("withdrew", token=token, amount=amount)
            except Reverted as refused:
                self.log.warning("not withdrawn", token=token, amount=amount, why=str(refused))

    def _push(self, job_id: int, due: bool, block: int) -> None:
        """Move a job on that nobody else has moved for as long as the party's patience."""
        if not due:
            self._due_since.pop(job_id, None)
            return
        since = self._due_since.setdefault(job_id, block)
        if block - since < self._patience_blocks:
            self.look_again(since + self._patience_blocks)
            return
        del self._due_since[job_id]
        try:
            self.chain.send(self.ledger.jobs.functions.advance(job_id))
        except Reverted as refused:
            # Somebody else was faster: the state that this look saw has passed.
            self.log.debug("advance not needed", job=job_id, why=str(refused))


def stop_on_signals(party: Party) -> None:
    """End the process cleanly on Ctrl-C and SIGTERM."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        party.stop()

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)
