"""Inputs shown to accomplices only: honest nodes cannot compute the round and keep silent.

A buyer can withhold the evaluation set, a sampled seller its update. Nobody can prove it.
"""

from __future__ import annotations

from collections.abc import Collection

import pytest
from eth_utils.crypto import keccak

from d2m.protocol.types import ETHER, Conduct, FailureReason, JobState, Node, Phase
from tests.support.evm import look
from tests.support.play import PRICE, RULES, STAKE, Market, People, Play, win

LIE = keccak(b"lie")
SEATS = 12
TOLERATED = 3
"""A quarter of the pool: whoever tolerates it must not be deceived by it."""
EVERYBODY_AT_ONCE = RULES._replace(
    base=SEATS - 1, byzantine_bps=2500, error_ppm=100_000, judge_blocks=5
)
"""The least that a hostile buyer may ask of the vote: one error in ten, the whole pool at once."""


def vote_alone(play: Play, liars: Collection[int], honest: Collection[int]) -> None:
    """Both draws: `liars` vote for their own digest, the honest who saw the inputs for the true."""
    play.start()
    play.collect()
    true = play.result().digest

    def choose(seat: int) -> bytes | None:
        if seat in liars:
            return LIE
        return true if seat in honest else None

    while play.poll.phase is Phase.SEEDING:
        play.mini_round(choose)


def stakes(market: Market, people: People) -> list[int]:
    return [Node(*look(market.pool.nodeOf, node.address)).stake for node in people.nodes]


@pytest.mark.parametrize("victims", [0, 1])
def test_few_who_alone_hold_the_inputs_decide_nothing(
    staffed: Market, people: People, victims: int
) -> None:
    """Colluders keep the inputs from all honest nodes, or from all but one whose stake they want,
    and outvote who votes: nothing is accepted, the buyer is refunded and every stake stays."""
    play = win(staffed, people, rules=EVERYBODY_AT_ONCE)
    vote_alone(play, range(TOLERATED), range(TOLERATED, TOLERATED + victims))
    assert play.poll.phase is Phase.UNDECIDED
    assert (play.job.state, play.job.failure) == (JobState.FAILED, FailureReason.UNDECIDED)
    assert play.offences() == []
    assert stakes(staffed, people) == [STAKE] * SEATS
    assert look(staffed.escrow.credit, ETHER, people.buyers[0].address) == PRICE


def test_a_buyer_that_shows_nobody_the_inputs_costs_nodes_nothing(
    staffed: Market, people: People
) -> None:
    """A buyer withholds the inputs from everybody to have all nodes slashed for silence: nothing is
    accepted, nobody can be slashed, and the buyer has its money back, less gas."""
    play = win(staffed, people)
    vote_alone(play, (), ())
    assert play.job.failure is FailureReason.UNDECIDED
    assert play.conduct(1, 1, 0) is Conduct.UNJUDGED
    assert stakes(staffed, people) == [STAKE] * SEATS
    assert look(staffed.escrow.credit, ETHER, people.buyers[0].address) == PRICE


def test_as_many_silent_as_are_tolerated_hold_up_nothing(staffed: Market, people: People) -> None:
    """Liars keep silent so that the honest are too few to be believed: the round is decided in the
    first draw all the same, and each of the silent can be slashed once for every time asked."""
    play = win(staffed, people)
    play.start()
    play.collect()
    true, silent = play.result(metric_numerator=99), range(TOLERATED)
    while play.poll.phase is Phase.SEEDING:
        play.mini_round(lambda seat: None if seat in silent else true.digest)
    assert (play.poll.phase, play.poll.first_mini_round) == (Phase.ACCEPTED, 1)
    play.open(true)
    offences = play.offences()
    assert {each.seat for each in offences} <= set(silent)
    if offences:
        play.slash(*offences)
        penalty = look(staffed.pool.penaltyOf, Conduct.SILENT)
        assert play.pots.slash_pot == len(offences) * penalty
    assert play.job.state in (JobState.JUDGING, JobState.SETTLED)
