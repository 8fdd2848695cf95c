"""Jobs from the won auction to settlement (`Jobs`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from d2m.learning.earnings import NO_ROOT
from d2m.protocol import types
from d2m.protocol.ballots import RoundResult
from d2m.protocol.constants import BPS, RESULT_VERSION
from d2m.protocol.types import FailureReason, JobState, Phase, Request
from tests.model_check.model.basics import demand, hashed

if TYPE_CHECKING:
    from tests.model_check.model.market import Market

MIN_SEATS = 5
MAX_CID_BYTES = 64


@dataclass
class Job:
    """One job. Sellers are known by their index among `offers`."""

    buyer: str
    request: Request
    offers: tuple[int, ...]
    seats: tuple[str, ...]
    freeze_block: int
    deadline: int
    state: JobState = JobState.SEEDING
    round: int = 0
    accepted_rounds: int = 0
    failure: FailureReason = FailureReason.NONE
    target_reached: bool = False
    right_votes: int = 0
    offences: int = 0
    sample_seed: bytes = bytes(32)
    sample: frozenset[int] = frozenset()
    posted: set[int] = field(default_factory=set)
    root: bytes = NO_ROOT
    model_hash: bytes = bytes(32)

    def row(self) -> types.Job:
        return types.Job(
            self.buyer,
            self.state,
            self.round,
            self.accepted_rounds,
            len(self.offers),
            self.failure,
            self.target_reached,
            self.right_votes,
            self.offences,
            self.freeze_block,
            self.deadline,
            len(self.offers),
            self.request.rules,
            self.request.tag,
            self.sample_seed,
            sum(1 << index for index in self.sample),
            sum(1 << index for index in self.posted),
            self.root,
            self.model_hash,
        )


class Jobs:
    """All jobs. Ids count from 1."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.all: dict[int, Job] = {}

    # Creation. Every transaction is in a block of its own, so what stood at the end of the block
    # before is what stands now.

    def is_feasible(self, tag: bytes) -> bool:
        sellers, seats = self.market.registry.lists.of(tag), self.market.pool.seats
        return bool(sellers) and len(seats) >= MIN_SEATS

    def create(self, request: Request, buyer: str) -> int:
        job_id, now = len(self.all) + 1, self.market.now
        offers = tuple(self.market.registry.lists.of(request.tag))
        seats = tuple(self.market.pool.seats)
        self.all[job_id] = Job(buyer, request, offers, seats, now - 1, now + 1)
        self.market.pool.running.append(job_id)
        self.market.yoda.freeze(job_id, request.rules, seats, now - 1)
        return job_id

    def seller_at(self, job_id: int, index: int) -> str:
        job = self.all[job_id]
        demand(job.state is not JobState.SEEDING, "WrongState(uint8)", int(job.state))
        demand(index < len(job.offers), "NoSuchSeller(uint256)", index)
        return self.market.registry.offers[job.offers[index]].seller

    # Moves

    def advance(self, sender: str, job_id: int) -> None:
        job = self.all.get(job_id)
        state = job.state if job else JobState.NONE
        running = job is not None and not state.ended
        demand(running, "WrongState(uint8)", int(state))
        assert job is not None
        demand(self.is_due(job_id), "NotDue()")
        if state is JobState.SEEDING:
            self._draw_sample(job_id, job)
        elif state is JobState.COLLECTING:
            self._close_inbox(job_id, job)
        elif state is JobState.DECIDING:
            self._advance_vote(job_id, job)
        elif state is JobState.OPENING:
            self._start_judging(job_id, job, FailureReason.NOT_OPENED)
        else:
            self._end(job_id, job)

    def is_due(self, job_id: int) -> bool:
        job, now = self.all[job_id], self.market.now
        if job.state is JobState.COLLECTING:
            return job.posted == job.sample or now > job.deadline
        if job.state is JobState.DECIDING:
            return self.market.yoda.is_due(job_id)
        if job.state is JobState.JUDGING:
            return self._all_punished(job_id) or now > job.deadline
        return not job.state.ended and now > job.deadline

    def _draw_sample(self, job_id: int, job: Job) -> None:
        seed = self.market.seed(job.deadline, hashed(job_id))
        if seed is None:
            job.deadline = self.market.now + 1
            self.market.note("expired: seed of a sample")
            return
        job.sample_seed = seed
        draws = [hashed(seed, k) for k in range(job.request.rules.sample_size)]
        sample = [int.from_bytes(each, "big") % len(job.offers) for each in draws]
        self._start_round(job, 1, frozenset(sample))

    def _start_round(self, job: Job, round_number: int, sample: frozenset[int]) -> None:
        job.state, job.round = JobState.COLLECTING, round_number
        job.sample, job.posted = sample, set()
        job.deadline = self.market.now + job.request.rules.update_blocks

    def _close_inbox(self, job_id: int, job: Job) -> None:
        if not job.posted:
            self._start_judging(job_id, job, FailureReason.NO_UPDATES)
            return
        job.state = JobState.DECIDING
        self.market.yoda.begin(job_id, job.round)

    def _advance_vote(self, job_id: int, job: Job) -> None:
        phase = self.market.yoda.advance(job_id)
        if phase is Phase.UNDECIDED:
            self._start_judging(job_id, job, FailureReason.UNDECIDED)
        elif phase is Phase.ACCEPTED:
            job.state = JobState.OPENING
            job.deadline = self.market.now + job.request.rules.open_blocks

    def post_update(
        self,
        sender: str,
        job_id: int,
        round_number: int,
        index: int,
        content_hash: bytes,
        cid: bytes,
    ) -> None:
        job = self.all.get(job_id)
        state = job.state if job else JobState.NONE
        demand(state is JobState.COLLECTING, "WrongState(uint8)", int(state))
        assert job is not None
        demand(round_number == job.round, "WrongRound(uint32)", job.round)
        demand(self.market.now <= job.deadline, "TooLate(uint256)", job.deadline)
        demand(0 < len(cid) <= MAX_CID_BYTES, "BadCid()")
        mine = self.seller_at(job_id, index) == sender and index in job.sample
        demand(mine, "NotSampled(uint256)", index)
        demand(index not in job.posted, "AlreadyPosted()")
        job.posted.add(index)

    def open(self, sender: str, job_id: int, result: RoundResult) -> None:
        job = self.all.get(job_id)
        state = job.state if job else JobState.NONE
        demand(state is JobState.OPENING, "WrongState(uint8)", int(state))
        assert job is not None
        demand(self.market.now <= job.deadline, "TooLate(uint256)", job.deadline)
        digest = self.market.yoda.polls[job_id].verdicts[job.round].digest
        demand(result.digest == digest, "WrongDigest(bytes32)", digest)
        demand(self._is_sane(job_id, job, result), "BadResult()")
        verdict = self.market.yoda.judge(job_id, result.predictions_hash)
        job.accepted_rounds = job.round
        job.right_votes += verdict.right
        job.offences += verdict.offences
        job.root, job.model_hash = result.contributions_root, result.model_hash
        self.market.note("opened rounds")
        metric = Fraction(result.metric_numerator, result.metric_denominator)
        job.target_reached = metric >= Fraction(job.request.rules.target_bps, BPS)
        if job.target_reached or job.round == job.request.rules.rounds:
            self._start_judging(job_id, job, FailureReason.NONE)
            return
        sample = (index for index in range(256) if result.next_sample >> index & 1)
        self._start_round(job, job.round + 1, frozenset(sample))

    def _is_sane(self, job_id: int, job: Job, result: RoundResult) -> bool:
        named = (result.version, result.job_id, result.round)
        sample = result.next_sample
        return (
            named == (RESULT_VERSION, job_id, job.round)
            and result.metric_numerator <= result.metric_denominator > 0
            and result.predictions_hash != bytes(32)
            and 0 < sample < 1 << len(job.offers)
            and sample.bit_count() <= job.request.rules.sample_size
        )

    # The end

    def _all_punished(self, job_id: int) -> bool:
        return len(self.market.pool.punished.get(job_id, ())) == self.all[job_id].offences

    def _start_judging(self, job_id: int, job: Job, failure: FailureReason) -> None:
        job.failure = failure
        if self._all_punished(job_id):
            self._end(job_id, job)
            return
        job.state = JobState.JUDGING
        job.deadline = self.market.now + job.request.rules.judge_blocks
        self.market.note("judged jobs")

    def _end(self, job_id: int, job: Job) -> None:
        failed = job.failure is not FailureReason.NONE
        job.state = JobState.FAILED if failed else JobState.SETTLED
        rounds = job.request.rules.rounds
        earned = Fraction(job.accepted_rounds if failed else rounds, rounds)
        self.market.pool.running.remove(job_id)
        self.market.escrow.settle(job_id, job.buyer, earned, job.right_votes, job.root)
        reason = f"failed: {job.failure.name.lower()}" if failed else "settled"
        if failed and job.accepted_rounds:
            reason += ", after an accepted round"
        self.market.note(reason)
