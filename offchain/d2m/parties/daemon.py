"""Parts that all parties share: looking at the chain by blocks, pushing jobs on, withdrawing."""

from __future__ import annotations

import signal
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import FrameType

import structlog
from nacl.public import PrivateKey
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    sleep_using_event,
    stop_when_event_set,
    wait_exponential,
)

from d2m import metrics
from d2m.chain.client import Chain
from d2m.chain.contracts.market import Market
from d2m.chain.errors import ChainError, ChainUnreachable, NodeBehind, Reverted, TooMuchGas
from d2m.chain.gas import dearest
from d2m.chain.heads import Head
from d2m.chain.lag import NodeState
from d2m.chain.remedies import explained
from d2m.errors import NotRegistered
from d2m.jobs.inputs import JobInputs
from d2m.jobs.keys import JobKeys
from d2m.jobs.retention import Retention
from d2m.jobs.rounds import RoundComputer
from d2m.parties.health import (
    CONTENT,
    FINAL,
    JOB,
    OWN_PACE,
    REGISTRATION,
    REMEDIES,
    Health,
    kind_of,
)
from d2m.protocol.types import ETHER, Job, JobState, JobView
from d2m.sealing.errors import SealError
from d2m.store.ahead import ReadAhead
from d2m.store.errors import NotYet
from d2m.store.local import Store

TOKEN_GAS = 1_000_000
"""Most gas for an unattended withdrawal in a token, a stranger's contract. Known tokens take a
tenth of it by mainnet's rules, and less than half by Sepolia's."""
POLL_SECONDS = 0.25
"""Between two questions for news: below any chain's block time, and cheap for a local node."""
OUTAGE_WAIT = {"multiplier": 0.5, "max": 15.0}
"""Seconds before asking a node again that is away: 0.5, 1, 2 … 15, about a block of Ethereum."""
RUNNING = [state for state in JobState if state != JobState.NONE and not state.ended]
LASTING = tuple(kind for kind in REMEDIES if kind not in OWN_PACE)
"""Kinds of problems that a look finds, and that are over when a look does not find them."""


@dataclass
class Memory:
    """Facts that a party has read from the chain or believes to have done there.

    A re-organisation may have taken any of it away, so then it is made anew as a whole.
    """

    is_settled: bool = False
    """Whether what is pending of the account has been waited for."""
    due_since: dict[int, int] = field(default_factory=dict)
    """Since which block jobs are due to be moved on."""
    closed: set[int] = field(default_factory=set)
    """Jobs that have ended, whoever's."""
    finished: set[int] = field(default_factory=set)
    """Jobs of the party's that have ended, and owe it nothing."""
    missed: set[tuple[object, ...]] = field(default_factory=set)
    """Duties whose windows have passed."""
    said: dict[int, str] = field(default_factory=dict)
    """Why a job cannot be served, as it was logged."""


class Party(ABC):
    """A process of the market. All it needs to know is on the chain, in the store, and its key."""

    watches: tuple[str, ...]
    """Contracts whose events may give the party something to do."""
    memory: Memory
    new_memory: type[Memory] = Memory

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
        self.pay_to = chain.address
        """Receiver of the party's withdrawals."""
        self.tokens: frozenset[str] = frozenset()
        """Tokens whose pay is withdrawn: a withdrawal runs their code, at the party's expense."""
        self.least_withdrawal: int | None = None
        """Least ether that is withdrawn, in wei; None: more than the withdrawal costs."""
        self.market = Market(chain)
        self.store = ReadAhead(store, chain.block_number)
        keys = JobKeys(self.market, self.store, key, request_secret)
        self.inputs = JobInputs(self.market, self.store, keys)
        self.rounds = RoundComputer(self.inputs)
        self._retention = Retention(self.market, self.store)
        self.log = structlog.get_logger().bind(party=type(self).__name__, address=chain.address)
        self.health = Health(self.log)
        chain.tell_waiting(lambda error: self.health.report(kind_of(error), error))
        self._patience_blocks = patience_blocks
        self.memory = self.new_memory()
        self._told: dict[int, JobState] = {}
        self._node = NodeState(chain.w3)
        self._seen = 0
        self._next_look = 0
        self._stop = threading.Event()

    def wake_at(self, block: int) -> None:
        """Ask for a look at `block` even if there is no news by then."""
        self._next_look = min(self._next_look, block)

    @abstractmethod
    def involves(self, job_id: int, job: Job) -> bool:
        """Whether the party takes part in a job."""

    @abstractmethod
    def act(self, job_id: int, view: JobView) -> None:
        """Do what is due in a running job."""

    @abstractmethod
    def finish(self, job_id: int, view: JobView) -> None:
        """Collect what a job that has ended owes the party."""

    @abstractmethod
    def keep_registered(self, block: int) -> None:
        """Have what the party serves with stand on the chain. Raises NotRegistered."""

    def forget(self) -> None:
        """Forget everything that was read from the chain: it has been re-organised."""
        self.memory = self.new_memory()
        self.inputs.forget()
        self.chain.forget()
        self._retention.forget()
        self._next_look = 0

    def stop(self) -> None:
        """Let `serve` return after the step at hand."""
        self._stop.set()

    @property
    def jobs_ended(self) -> int:
        """Jobs of this party that have ended."""
        return len(self.memory.finished)

    # --- serving

    def serve(self, until: Callable[[], bool] = lambda: False) -> None:
        """Serve until stopped, or until `until` holds after a look.

        Looks when a contract that the party watches has spoken; without news only as often as its
        patience with overdue jobs asks for, because a look costs ten times as much as the question.
        Outlives a node that is away: it asks again, ever more rarely, until the node answers.
        """
        turns = Retrying(
            retry=retry_if_exception(_passes),
            wait=wait_exponential(**OUTAGE_WAIT),
            stop=stop_when_event_set(self._stop),
            sleep=sleep_using_event(self._stop),
            before_sleep=self._outage,
            retry_error_callback=lambda _state: True,  # stopped during an outage
        )
        while not self._stop.is_set():
            if turns(self._turn, until):
                return
            self.health.clear("chain", "certificate")
            self._stop.wait(POLL_SECONDS)

    def _turn(self, until: Callable[[], bool]) -> bool:
        """Ask for news once, and look if there are any; whether `until` holds."""
        head = self._follow()
        _note_turn(head)
        self._see_whether_behind(head)
        has_content = self.store.has_news()
        if has_content or head.number >= self._next_look or self._has_news(head.number):
            self._next_look = head.number + max(1, self._patience_blocks)
            memory = self.memory
            self._settle()
            self.poll_jobs(head.number)
            self._follow()  # what was read, was read up to here
            metrics.LAST_LOOK.set(time.time())
            metrics.BALANCE.set(self.chain.balance(self.chain.address))
            if self.memory is memory and until():
                return True
        self._seen = head.number
        return False

    def _settle(self) -> None:
        """Wait for what a lost block gave back to the pool, before it is asked for once more."""
        self.chain.forget_nonce()
        if not self.memory.is_settled:
            self.chain.settle_earlier()
            self.memory.is_settled = True

    def _see_whether_behind(self, head: Head) -> None:
        try:
            self._node.check(head)
        except NodeBehind as error:
            self.health.report("lag", error)
        else:
            self.health.clear("lag")

    def _follow(self) -> Head:
        """The head; everything is forgotten where a block seen before is gone."""
        head, reorganised = self.chain.heads.next()
        if reorganised:
            metrics.REORGANISATIONS.inc()
            self.log.warning("chain reorganised, everything is read again", block=head.number)
            self.forget()
        return head

    def _has_news(self, block: int) -> bool:
        return self.chain.has_logs(self.watches, self._seen + 1, block)

    def _outage(self, state: RetryCallState) -> None:
        assert state.outcome is not None
        error = state.outcome.exception()
        assert error is not None
        self.health.report(kind_of(error), error)
        self._next_look = 0

    # --- looking

    def poll_jobs(self, block: int) -> None:
        """One look at every job that has not ended, the one whose window closes first first."""
        memory = self.memory
        met = self._check_registered(block)
        job_ids = range(1, self.market.jobs.count() + 1)
        views = {each: self.market.situation(each) for each in job_ids if each not in memory.closed}
        states: list[JobState] = []
        for position, job_id in enumerate(sorted(views, key=lambda each: views[each].window_end)):
            view = views[job_id]
            if position and self._follow().number != block:
                view = self.market.situation(job_id)  # a job before it took its time
            if self.memory is not memory:
                return  # the chain was re-organised meanwhile: what was read may be of no branch
            try:
                if self._look_at(job_id, view, block):
                    states.append(view.job.state)
                memory.said.pop(job_id, None)
                self.health.awaited.pop(job_id, None)
            except ChainUnreachable:
                raise
            except Exception as error:  # one job, whatever its buyer posted, must not stop others
                met.add(self._trouble(job_id, block, error))
        self.health.clear(*(kind for kind in LASTING if kind not in met))
        _note_states(states)
        self._retention.release(block)

    def _check_registered(self, block: int) -> set[str]:
        """Whether the party is registered: kinds of problems, none where it is."""
        try:
            self.keep_registered(block)
        except ChainUnreachable:
            raise
        except (ChainError, NotRegistered) as error:
            kind = REGISTRATION if isinstance(error, Reverted) else kind_of(error)
            self.health.report(kind, error)
            self.wake_at(block + 1)
            return {kind}
        return set()

    def _look_at(self, job_id: int, view: JobView, block: int) -> bool:
        """Do what a job asks for; whether the party takes part in it and it is still running."""
        job = view.job
        concerned = self.involves(job_id, job)
        if not job.state.ended:
            if concerned:
                self.act(job_id, view)
                self._push(job_id, view.due, block)
            return concerned
        if concerned:
            self._retention.ended(job_id)
            self.finish(job_id, view)
            self.memory.finished.add(job_id)
            self._tell_end(job_id, job.state)
        self.memory.closed.add(job_id)
        return False

    def _tell_end(self, job_id: int, state: JobState) -> None:
        """Count and log a job's end once, however often it is read again."""
        if job_id not in self._told:
            metrics.JOBS_ENDED.inc()
        if self._told.get(job_id) != state:
            self._told[job_id] = state
            self.log.info("job ended", job=job_id, state=state.name)

    def _trouble(self, job_id: int, block: int, error: Exception) -> str:
        """Note what kept the party from serving a job; the kind of it."""
        kind, said = kind_of(error), f"{type(error).__name__}: {error}"
        self.health.awaited.pop(job_id, None)
        if kind in REMEDIES:
            self.health.report(kind, error)
            self.wake_at(block + 1)
        elif kind == CONTENT:
            self.health.awaited[job_id] = str(error)
            self.wake_at(block + 1)
        else:
            metrics.ERRORS.labels(kind).inc()
        if self.memory.said.get(job_id) != said:
            self.memory.said[job_id] = said
            foreseen = kind != JOB or isinstance(error, SealError)
            trace = {} if foreseen else {"exc_info": error}
            tell = self.log.info if isinstance(error, NotYet) else self.log.error
            tell("job cannot be served now", job=job_id, kind=kind, why=said, **trace)
        return kind

    def missed(self, duty: str, **place: int) -> None:
        """Log once that a duty's window has passed."""
        key = (duty, *place.items())
        if key not in self.memory.missed:
            self.memory.missed.add(key)
            metrics.MISSED.labels(duty).inc()
            self.log.error("missed: the window has passed", duty=duty, **place)

    def withdraw(self, *tokens: str) -> None:
        """Withdraw the party's credits in ether, and in those of these tokens that it lists.

        A token that refuses its holders was chosen by a buyer: it must not stop the service. Money
        that is not withdrawn stays the account's, and is asked for again after its next job.
        """
        chosen = sorted(set(tokens))
        amounts = self.market.lens.credits(self.chain.address, chosen)
        for token, amount in zip(chosen, amounts, strict=True):
            if not amount or not self._is_worth_it(token, amount):
                continue
            try:
                most_gas = None if token == ETHER else TOKEN_GAS
                self.market.escrow.withdraw(token, self.pay_to, most_gas=most_gas)
                self.log.info("withdrew", token=token, amount=amount, to=self.pay_to)
            except (Reverted, TooMuchGas) as refused:
                metrics.NOT_WITHDRAWN.inc()
                why = explained(refused) if isinstance(refused, Reverted) else str(refused)
                self.log.error("not withdrawn", token=token, amount=amount, why=why)

    def _is_worth_it(self, token: str, amount: int) -> bool:
        """Whether to pay for a withdrawal: more ether than it costs, or a token that is listed."""
        if token != ETHER:
            if token not in self.tokens:
                remedy = "list it with --pay-token, or use `buyer withdraw --token`"
                self.log.info("left as credit", token=token, amount=amount, remedy=remedy)
            return token in self.tokens
        least = self.least_withdrawal
        if least is None:
            gas = dearest(self.chain.rules(), "Escrow.withdraw")
            least = self.chain.price().now(gas) + 1
        if amount < least:
            self.log.info("left as credit", token=token, amount=amount, least=least)
        return amount >= least

    def _push(self, job_id: int, due: bool, block: int) -> None:
        """Move a job on that nobody else has moved for as long as the party's patience."""
        due_since = self.memory.due_since
        if not due:
            due_since.pop(job_id, None)
            return
        since = due_since.setdefault(job_id, block)
        if block - since < self._patience_blocks:
            self.wake_at(since + self._patience_blocks)
            return
        del due_since[job_id]
        try:
            self.market.jobs.advance(job_id)
        except Reverted as refused:
            # Somebody else was faster: the state that this look saw has passed.
            self.log.debug("advance not needed", job=job_id, why=str(refused))


def stop_on_signals(party: Party) -> None:
    """End the process cleanly on Ctrl-C and SIGTERM."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        party.stop()

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)


def _passes(error: BaseException) -> bool:
    """Whether an error is one that time mends; the others are for the user to mend."""
    kind = kind_of(error)
    return kind in REMEDIES and kind not in FINAL


def _note_turn(head: Head) -> None:
    metrics.HEAD_BLOCK.set(head.number)
    metrics.HEAD_TIME.set(head.timestamp)
    metrics.LAST_TURN.set(time.time())


def _note_states(states: Iterable[JobState]) -> None:
    counts = Counter(states)
    for state in RUNNING:
        metrics.JOBS.labels(state.name.lower()).set(counts[state])
