"""Whole votes of the real contract against the Python model, thousands of ballots in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import ape
import pytest
from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from offchain.chain.records import Phase, Poll, Rules, Verdict
from offchain.yoda.likelihood import Pool, is_accepted
from offchain.yoda.sortition import asked_after, execution_set
from offchain.yoda.votes import Ballot
from tests.contracts.crowd import Crowd, Move
from tests.contracts.evm import deploy, helper, rewound
from tests.contracts.play import KEY, RULES, Market, People, tally, win

NODES = 60
JOBS = NODES  # the actor that stands for the job contract
JOB, ROUND = 1, 1
DIGESTS = [keccak(bytes([i])) for i in range(4)]
SALT = keccak(b"salt")
POLL = (
    "(uint32,uint16,uint16,uint8,uint8,uint16,uint16,uint16,uint16,uint16,uint16,uint16,"
    "uint64,uint64,uint64,bytes32,bytes32,bytes32)"
)
VERDICT = "(bytes32,uint16,uint16,uint16)"


class Stage(NamedTuple):
    """A YODA contract whose nodes and job contract are a crowd, in a pool of 60."""

    crowd: Crowd
    pool: Any
    yoda: Any
    joined: Sequence[int]  # the block after which the pool had one node more


@pytest.fixture(scope="module")
def stage(people: People) -> Stage:
    crowd = Crowd.hire(NODES + 1, people.deployer)
    jobs = crowd.actors[JOBS]
    pool = deploy(ape.project.ConePool, jobs, 1, sender=people.deployer)
    randomness = deploy(helper("InstantRandomness"), sender=people.deployer)
    yoda = deploy(ape.project.Yoda, jobs, pool, randomness, sender=people.deployer)
    joins = [crowd.move(node, pool.join, KEY, value=1) for node in range(NODES)]
    return Stage(crowd, pool, yoda, [crowd.play([join]).block for join in joins])


class Election(NamedTuple):
    """A pool, its rules, and the digest (by index) that each seat votes for in each draw."""

    pool: Pool
    rules: Rules
    choices: tuple[list[int], list[int]]
    order: list[int]  # in which the seats act


@st.composite
def elections(draw: st.DrawFn) -> Election:
    seats = draw(st.integers(4, NODES))
    rules = RULES._replace(
        byzantine_bps=draw(st.integers(0, 4500)),
        base=draw(st.integers(1, 8)),
        error_ppm=draw(st.sampled_from([1, 1000, 100_000])),
    )
    # From full agreement to four camps: how often a seat votes for the first digest.
    agreeing = draw(st.integers(1, 12))
    digest = st.sampled_from([0] * agreeing + [1, 2, 3])
    votes = st.lists(digest, min_size=seats, max_size=seats)
    order = draw(st.permutations(range(seats)))
    pool = Pool(seats, rules.byzantine_bps)
    return Election(pool, rules, (draw(votes), draw(votes)), order)


@dataclass
class Model:
    """What the contract must arrive at, and the moves that lead there."""

    stage: Stage
    election: Election
    moves: list[Move] = field(default_factory=list)
    mini_round: int = 0
    first: int = 1
    phase: Phase = Phase.VOTING
    tally: Counter[bytes] = field(default_factory=Counter)
    leaders: list[bytes] = field(default_factory=list)
    """Digests in the order in which they came to lead."""
    right: list[tuple[int, int]] = field(default_factory=list)
    """Seat and mini-round of every vote of the present draw, with its digest in `cast`."""
    cast: list[tuple[int, int, bytes]] = field(default_factory=list)

    def play(self) -> None:
        seats, rules = self.election.pool.seats, self.election.rules
        freeze_block = self.stage.joined[seats - 1]
        yoda = self.stage.yoda
        self._move(JOBS, yoda.freezeRules, JOB, rules, freeze_block, seats)
        self._move(JOBS, yoda.begin, JOB, ROUND)
        for draw in (0, 1):
            self.first = self.mini_round + 1
            self.tally, self.leaders, self.cast = Counter(), [], []
            if self._draw(draw):
                self.phase = Phase.ACCEPTED
                return
        self.phase = Phase.UNDECIDED

    def _draw(self, draw: int) -> bool:
        """Whether a digest is accepted before every seat has been asked."""
        pool, rules = self.election.pool, self.election.rules
        asked, nth, draw_seed = 0, 0, b""
        while asked < pool.seats:
            self.mini_round, nth = self.mini_round + 1, nth + 1
            seed = self._seed()
            draw_seed = draw_seed or seed
            after = asked_after(rules.base, nth, pool.seats)
            members = set(execution_set(pool.seats, asked, after, draw_seed))
            asked = after
            self._vote([seat for seat in self.election.order if seat in members], draw)
            if is_accepted(pool, self.tally, rules.error_ppm):
                return True
        return False

    def _vote(self, seats: list[int], draw: int) -> None:
        yoda = self.stage.yoda
        self._move(JOBS, yoda.advance, JOB)
        digests = {seat: DIGESTS[self.election.choices[draw][seat]] for seat in seats}
        for seat, digest in digests.items():
            commitment = self._ballot(seat).commitment(digest, KEY, SALT)
            self._move(seat, yoda.commit, JOB, seat, commitment)
        for seat, digest in reversed(digests.items()):
            self._move(seat, yoda.reveal, JOB, digest, KEY, SALT)
            self.tally[digest] += 1
            if self.tally[digest] > max([self.tally[d] for d in self.leaders[-1:]], default=0):
                self.leaders.append(digest)
            self.cast.append((seat, self.mini_round, digest))
        self._move(JOBS, yoda.advance, JOB)

    def _seed(self) -> bytes:
        """What `InstantRandomness` gives for the mini-round."""
        purpose = keccak(encode(["uint256"] * 3, [JOB, ROUND, self.mini_round]))
        return keccak(purpose)

    def _ballot(self, seat: int) -> Ballot:
        chain_id = ape.networks.provider.chain_id
        node = self.stage.crowd.actors[seat]
        return Ballot(chain_id, self.stage.yoda.address, node, JOB, ROUND, self.mini_round)

    def _move(self, actor: int, method: Any, *args: Any) -> None:
        self.moves.append(self.stage.crowd.move(actor, method, *args))


def questions(stage: Stage, model: Model) -> Iterator[Move]:
    yoda, crowd = stage.yoda, stage.crowd
    yield crowd.move(JOBS, yoda.pollOf, JOB)
    yield crowd.move(JOBS, yoda.verdictOf, JOB, ROUND)
    for seat, mini_round, _ in model.cast:
        args = (JOB, ROUND, mini_round, crowd.actors[seat], KEY)
        yield crowd.move(JOBS, yoda.wasRight, *args)


@settings(max_examples=40)
@given(election=elections())
def test_a_vote_ends_as_the_model_says(stage: Stage, election: Election) -> None:
    """Everybody votes; the whole vote is one call, in which any wrong forecast reverts."""
    model = Model(stage, election)
    model.play()
    asked = list(questions(stage, model))
    answers = stage.crowd.imagine([*model.moves, *asked])[-len(asked) :]
    poll = Poll.from_abi(decode([POLL], answers[0])[0])
    verdict = Verdict(*decode([VERDICT], answers[1])[0])
    right = [bool(int.from_bytes(each, "big")) for each in answers[2:]]

    first, second, *_ = [*sorted(model.tally.values(), reverse=True), 0, 0]
    assert (poll.phase, poll.mini_round) == (model.phase, model.mini_round)
    assert poll.votes == len(model.cast)
    assert (poll.leader_votes, poll.runner_up_votes) == (first, second)
    assert poll.leader == model.leaders[-1]
    if model.phase is Phase.UNDECIDED:
        assert verdict == Verdict(bytes(32), 0, 0, 0)
        assert not any(right)
        return
    assert verdict == Verdict(poll.leader, model.first, model.mini_round, first)
    assert right == [digest == poll.leader for _, _, digest in model.cast]


@settings(max_examples=6)
@given(data=st.data())
def test_silent_nodes_are_no_evidence(staffed: Market, people: People, data: Any) -> None:
    """On the wired market, where windows must pass for those who keep silent."""
    pool = Pool(12, 3000)
    with rewound():
        play = win(staffed, people, rules=RULES._replace(base=1, commit_blocks=5, reveal_blocks=5))
        play.start()
        play.collect()
        choices = st.sampled_from([None, DIGESTS[0], DIGESTS[0], DIGESTS[0], DIGESTS[1]])
        counts: Counter[bytes] = Counter()
        draw = 1

        def choose(seat: int) -> bytes | None:
            digest = data.draw(choices, label=f"seat {seat}")
            counts[digest] += digest is not None
            return digest

        while play.poll.phase is Phase.SEEDING:
            if play.poll.draw != draw:
                draw, counts = 2, Counter()
            found = tally(play.mini_round(choose), staffed.yoda)
            said = {digest: count for digest, count in counts.items() if count}
            assert found.votes == sum(said.values())
            assert found.accepted == is_accepted(pool, said, RULES.error_ppm)
        decided = play.poll.phase is Phase.ACCEPTED
        assert decided == found.accepted
        assert bool(play.verdict(1).right_votes) == decided
