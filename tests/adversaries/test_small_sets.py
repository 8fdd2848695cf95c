"""Colluders that happen to hold most of one execution set, and know it before they commit."""

from __future__ import annotations

from d2m.protocol.types import Conduct
from tests.adversaries.moves import LIE, MADE_UP, all_true, cast, decide_honestly, pay_out
from tests.support.evm import rewound
from tests.support.play import STAKE, Play, Vote
from tests.support.wealth import Ledger

DEARER_REVEAL = 100_000
"""Gas: four fresh words of storage and their hashes, with room."""


def test_an_audit_agreed_by_the_majority_of_a_set_costs_the_majority(deciding: Play) -> None:
    """Four of a set of five vote for the true digest with one made-up audit, to make the fifth the
    odd one out and share its stake: they lose a quarter each, and the fifth gets all of it."""
    play = deciding
    true = play.result(metric_numerator=99)
    play.begin_mini_round()
    honest, *colluders = play.seats_asked()
    nodes = [play.node(seat) for seat in colluders]
    ledger = Ledger.open(play.market, [*nodes, play.node(honest)])
    agreed = Vote(true.digest, MADE_UP)
    cast(play, {**dict.fromkeys(colluders, agreed), honest: play.vote_for(true.digest)})
    play.open(true)
    assert play.conduct(1, 1, honest) is Conduct.RIGHT
    assert {play.conduct(1, 1, seat) for seat in colluders} == {Conduct.WRONG_AUDIT}
    pay_out(play)
    taken = STAKE // 4 * len(colluders)
    assert ledger.gain(*nodes) == -taken
    assert ledger.gain(play.node(honest)) == taken + play.pots.cone_pot


def test_a_digest_agreed_by_the_majority_of_a_set_loses_half_their_stake(deciding: Play) -> None:
    """As many as the job tolerates, three of a set of five, vote for one wrong digest: it is not
    accepted on five votes, the next set decides against it, and they lose half their stake each."""
    play = deciding
    true = play.result(metric_numerator=99)
    play.begin_mini_round()
    asked = play.seats_asked()
    liars, nodes = asked[:3], [play.node(seat) for seat in asked[:3]]
    ledger = Ledger.open(play.market, nodes)
    votes = all_true(play, true) | dict.fromkeys(liars, play.vote_for(LIE))
    cast(play, votes)
    decide_honestly(play, true)
    play.open(true)
    assert {play.conduct(1, 1, seat) for seat in liars} == {Conduct.LOST_RESULT}
    pay_out(play)
    assert ledger.gain(*nodes) == -STAKE // 2 * len(liars)


def reveal_gas(play: Play, true: bytes, lies: bool) -> int:
    """Gas of the last honest reveal in a set of five whose first to reveal lies, or does not."""
    play.begin_mini_round()
    first, *others = play.seats_asked()
    votes = dict.fromkeys((first, *others), play.vote_for(true))
    if lies:
        votes[first] = Vote(LIE, MADE_UP)
    for seat, vote in votes.items():
        play.commit(seat, vote)
    return [play.reveal(seat, vote).gas for seat, vote in votes.items()][-1]


def test_a_liar_that_reveals_first_costs_the_honest_gas_and_nothing_else(deciding: Play) -> None:
    """A liar reveals first in every mini-round, so that each honest vote is a stray to be written
    down by itself: the honest pay more gas, are paid alike, and the liar loses half its stake."""
    play = deciding
    true = play.result(metric_numerator=99)
    with rewound():
        usual = reveal_gas(play, true.digest, lies=False)
    with rewound():
        dearer = reveal_gas(play, true.digest, lies=True) - usual
    play.cast.clear()
    assert 0 < dearer < DEARER_REVEAL

    play.begin_mini_round()
    liar, *honest = play.seats_asked()
    nodes = [play.node(seat) for seat in honest]
    ledger = Ledger.open(play.market, [play.node(liar), *nodes])
    votes = {liar: Vote(LIE, MADE_UP), **dict.fromkeys(honest, play.vote_for(true.digest))}
    cast(play, votes)
    decide_honestly(play, true)
    play.open(true)
    pay_out(play)
    assert ledger.gain(play.node(liar)) == -STAKE // 2
    assert ledger.gain(*nodes) == STAKE // 2 + play.pots.cone_pot
