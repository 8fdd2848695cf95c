"""Whole votes of the real contract against the Python model, thousands of ballots in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import ape
import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from d2m.protocol.ballots import Ballot, audit_word
from d2m.protocol.constants import MAX_SET
from d2m.protocol.likelihood import Pool, is_accepted
from d2m.protocol.sortition import asked_after, execution_set, permute
from d2m.protocol.types import Conduct, Phase, Poll, Rules, Verdict
from tests.support.crowd import Crowd, Move
from tests.support.evm import deploy, helper, look, mine, rewound
from tests.support.play import KEY, PREDICTIONS, RULES, People

JOB, ROUND = 1, 1
UNIT = 10_000  # wei, the smallest stake unit
GUESS, SALT = keccak(b"guess"), keccak(b"salt")
WINDOW = 5  # blocks
ERRORS_PPM = (7, 1009, 99_991)
"""Their odds have prime factors that no pool of 60 has: no tie for fixed point to break."""
FULL = 1024  # seats
ASKED_AT_ONCE = 300  # as many conducts as fit into a block's gas


def digest(number: int) -> bytes:
    """A result that nodes may vote for."""
    return keccak(number.to_bytes(2, "big"))


class Stage(NamedTuple):
    """A YODA contract whose nodes and job contract are a crowd."""

    crowd: Crowd
    yoda: Any
    freeze_blocks: Sequence[int]
    """The block after which the pool had so many nodes."""

    @property
    def jobs(self) -> int:
        """The actor that stands for the job contract."""
        return len(self.crowd.actors) - 1


def build(people: People, nodes: int) -> tuple[Crowd, Any, Any]:
    crowd = Crowd.hire(nodes + 1, people.deployer)
    pool = deploy(ape.project.ConePool, crowd.actors[nodes], UNIT, sender=people.deployer)
    randomness = deploy(helper("InstantRandomness"), sender=people.deployer)
    args = (crowd.actors[nodes], pool, randomness)
    return crowd, pool, deploy(ape.project.Yoda, *args, sender=people.deployer)


@pytest.fixture(scope="module")
def stage(people: People) -> Stage:
    """Pools of up to 60 nodes."""
    crowd, pool, yoda = build(people, 60)
    joins = [crowd.move(node, pool.join, KEY, value=UNIT) for node in range(60)]
    return Stage(crowd, yoda, [0, *(crowd.play([join]).block for join in joins)])


class Act(NamedTuple):
    """What a node does when it is asked."""

    digest: int
    knows: bool
    """Whether its audit word is the right one, if the digest wins."""
    commits: bool = True
    reveals: bool = True


class Election(NamedTuple):
    """A pool, its rules, and what each seat does in each draw."""

    pool: Pool
    rules: Rules
    acts: tuple[Sequence[Act], Sequence[Act]]
    order: Sequence[int]  # in which the seats act


@st.composite
def elections(draw: st.DrawFn) -> Election:
    pool = Pool(draw(st.integers(5, 60)), draw(st.integers(0, 4500)))
    rules = RULES._replace(
        byzantine_bps=pool.byzantine_bps,
        base=draw(st.integers(1, 8)),
        error_ppm=draw(st.sampled_from(ERRORS_PPM)),
        commit_blocks=WINDOW,
        reveal_blocks=WINDOW,
    )
    # From full agreement to four camps: how often a seat votes for the first digest.
    camp = st.sampled_from([0] * draw(st.integers(1, 12)) + [1, 2, 3])
    mostly = st.sampled_from([True] * draw(st.integers(1, 12)) + [False])
    acts = st.lists(
        st.builds(Act, camp, mostly, mostly, mostly), min_size=pool.seats, max_size=pool.seats
    )
    order = draw(st.permutations(range(pool.seats)))
    return Election(pool, rules, (draw(acts), draw(acts)), order)


@dataclass
class Model:
    """What the contract must arrive at, while the nodes act on it."""

    stage: Stage
    election: Election
    moves: list[Move] = field(default_factory=list)
    """Not sent yet."""
    mini_round: int = 0
    first: int = 1
    """First mini-round of the present draw."""
    phase: Phase = Phase.VOTING
    asked: int = 0
    tally: Counter[bytes] = field(default_factory=Counter)
    leader: bytes = bytes(32)
    conduct: dict[tuple[int, int], tuple[bytes, bool] | None] = field(default_factory=dict)
    """By mini-round and seat: the result and whether the audit word is right, None if silent."""

    def play(self) -> None:
        pool, yoda = self.election.pool, self.stage.yoda
        freeze_block = self.stage.freeze_blocks[pool.seats]
        self._drive(yoda.freezeRules, JOB, self.election.rules, freeze_block, pool.seats)
        self._drive(yoda.begin, JOB, ROUND)
        accepted = self._draw(0) or self._draw(1)
        self.phase = Phase.ACCEPTED if accepted else Phase.UNDECIDED
        self._send()

    def _draw(self, draw: int) -> bool:
        """Whether a digest is accepted before every seat has been asked."""
        pool, rules = self.election.pool, self.election.rules
        self.first, self.asked, nth = self.mini_round + 1, 0, 0
        self.tally, self.leader = Counter(), bytes(32)
        while self.asked < pool.seats:
            self.mini_round, nth = self.mini_round + 1, nth + 1
            after = asked_after(rules.base, nth, pool.seats)
            members = set(execution_set(pool.seats, self.asked, after, self._seed(self.first)))
            self.asked = after
            acts = {s: self.election.acts[draw][s] for s in self.election.order if s in members}
            self._vote(acts)
            silent = after - self.tally.total()
            if is_accepted(pool, self.tally, rules.error_ppm, silent):
                return True
        return False

    def _vote(self, acts: dict[int, Act]) -> None:
        yoda, seed = self.stage.yoda, self._seed(self.mini_round)
        commit, reveal, advance = yoda.commit, yoda.reveal, yoda.advance
        self._drive(advance, JOB)
        words = {
            seat: (digest(act.digest), audit_word(seed, PREDICTIONS) if act.knows else GUESS)
            for seat, act in acts.items()
        }
        committed = [seat for seat, act in acts.items() if act.commits]
        for seat in committed:
            commitment = self._ballot(seat).commitment(*words[seat], SALT)
            self._move(seat, commit, JOB, seat, commitment)
        self._send()
        if len(committed) < len(acts):
            mine(WINDOW)
        revealed = [seat for seat in reversed(committed) if acts[seat].reveals]
        for seat in revealed:
            self._move(seat, reveal, JOB, self._position(seat), *words[seat], SALT)
        if len(revealed) < len(committed):
            self._send()
            mine(WINDOW)
        self._count([words[seat] for seat in revealed])
        for seat, act in acts.items():
            spoke = seat in revealed
            self.conduct[self.mini_round, seat] = (words[seat][0], act.knows) if spoke else None
        self._drive(advance, JOB)

    def _count(self, revealed: list[tuple[bytes, bytes]]) -> None:
        """Votes unlike the first are tallied as they come, all others at the end."""
        strays = [pair for pair in revealed if pair != revealed[0]]
        alike = [pair for pair in revealed if pair == revealed[0]]
        for result, _ in strays:
            self._add(result, 1)
        if alike:
            self._add(alike[0][0], len(alike))

    def _add(self, result: bytes, votes: int) -> None:
        self.tally[result] += votes
        if self.tally[result] > self.tally.get(self.leader, 0):
            self.leader = result

    def _seed(self, mini_round: int) -> bytes:
        """What `InstantRandomness` gives for the mini-round."""
        return keccak(keccak(encode(["uint256"] * 3, [JOB, ROUND, mini_round])))

    def _position(self, seat: int) -> int:
        base, seats = self.election.rules.base, self.election.pool.seats
        before = asked_after(base, self.mini_round - self.first, seats)
        return permute(seat, seats, self._seed(self.first)) - before

    def _ballot(self, seat: int) -> Ballot:
        chain_id = ape.networks.provider.chain_id
        node = self.stage.crowd.actors[seat]
        return Ballot(chain_id, self.stage.yoda.address, node, JOB, ROUND, self.mini_round)

    def _drive(self, method: Any, *args: Any) -> None:
        """A move of the job contract."""
        self._move(self.stage.jobs, method, *args)

    def _move(self, actor: int, method: Any, *args: Any) -> None:
        self.moves.append(self.stage.crowd.move(actor, method, *args))

    def _send(self) -> None:
        """All moves so far, in one block."""
        if self.moves:
            self.stage.crowd.play(self.moves)
        self.moves = []

    # What it foretells

    def conduct_of(self, mini_round: int, seat: int) -> Conduct:
        if (mini_round, seat) not in self.conduct:
            return Conduct.NOT_ASKED
        spoken = self.conduct[mini_round, seat]
        if spoken is None:
            return Conduct.SILENT
        result, knows = spoken
        if result != self.leader:
            return Conduct.LOST_RESULT
        return Conduct.RIGHT if knows else Conduct.WRONG_AUDIT

    def check(self) -> None:
        """The contract's poll, verdict and judgement are the model's."""
        yoda = self.stage.yoda
        poll = Poll.from_abi(look(yoda.pollOf, JOB))
        first, second, *_ = [*sorted(self.tally.values(), reverse=True), 0, 0]
        assert (poll.phase, poll.mini_round) == (self.phase, self.mini_round)
        assert (poll.asked, poll.votes) == (self.asked, self.tally.total())
        assert (poll.leader_votes, poll.runner_up_votes) == (first, second)
        assert bytes(look(yoda.leaderOf, JOB)) == self.leader
        if self.phase is Phase.UNDECIDED:
            assert self._verdict() == Verdict(bytes(32), bytes(32), 0, 0, 0, 0)
            return
        self._check_judgement()

    def _check_judgement(self) -> None:
        found = list(self.conduct)
        told = [self.conduct_of(*each) for each in found]
        right = told.count(Conduct.RIGHT)
        redrawn_at = self.first if self.first > 1 else 0
        place = (self.mini_round, redrawn_at)
        assert self._verdict() == Verdict(self.leader, bytes(32), *place, 0, 0)
        self._drive(self.stage.yoda.judge, JOB, ROUND, PREDICTIONS)
        self._send()
        judged = Verdict(self.leader, PREDICTIONS, *place, right, len(told) - right)
        assert self._verdict() == judged
        asked = list(self._questions(found))
        starts = range(0, len(asked), ASKED_AT_ONCE)
        calls = [self.stage.crowd.imagine(asked[i : i + ASKED_AT_ONCE]) for i in starts]
        answers = [each for call in calls for each in call]
        assert [Conduct(int.from_bytes(each, "big")) for each in answers] == told

    def _questions(self, places: Sequence[tuple[int, int]]) -> Iterator[Move]:
        conduct_of = self.stage.yoda.conductOf
        for mini_round, seat in places:
            args = (JOB, ROUND, mini_round, seat)
            yield self.stage.crowd.move(self.stage.jobs, conduct_of, *args)

    def _verdict(self) -> Verdict:
        return Verdict(*look(self.stage.yoda.verdictOf, JOB, ROUND))


@settings(max_examples=30)
@given(election=elections())
def test_a_vote_ends_as_the_model_says(stage: Stage, election: Election) -> None:
    """Strays, guessed audits, silence before and after the commitment, redraws, judgement."""
    with rewound():
        model = Model(stage, election)
        model.play()
        model.check()


def test_the_largest_pool_is_asked_in_the_largest_sets_and_drawn_again(people: People) -> None:
    """All 1,024 nodes vote for something else, the dearest vote there is; then all agree."""
    crowd, pool, yoda = build(people, FULL)
    crowd.chorus(range(FULL), pool.join, KEY, value=UNIT)
    joined = int(look(pool.nodeOf, crowd.actors[FULL - 1])[2])
    stage = Stage(crowd, yoda, [joined] * (FULL + 1))
    rules = RULES._replace(
        base=MAX_SET - 1, error_ppm=1, commit_blocks=WINDOW, reveal_blocks=WINDOW
    )
    apart = [Act(seat, True) for seat in range(FULL)]
    agreed = [Act(0, True)] * FULL
    model = Model(stage, Election(Pool(FULL, 3000), rules, (apart, agreed), range(FULL)))
    model.play()
    sizes = Counter(mini_round for mini_round, _ in model.conduct)
    assert list(sizes.values()) == [MAX_SET] * 8 + [FULL - 8 * MAX_SET, MAX_SET]
    assert (model.first, model.mini_round, model.phase) == (10, 10, Phase.ACCEPTED)
    model.check()
    right = 1 + MAX_SET  # seat 0 was right in both draws
    assert Verdict(*look(yoda.verdictOf, JOB, ROUND)).right_votes == right
