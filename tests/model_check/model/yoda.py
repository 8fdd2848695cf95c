"""The vote on a round's result (`Yoda`): votes are kept one by one and counted afresh."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Context, Decimal
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from d2m.protocol import types
from d2m.protocol.ballots import Ballot, audit_word
from d2m.protocol.constants import MAX_SET, PPM, WAD
from d2m.protocol.likelihood import Pool, is_accepted
from d2m.protocol.sortition import asked_after, permute
from d2m.protocol.types import Conduct, Phase, Rules
from tests.model_check.model.basics import demand, hashed

if TYPE_CHECKING:
    from tests.model_check.model.market import Market

NO_LEAD = (1).to_bytes(32, "big")


class Words(NamedTuple):
    """A revealed vote."""

    result: bytes
    audit: bytes


@dataclass
class MiniRound:
    """Who was asked in a mini-round, as positions, and what they said."""

    seed: bytes
    first: int
    before: int
    asked: int
    committed: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    """Node and commitment by position."""
    revealed: dict[int, Words] = field(default_factory=dict)
    """In the order of the reveals."""

    @property
    def size(self) -> int:
        return self.asked - self.before

    @property
    def lead(self) -> Words | None:
        return next(iter(self.revealed.values()), None)

    @property
    def followers(self) -> int:
        return sum(words == self.lead for words in self.revealed.values())

    def row(self) -> types.MiniRound:
        turnout = 1 << 255 | len(self.revealed) - self.followers << 2 * MAX_SET
        turnout |= sum(1 << position for position in self.committed)
        turnout |= sum(1 << MAX_SET + position for position in self.revealed)
        if self.lead is None:
            return types.MiniRound(self.seed, turnout, NO_LEAD, NO_LEAD)
        return types.MiniRound(self.seed, turnout, hashed(*self.lead), self.lead.result)


@dataclass
class Verdict:
    """The accepted result of a round; what it opened to and how the votes were judged."""

    digest: bytes = bytes(32)
    predictions: bytes = bytes(32)
    last: int = 0
    redrawn_at: int = 0
    right: int = 0
    offences: int = 0

    def row(self) -> types.Verdict:
        return types.Verdict(
            self.digest, self.predictions, self.last, self.redrawn_at, self.right, self.offences
        )


@dataclass
class Poll:
    """The votes on a job's rounds. Block numbers are absolute."""

    job_id: int
    rules: Rules
    seats: tuple[str, ...]
    freeze_block: int
    round: int = 0
    mini_round: int = 0
    first: int = 0
    phase: Phase = Phase.NONE
    before: int = 0
    asked: int = 0
    seed_block: int = 0
    commit_deadline: int = 0
    reveal_deadline: int = 0
    leader: bytes = bytes(32)
    mini_rounds: dict[tuple[int, int], MiniRound] = field(default_factory=dict)
    verdicts: dict[int, Verdict] = field(default_factory=dict)

    @property
    def pool(self) -> Pool:
        return Pool(len(self.seats), self.rules.byzantine_bps)

    @property
    def mini(self) -> MiniRound | None:
        """The present mini-round, once it has opened."""
        return self.mini_rounds.get((self.round, self.mini_round))

    def tally(self) -> Counter[bytes]:
        """Votes of the present draw: all of past mini-rounds; of the present one the strays."""
        counts: Counter[bytes] = Counter()
        for number in range(self.first, self.mini_round + 1):
            mini = self.mini_rounds.get((self.round, number))
            if mini is None:
                continue
            open_ = number == self.mini_round and self.phase is Phase.VOTING
            counted = [each for each in mini.revealed.values() if not open_ or each != mini.lead]
            counts.update(words.result for words in counted)
        return counts

    def update_leader(self) -> None:
        """The lead changes only when another digest has more votes."""
        counts = self.tally()
        for digest, votes in counts.items():
            if votes > counts[self.leader]:
                self.leader = digest

    def rank(self, seat: int, first: int) -> int:
        return permute_cached(seat, len(self.seats), self.mini_rounds[self.round, first].seed)

    def row(self) -> types.Poll:
        counts = self.tally()
        others = [votes for digest, votes in counts.items() if digest != self.leader]
        return types.Poll(
            self.round,
            self.mini_round,
            self.first,
            self.phase,
            self.before,
            self.asked,
            sum(counts.values()),
            counts[self.leader],
            max(others, default=0),
            self.seed_block,
            self.commit_deadline,
            self.reveal_deadline,
        )


permute_cached = cache(permute)


class Yoda:
    """All votes, by job."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.polls: dict[int, Poll] = {}

    # Driven by the jobs

    def freeze(self, job_id: int, rules: Rules, seats: tuple[str, ...], freeze_block: int) -> None:
        self.polls[job_id] = Poll(job_id, rules, seats, freeze_block)

    def begin(self, job_id: int, round_number: int) -> None:
        poll = self.polls[job_id]
        poll.round = round_number
        self._start_draw(poll, 1)

    def _start_draw(self, poll: Poll, mini_round: int) -> None:
        poll.first, poll.asked, poll.leader = mini_round, 0, bytes(32)
        self._schedule(poll, mini_round)

    def _schedule(self, poll: Poll, mini_round: int) -> None:
        poll.mini_round, poll.phase = mini_round, Phase.SEEDING
        poll.seed_block = self.market.now + 1

    def advance(self, job_id: int) -> Phase:
        poll = self.polls[job_id]
        demand(self.is_due(job_id), "NotDue()")
        if poll.phase is Phase.SEEDING:
            self._open_mini_round(poll)
        else:
            self._end_mini_round(poll)
        return poll.phase

    def is_due(self, job_id: int) -> bool:
        poll = self.polls[job_id]
        if poll.phase is Phase.SEEDING:
            return self.market.now > poll.seed_block
        return poll.phase is Phase.VOTING and self._is_over(poll)

    def _open_mini_round(self, poll: Poll) -> None:
        purpose = hashed(poll.job_id, poll.round, poll.mini_round)
        seed = self.market.seed(poll.seed_block, purpose)
        if seed is None:
            self._schedule(poll, poll.mini_round)
            self.market.note("expired: seed of a mini-round")
            return
        nth = poll.mini_round - poll.first + 1
        poll.before = poll.asked
        poll.asked = asked_after(poll.rules.base, nth, len(poll.seats))
        poll.commit_deadline = self.market.now + poll.rules.commit_blocks
        poll.reveal_deadline = poll.commit_deadline + poll.rules.reveal_blocks
        poll.phase = Phase.VOTING
        mini = MiniRound(seed, poll.first, poll.before, poll.asked)
        poll.mini_rounds[poll.round, poll.mini_round] = mini

    def _is_over(self, poll: Poll) -> bool:
        mini, now = poll.mini, self.market.now
        assert mini is not None
        if now <= poll.commit_deadline:
            return False
        return now > poll.reveal_deadline or len(mini.revealed) == len(mini.committed)

    def _end_mini_round(self, poll: Poll) -> None:
        poll.phase = Phase.SEEDING  # so that every vote counts
        poll.update_leader()
        self.market.note("mini-rounds")
        counts = poll.tally()
        silent = poll.asked - sum(counts.values())
        if is_accepted(poll.pool, counts, poll.rules.error_ppm, silent):
            poll.phase = Phase.ACCEPTED
            redrawn_at = poll.first if poll.first > 1 else 0
            verdict = Verdict(poll.leader, last=poll.mini_round, redrawn_at=redrawn_at)
            poll.verdicts[poll.round] = verdict
            self.market.note("accepted: in the second draw" if redrawn_at else "accepted")
        elif poll.asked < len(poll.seats):
            self._schedule(poll, poll.mini_round + 1)
        elif poll.first > 1:
            poll.phase = Phase.UNDECIDED
        else:
            self._start_draw(poll, poll.mini_round + 1)
            self.market.note("redraws")

    def judge(self, job_id: int, predictions: bytes) -> Verdict:
        """Judge all votes of the present round by what its result names."""
        poll = self.polls[job_id]
        verdict = poll.verdicts[poll.round]
        verdict.predictions = predictions
        judged = [
            self.conduct(job_id, poll.round, mini_round, seat)
            for mini_round in range(1, verdict.last + 1)
            for seat in range(len(poll.seats))
        ]
        verdict.right = judged.count(Conduct.RIGHT)
        verdict.offences = sum(each.is_offence for each in judged)
        return verdict

    # Moves

    def is_committing(self, job_id: int) -> bool:
        poll = self.polls.get(job_id)
        if poll is None or poll.phase is not Phase.VOTING:
            return False
        return self.market.now <= poll.commit_deadline

    def is_revealing(self, job_id: int) -> bool:
        poll = self.polls.get(job_id)
        if poll is None or poll.phase is not Phase.VOTING:
            return False
        return poll.commit_deadline < self.market.now <= poll.reveal_deadline

    def position(self, poll: Poll, seat: int) -> int | None:
        """Position in the present execution set of a seat that is asked."""
        rank = poll.rank(seat, poll.first)
        return rank - poll.before if poll.before <= rank < poll.asked else None

    def commit(self, sender: str, job_id: int, seat: int, commitment: bytes) -> None:
        demand(self.is_committing(job_id), "NotCommitting()")
        poll = self.polls[job_id]
        mine = seat < len(poll.seats) and poll.seats[seat] == sender
        demand(mine, "NotYourSeat(uint256)", seat)
        position, mini = self.position(poll, seat), poll.mini
        demand(position is not None, "NotAsked(uint256)", seat)
        assert position is not None
        assert mini is not None
        demand(position not in mini.committed, "AlreadyCommitted()")
        mini.committed[position] = (sender, commitment)
        self._close_if_full(poll)
        self.market.note("commits: own")

    def _close_if_full(self, poll: Poll) -> None:
        mini = poll.mini
        assert mini is not None
        if len(mini.committed) == mini.size:
            poll.commit_deadline = self.market.now
            poll.reveal_deadline = self.market.now + poll.rules.reveal_blocks

    def ballot(self, poll: Poll, node: str) -> Ballot:
        market = self.market
        place = (poll.job_id, poll.round, poll.mini_round)
        return Ballot(market.chain_id, market.address("yoda"), node, *place)

    def reveal(
        self, sender: str, job_id: int, position: int, result: bytes, audit: bytes, salt: bytes
    ) -> None:
        demand(self.is_revealing(job_id), "NotRevealing()")
        demand(result != bytes(32), "EmptyResult()")
        poll = self.polls[job_id]
        mini = poll.mini
        assert mini is not None
        commitment = self.ballot(poll, sender).commitment(result, audit, salt)
        demand(mini.committed.get(position) == (sender, commitment), "CommitmentMismatch()")
        demand(position not in mini.revealed, "AlreadyRevealed()")
        self._record(poll, position, Words(result, audit))
        self.market.note("reveals: own")

    def _record(self, poll: Poll, position: int, words: Words) -> None:
        mini = poll.mini
        assert mini is not None
        mini.revealed[position] = words
        poll.update_leader()

    # Judgement

    def conduct(self, job_id: int, round_number: int, mini_round: int, seat: int) -> Conduct:
        poll = self.polls.get(job_id)
        verdict = poll.verdicts.get(round_number) if poll else None
        if poll is None or verdict is None or verdict.predictions == bytes(32):
            return Conduct.UNJUDGED
        if seat >= len(poll.seats) or not 1 <= mini_round <= verdict.last:
            return Conduct.UNJUDGED
        mini = poll.mini_rounds[round_number, mini_round]
        draw_seed = poll.mini_rounds[round_number, mini.first].seed
        rank = permute_cached(seat, len(poll.seats), draw_seed)
        if not mini.before <= rank < mini.asked:
            return Conduct.NOT_ASKED
        words = mini.revealed.get(rank - mini.before)
        if words is None:
            return Conduct.SILENT
        if words.result != verdict.digest:
            return Conduct.LOST_RESULT
        right = words.audit == audit_word(mini.seed, verdict.predictions)
        return Conduct.RIGHT if right else Conduct.WRONG_AUDIT


def threshold(error_ppm: int) -> int:
    """ln((1 - β) / β) with 18 decimals, rounded down."""
    odds = (PPM - error_ppm) * WAD // error_ppm
    return int((Decimal(odds) / WAD).ln(Context(prec=60)) * WAD)
