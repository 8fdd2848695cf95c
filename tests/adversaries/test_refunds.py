"""Parties that take no refund, or make it dear, to hold others up."""

from __future__ import annotations

from typing import Any

import pytest

from d2m.protocol.types import ETHER, AuctionState, JobState, tag_of
from tests.support.bidding import FIRST_PRICE, SALT, Bidding, sealed_commitment
from tests.support.evm import act, deploy, helper, look, send
from tests.support.play import (
    RULES,
    TERMS,
    Market,
    People,
    Play,
    request,
)
from tests.support.wealth import Ledger

BID = 10_000
HOSTILE = pytest.mark.parametrize("kind", ["Actor", "GasBurner"])
"""One takes no ether, the other burns all gas when it is paid."""


def hostile(people: People, kind: str) -> Any:
    return deploy(helper(kind), sender=people.deployer)


@HOSTILE
def test_a_hostile_bidder_cannot_keep_others_from_outbidding_it(
    staffed: Market, people: People, kind: str
) -> None:
    """A bidder refuses its refund, or burns the gas of whoever pays it, to stay the highest: the
    next bid costs what any bid costs, and its own money waits for it."""
    attacker, house = hostile(people, kind), staffed.auction_house
    bidding, usual = (Bidding.open(staffed, people, TERMS) for _ in range(2))
    act(attacker, house.bid, bidding.auction_id, BID, sender=people.deployer, value=BID)
    usual.bid(people.buyers[1], BID)
    normal = usual.bid(people.buyers[0], 2 * BID)
    outbid = bidding.bid(people.buyers[0], 2 * BID)
    assert outbid.gas <= normal.gas + 25_000  # a first credit writes a fresh word
    assert bidding.auction.leader == people.buyers[0].address
    assert bidding.credit(attacker.address) == BID
    bidding.end()
    bidding.won(bidding.close())


@HOSTILE
def test_a_hostile_winner_has_its_job_and_nobody_else_is_held_up(
    staffed: Market, people: People, kind: str
) -> None:
    """The winner of a sealed auction refuses the part of its deposit that it gets back: the auction
    closes, the job runs and is paid out, and only its own refund stays where it is."""
    attacker, house = hostile(people, kind), staffed.auction_house
    bidding = Bidding.open(staffed, people, FIRST_PRICE, request(RULES))
    commitment = sealed_commitment(staffed, attacker.address, bidding.auction_id, BID)
    deposit = TERMS.reserve << 4
    args = (bidding.auction_id, commitment, 4)
    act(attacker, house.sealBid, *args, sender=people.deployer, value=deposit)
    bidding.end_bids()
    act(attacker, house.revealBid, bidding.auction_id, BID, SALT, sender=people.deployer)
    assert bidding.won(bidding.close())[:2] == (attacker.address, BID)
    play = Play(staffed, people, bidding.auction.job_id)
    play.settle()
    assert play.job.state is JobState.SETTLED
    for seat in play.voters():
        play.claim_cone(seat)
    assert bidding.credit(attacker.address) == deposit - BID


@HOSTILE
def test_a_hostile_opener_cannot_keep_an_auction_from_ending(
    staffed: Market, people: People, kind: str
) -> None:
    """An opener that takes no ether opens an auction in which nobody reveals, so that the forfeits
    are due to it: the auction ends, and bidders get what they did not forfeit."""
    attacker, house = hostile(people, kind), staffed.auction_house
    wanted = request(tag=tag_of("nobody offers this"))
    act(attacker, house.open, wanted, FIRST_PRICE, sender=people.deployer)
    auction_id = look(house.auctionCount)
    bidder = people.buyers[0]
    ledger = Ledger.open(staffed, [bidder])
    deposit = TERMS.reserve << 4
    commitment = sealed_commitment(staffed, bidder, auction_id, BID)
    send(house.sealBid, auction_id, commitment, 4, sender=bidder, value=deposit)
    bidding = Bidding(staffed, people, auction_id, wanted, FIRST_PRICE, None)
    bidding.end()
    bidding.close()
    assert bidding.auction.state is AuctionState.VOID
    bidding.reclaim(bidder)
    assert ledger.gain(bidder) == -deposit // 5
    assert bidding.credit(attacker.address) == deposit // 5


def test_burning_gas_while_being_paid_burns_ones_own(staffed: Market, people: People) -> None:
    """A party burns all the gas of its own payment: the payment is undone and the credit stands; no
    transaction of another party ever pays it."""
    attacker = hostile(people, "GasBurner")
    house = staffed.auction_house
    bidding = Bidding.open(staffed, people, TERMS)
    act(attacker, house.bid, bidding.auction_id, BID, sender=people.deployer, value=BID)
    bidding.bid(people.buyers[0], 2 * BID)
    withdraw = (staffed.escrow.withdraw, ETHER, attacker.address)
    with pytest.raises(AssertionError, match="reverted"):
        act(attacker, *withdraw, sender=people.deployer)
    assert bidding.credit(attacker.address) == BID
    act(attacker, staffed.escrow.withdraw, ETHER, people.stranger.address, sender=people.deployer)
    assert bidding.credit(attacker.address) == 0
