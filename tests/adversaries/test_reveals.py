"""Nodes that wait for the others' reveals, or never reveal."""

from __future__ import annotations

from eth_utils.crypto import keccak

from d2m.protocol.types import Conduct, JobState, Phase
from tests.adversaries.moves import LIE, all_true, cast, decide_honestly, pay_out
from tests.support.evm import look, refusal, rewound, send
from tests.support.play import STAKE, Play, tally
from tests.support.refusals import advance_is_refused
from tests.support.wealth import Ledger

SILENCE = STAKE // 50
"""2 % of the stake unit."""


def test_votes_that_are_never_revealed_sway_nothing(deciding: Play) -> None:
    """Three colluders commit to one lie and let the others believe in it, but reveal nothing: the
    tally holds revealed votes only, and each loses what silence costs."""
    play = deciding
    true = play.result(metric_numerator=99)
    play.begin_mini_round()
    asked = play.seats_asked()
    liars, nodes = asked[:3], [play.node(seat) for seat in asked[:3]]
    ledger = Ledger.open(play.market, nodes)
    votes = all_true(play, true) | dict.fromkeys(liars, play.vote_for(LIE))
    cast(play, votes, order=asked[3:])
    assert (play.poll.votes, play.poll.leader_votes, play.poll.runner_up_votes) == (2, 2, 0)
    assert bytes(look(play.market.yoda.leaderOf, play.job_id)) == true.digest
    decide_honestly(play, true)
    play.open(true)
    assert {play.conduct(1, 1, seat) for seat in liars} == {Conduct.SILENT}
    pay_out(play)
    assert ledger.gain(*nodes) == -3 * SILENCE


def payoff_of_the_last(play: Play, reveals: bool) -> tuple[int, bytes]:
    """Wei that the last to reveal gains, and what is accepted in the end.

    Four of the set of five have voted truly; the fifth vote makes the result certain at once.
    """
    true = play.result(metric_numerator=99)
    play.begin_mini_round()
    asked = play.seats_asked()
    last, liar = play.node(asked[-1]), asked[0]
    ledger = Ledger.open(play.market, [last])
    votes = all_true(play, true) | {liar: play.vote_for(LIE)}
    cast(play, votes, order=asked if reveals else asked[:-1])
    assert play.poll.phase is (Phase.ACCEPTED if reveals else Phase.SEEDING)
    decide_honestly(play, true)
    play.open(true)
    pay_out(play)
    return ledger.gain(last), play.verdict(1).digest


def test_the_last_to_reveal_can_delay_but_not_decide(deciding: Play) -> None:
    """The last of a set sees all other votes and withholds its own, which would have been decisive:
    the same digest is accepted one mini-round later, and it loses its pay and 2 % of its stake."""
    with rewound():
        honest, accepted = payoff_of_the_last(deciding, reveals=True)
    deciding.cast.clear()
    withheld, later = payoff_of_the_last(deciding, reveals=False)
    assert accepted == later
    assert withheld == -SILENCE < 0 < honest


def test_a_lie_withheld_when_it_is_outnumbered_still_costs(deciding: Play) -> None:
    """A liar commits to a lie, to reveal it only if it would lead; it does not, so it keeps silent,
    which is cheaper than the lie, and dearer than honesty."""
    play = deciding
    true = play.result(metric_numerator=99)
    play.begin_mini_round()
    asked = play.seats_asked()
    liar = asked[0]
    ledger = Ledger.open(play.market, [play.node(liar)])
    votes = all_true(play, true) | {liar: play.vote_for(LIE)}
    cast(play, votes, order=asked[1:])
    decide_honestly(play, true)
    play.open(true)
    pay_out(play)
    assert ledger.gain(play.node(liar)) == -SILENCE


def test_a_round_is_tallied_and_opened_once(opening: Play) -> None:
    """A node opens a round, or ends its last mini-round, a second time to have its votes counted
    twice: neither is possible, and the number of right votes stays."""
    play, jobs = opening, opening.market.jobs
    first = play.result()
    assert play.job.state is JobState.OPENING
    advance_is_refused(play, jobs.NotDue)
    play.open(first)
    right = play.job.right_votes
    stranger = play.people.stranger
    refusal(jobs.WrongState, jobs.open, play.job_id, first.abi_tuple, sender=stranger)
    play.collect()
    second = play.result()
    play.decide(second.digest)
    args = (play.job_id, first.abi_tuple)
    assert refusal(jobs.WrongDigest, jobs.open, *args, sender=stranger) == {
        "accepted": second.digest
    }
    assert play.job.right_votes == right


def test_a_vote_revealed_twice_counts_once(revealing: Play) -> None:
    """A node reveals its vote again to be counted twice: it is refused, and five votes are five."""
    play, yoda = revealing, revealing.market.yoda
    vote = play.vote_for(keccak(b"true"))
    asked = play.seats_asked()
    for seat in asked:
        play.reveal(seat, vote)
    args = (play.job_id, play.position(asked[0]), *vote)
    refusal(yoda.AlreadyRevealed, yoda.reveal, *args, sender=play.node(asked[0]))
    receipt = send(play.market.jobs.advance, play.job_id, sender=play.people.stranger)
    assert tally(receipt, yoda).votes == len(asked)
