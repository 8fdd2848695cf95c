"""The end of a job: paid once, by the job's own numbers, to the wei."""

from __future__ import annotations

from itertools import permutations

import pytest

from d2m.learning.earnings import contribution_proof
from d2m.protocol.types import ETHER, JobState, Pots
from tests.adversaries.moves import pay_out
from tests.support.bidding import Bidding
from tests.support.evm import balance, look, refusal, rewound, send
from tests.support.payments import EARNERS, claim_seller_is_refused, withdraw_everything
from tests.support.play import (
    BOND,
    CID,
    CONTRIBUTIONS,
    KEY,
    RULES,
    STAKE,
    TAG,
    TERMS,
    Market,
    People,
    Play,
    request,
    win,
)
from tests.support.refusals import advance_is_refused, open_is_refused
from tests.support.wealth import Ledger

ANOTHER_TAG = TAG[::-1]
AWKWARD = (1, 2, 7, 9_999, 10_001, 10**18 + 1)
"""Prices in wei that neither rounds nor votes nor shares divide."""


def test_a_job_is_settled_and_paid_once(collecting: Play) -> None:
    """Everybody moves, opens, closes and claims a second time: nothing is paid twice, and the job's
    money is out of the escrow to the wei when all have withdrawn."""
    play, market = collecting, collecting.market
    play.round(metric_numerator=99)
    pay_out(play)
    paid = {each: credit(play, each) for each in (*play.people.sellers, *play.people.nodes)}
    assert play.job.state is JobState.SETTLED
    advance_is_refused(play, market.jobs.WrongState)
    open_is_refused(play, market.jobs.WrongState)
    again = (market.auction_house.close, 1, request())
    refusal(market.auction_house.NotOpen, *again, sender=play.people.stranger)
    for index in EARNERS:
        share, proof = contribution_proof(CONTRIBUTIONS, index)
        claim_seller_is_refused(play, market.escrow.AlreadyPaid, share, proof)
    for seat in play.voters():
        args = (play.job_id, seat, play.right_votes(seat))
        stranger = play.people.stranger
        refusal(market.escrow.AlreadyPaid, market.escrow.claimCone, *args, sender=stranger)
    assert {each: credit(play, each) for each in paid} == paid
    price = play.pots.price
    assert withdraw_everything(play) == price
    assert balance(market.escrow) == 0


def credit(play: Play, account: object) -> int:
    return int(look(play.market.escrow.credit, ETHER, account))


def settled(market: Market, people: People, disturbed: bool) -> tuple[Pots, list[int]]:
    """The pots of a job and what everybody gained by it."""
    play = win(market, people, rules=RULES._replace(update_blocks=100))
    play.start()
    ledger = Ledger.open(market, [*people.sellers, *people.nodes])
    if disturbed:
        change_everything(market, people)
    play.round()
    play.round(metric_numerator=99)
    pay_out(play)
    return play.pots, [ledger.gain(each) for each in (*people.sellers, *people.nodes)]


def change_everything(market: Market, people: People) -> None:
    """All that a settlement could wrongly read as it is today."""
    late, other = people.buyers[1:3]
    send(market.registry.offer, [TAG], CID, KEY, sender=late, value=BOND)
    send(market.pool.join, KEY, sender=late, value=STAKE)
    for offer_id, seller in enumerate(people.sellers[:4], start=1):
        send(market.registry.update, offer_id, [ANOTHER_TAG], CID, KEY, sender=seller)
    for node in people.nodes[:4]:
        send(market.pool.leave, sender=node)
    rules = RULES._replace(rounds=7, byzantine_bps=4000, base=1, target_bps=1)
    bidding = Bidding.open(market, people, TERMS, request(rules, ANOTHER_TAG))
    bidding.bid(other, 7777)
    bidding.end_bids()
    bidding.won(bidding.close())


def test_settlement_uses_the_numbers_that_the_job_froze(staffed: Market, people: People) -> None:
    """Parties join, leave and change their offers, and another job with other rules is made, while
    a job runs: everybody gets to the wei what it would have got."""
    with rewound():
        expected = settled(staffed, people, disturbed=False)
    assert settled(staffed, people, disturbed=True) == expected


@pytest.mark.parametrize(
    ("price", "order"),
    zip(AWKWARD, permutations(("cone", "sellers", "buyer")), strict=True),
)
def test_no_dust_is_left_and_none_is_made(
    staffed: Market, people: People, price: int, order: tuple[str, ...]
) -> None:
    """Claims of an awkward price come in any order, to be rounded up for the early or to leave
    something to the late: together they are the price, to the wei, and the escrow ends empty."""
    play = win(staffed, people, price=price)
    play.start()
    play.round()
    play.collect()
    while play.job.state is JobState.DECIDING:
        play.begin_mini_round()
        play.advance_in_silence()
    assert play.job.state is JobState.FAILED
    buyer = people.buyers[0]
    claims = {
        "cone": lambda: [play.claim_cone(seat) for seat in play.voters()],
        "sellers": lambda: [play.claim_seller(index) for index in EARNERS],
        "buyer": lambda: send(staffed.escrow.withdraw, ETHER, buyer, sender=buyer),
    }
    refund = price - play.pots.cone_pot - play.pots.seller_pot
    assert refund >= price * 2 // 3
    for claimant in order:
        claims[claimant]()
    assert refund + withdraw_everything(play) == price
    assert balance(staffed.escrow) == 0
    assert play.pots.seller_paid == play.pots.seller_pot
    assert play.pots.paid_votes == play.pots.right_votes


def test_a_proof_is_checked(collecting: Play) -> None:
    """A seller claims another's share, a larger one of its own, or shows no proof: each is refused,
    and the right claim pays afterwards."""
    play, escrow = collecting, collecting.market.escrow
    play.round(metric_numerator=99)
    mine, proof = contribution_proof(CONTRIBUTIONS, EARNERS[0])
    other, others_proof = contribution_proof(CONTRIBUTIONS, EARNERS[1])
    for share, shown in [
        (mine, others_proof),
        (mine, []),
        (mine._replace(end=mine.end + 1), proof),
        (mine._replace(seller=1), proof),
        (other._replace(seller=mine.seller), others_proof),
    ]:
        claim_seller_is_refused(play, escrow.BadProof, share, shown)
    play.claim_seller(mine.seller)
    assert credit(play, play.seller(mine.seller)) == play.pots.seller_pot * mine.end // 10**18
