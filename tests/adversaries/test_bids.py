"""Bids that are not meant, and bidders that are more than one."""

from __future__ import annotations

import pytest

from d2m.protocol.constants import BPS, CONE_BPS
from d2m.protocol.types import Terms
from tests.adversaries.moves import pay_out
from tests.support.bidding import (
    DEPOSIT,
    FIRST_PRICE,
    FORFEIT,
    SECOND_PRICE,
    TIER,
    Bidding,
)
from tests.support.play import TERMS, Market, People, Play
from tests.support.wealth import Ledger

KINDS = pytest.mark.parametrize("terms", [FIRST_PRICE, SECOND_PRICE], ids=["first", "second"])
HONEST_BID = 8000
LOW, HIGH = 9000, 16_000
"""Of one party under two names: above the honest bid, and as much as it would pay."""
SHILL = 20_000


@KINDS
def test_a_bid_that_is_never_revealed_costs_a_fifth_of_its_deposit(
    staffed: Market, people: People, terms: Terms
) -> None:
    """Somebody seals a large bid to deter others and does not reveal it: a fifth of its deposit is
    gone, to those who work for the job, and the honest bidder pays what it would have paid."""
    bidding = Bidding.open(staffed, people, terms)
    faker, honest = people.buyers[:2]
    ledger = Ledger.open(staffed, [faker, honest])
    bidding.seal(faker, DEPOSIT)
    bidding.seal(honest, HONEST_BID)
    bidding.end_bids()
    bidding.reveal(honest, HONEST_BID)
    bidding.end()
    winner, price, forfeits = bidding.won(bidding.close())
    bidding.reclaim(faker)
    assert (winner, forfeits) == (honest.address, FORFEIT)
    assert price == (HONEST_BID if terms is FIRST_PRICE else terms.reserve)
    assert ledger.gain(faker) == -DEPOSIT // 5
    assert ledger.gain(honest) == -price


@KINDS
def test_a_large_deposit_for_a_small_bid_changes_no_price(
    staffed: Market, people: People, terms: Terms
) -> None:
    """Somebody deposits a great deal to look serious and reveals the reserve, which forfeits
    nothing: it gains nothing, and the honest bidder pays what it would have paid alone."""
    bidding = Bidding.open(staffed, people, terms)
    faker, honest = people.buyers[:2]
    ledger = Ledger.open(staffed, [faker, honest])
    bidding.seal(faker, terms.reserve, tier=TIER + 6)
    bidding.seal(honest, HONEST_BID)
    bidding.end_bids()
    for bidder, amount in ((honest, HONEST_BID), (faker, terms.reserve)):
        bidding.reveal(bidder, amount)
    _, price, forfeits = bidding.won(bidding.close())
    assert (price, forfeits) == (HONEST_BID if terms is FIRST_PRICE else terms.reserve, 0)
    assert ledger.gain(faker) == 0
    assert ledger.gain(honest) == -price


def outlay(staffed: Market, people: People, terms: Terms, own: dict[int, int]) -> int:
    """What a party pays in all that seals the bids `own` (by buyer) and reveals the lowest only."""
    bidding = Bidding.open(staffed, people, terms)
    honest = people.buyers[2]
    names = [people.buyers[i] for i in own]
    ledger = Ledger.open(staffed, names)
    for bidder, amount in zip(names, own.values(), strict=True):
        bidding.seal(bidder, amount)
    bidding.seal(honest, HONEST_BID)
    bidding.end_bids()
    bidding.reveal(honest, HONEST_BID)
    lowest = min(own, key=lambda i: own[i])
    bidding.reveal(people.buyers[lowest], own[lowest])
    bidding.end()
    winner, *_ = bidding.won(bidding.close())
    assert winner == people.buyers[lowest].address
    for i in own:
        if i != lowest:
            bidding.reclaim(people.buyers[i])
    return -ledger.gain(*names)


@KINDS
def test_of_several_bids_the_best_alone_would_have_been_cheaper(
    staffed: Market, people: People, terms: Terms
) -> None:
    """One party seals a low and a high bid under two names and reveals the low one, which suffices:
    it pays a fifth of the other deposit more than with the low bid alone. In a second-price auction
    one high bid is cheaper still; in a first-price auction the hedge beats the high bid alone when
    the two are further apart than that fifth."""
    alone = outlay(staffed, people, terms, {0: LOW})
    hedged = outlay(staffed, people, terms, {0: LOW, 1: HIGH})
    high = outlay(staffed, people, terms, {1: HIGH})
    assert hedged == alone + FORFEIT
    assert high == (HIGH if terms is FIRST_PRICE else HONEST_BID)
    assert (hedged < high) == (terms is FIRST_PRICE and FORFEIT < HIGH - LOW)


@pytest.mark.parametrize("terms", [TERMS, SECOND_PRICE], ids=["open", "second"])
def test_a_shill_that_is_not_outbid_buys_its_own_job_at_a_loss(
    staffed: Market, people: People, terms: Terms
) -> None:
    """All sellers together bid above an honest buyer to drive its price up; it does not follow, so
    they pay for a job that they are paid for themselves: the CONE nodes' 30 % are lost to them."""
    bidding = Bidding.open(staffed, people, terms)
    shill, honest = people.sellers[0], people.buyers[0]
    ledger = Ledger.open(staffed, [*people.sellers, honest])
    if terms is TERMS:
        bidding.bid(honest, HONEST_BID)
        bidding.bid(shill, SHILL)
    else:
        bidding.seal(honest, HONEST_BID)
        bidding.seal(shill, SHILL, tier=TIER + 1)
        bidding.end_bids()
        bidding.reveal(honest, HONEST_BID)
        bidding.reveal(shill, SHILL)
    bidding.end()
    winner, price, _ = bidding.won(bidding.close())
    assert (winner, price) == (shill.address, SHILL if terms is TERMS else HONEST_BID)
    play = Play(staffed, people, bidding.auction.job_id)
    play.settle()
    pay_out(play)
    assert ledger.gain(*people.sellers) == -price * CONE_BPS // BPS
    assert ledger.gain(honest) == 0
