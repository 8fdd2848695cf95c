"""Sealed bids that are never revealed: what they lose, who gets it, and what they get back."""

from __future__ import annotations

import pytest

from d2m.protocol.types import AuctionState, Pots, Terms, tag_of
from tests.support.bidding import DEPOSIT, FIRST_PRICE, FORFEIT, SECOND_PRICE, TIER, Bidding
from tests.support.evm import NOBODY, balance, event, events, look, refusal, send
from tests.support.play import Market, People, request

KINDS = pytest.mark.parametrize("terms", [FIRST_PRICE, SECOND_PRICE], ids=["first", "second"])


def with_silent(bidding: Bidding, revealed: int) -> Bidding:
    """All three buyers seal a bid of 5000; the first `revealed` of them reveal it."""
    for buyer in bidding.people.buyers:
        bidding.seal(buyer, 5000)
    bidding.end_bids()
    for buyer in bidding.people.buyers[:revealed]:
        bidding.reveal(buyer, 5000)
    return bidding


@KINDS
def test_a_fifth_of_the_deposit_is_forfeited_into_the_price(
    staffed: Market, people: People, terms: Terms
) -> None:
    house, escrow = staffed.auction_house, staffed.escrow
    assert look(house.FORFEIT_BPS) == 2000
    bidding = with_silent(Bidding.open(staffed, people, terms), revealed=1)
    (winner, y, z), opener = people.buyers, people.stranger
    bidding.end()
    price = 5000 if terms is FIRST_PRICE else terms.reserve
    receipt = bidding.close()
    assert bidding.won(receipt) == (winner, price, 2 * FORFEIT)
    job_id, funded = bidding.auction.job_id, price + 2 * FORFEIT
    created = event(receipt, staffed.jobs.JobCreated)
    assert (created["jobId"], created["buyer"], created["price"]) == (job_id, winner, funded)
    expected = {"jobId": job_id, "token": terms.token, "price": funded}
    assert event(receipt, escrow.JobFunded) == expected
    assert Pots(*look(escrow.potsOf, job_id)).price == funded
    assert bidding.credit(winner) == DEPOSIT - price
    assert bidding.credit(opener) == 0
    assert bidding.purse == 2 * (DEPOSIT - FORFEIT)
    for bidder in (y, z):
        bidding.reclaim(bidder)
        assert bidding.credit(bidder) == DEPOSIT - FORFEIT
    assert bidding.purse == 0
    assert balance(escrow) == 3 * DEPOSIT


@KINDS
def test_where_nobody_reveals_the_opener_gets_the_forfeits(
    staffed: Market, people: People, terms: Terms
) -> None:
    house, bidding = staffed.auction_house, Bidding.open(staffed, people, terms)
    with_silent(bidding, revealed=0)
    bidding.end()
    receipt = bidding.close()
    expected = {"auctionId": bidding.auction_id, "leader": NOBODY, "forfeits": 3 * FORFEIT}
    assert event(receipt, house.AuctionVoid) == expected
    assert bidding.auction.state is AuctionState.VOID
    assert (bidding.credit(people.stranger), bidding.credit(NOBODY)) == (3 * FORFEIT, 0)
    for buyer in people.buyers:
        bidding.reclaim(buyer)
    assert [bidding.credit(buyer) for buyer in people.buyers] == [DEPOSIT - FORFEIT] * 3
    assert bidding.purse == 0


@KINDS
def test_where_no_seller_stands_ready_the_opener_gets_the_forfeits(
    staffed: Market, people: People, terms: Terms
) -> None:
    """And the leader its whole deposit."""
    house, wanted = staffed.auction_house, request(tag=tag_of("nobody has this"))
    bidding = with_silent(Bidding.open(staffed, people, terms, wanted), revealed=2)
    leader, loser, silent = people.buyers
    bidding.end()
    receipt = bidding.close()
    expected = {"auctionId": bidding.auction_id, "leader": leader, "forfeits": FORFEIT}
    assert event(receipt, house.AuctionVoid) == expected
    bidding.reclaim(silent)
    parties = (leader, loser, silent, people.stranger)
    assert [*map(bidding.credit, parties)] == [DEPOSIT, DEPOSIT, DEPOSIT - FORFEIT, FORFEIT]
    assert bidding.purse == 0


@KINDS
def test_anyone_reclaims_for_the_bidder_once(staffed: Market, people: People, terms: Terms) -> None:
    house, escrow = staffed.auction_house, staffed.escrow
    bidding = with_silent(Bidding.open(staffed, people, terms), revealed=1)
    winner, silent, other = people.buyers
    bidding.end()
    refused = bidding.reclaim_is_refused(house.StillOpen, silent)
    assert refused == {"closeBlock": bidding.auction.latest_block}
    bidding.close()
    receipt = bidding.reclaim(silent)
    expected = {"auctionId": bidding.auction_id, "bidder": silent, "forfeited": FORFEIT}
    assert event(receipt, house.BidForfeited) == expected
    assert event(receipt, escrow.Credited) == {
        "token": terms.token,
        "account": silent,
        "amount": DEPOSIT - FORFEIT,
    }
    assert bidding.sealed(silent).closed
    assert bidding.credit(people.stranger) == 0
    for nothing_owed in (silent, winner, people.stranger):
        bidding.reclaim_is_refused(house.NoSealedBid, nothing_owed)
    send(house.reclaim, bidding.auction_id, other, sender=other)


@KINDS
def test_an_auction_with_all_bids_revealed_ends_early(
    staffed: Market, people: People, terms: Terms
) -> None:
    house, bidding = staffed.auction_house, Bidding.open(staffed, people, terms)
    with_silent(bidding, revealed=2)
    latest = bidding.auction.latest_block
    assert bidding.close_is_refused(house.StillOpen) == {"closeBlock": latest}
    bidding.reveal(people.buyers[2], 5000)
    assert bidding.close().block < latest


@KINDS
def test_with_a_bid_unrevealed_it_ends_with_its_last_window(
    staffed: Market, people: People, terms: Terms
) -> None:
    house, bidding = staffed.auction_house, Bidding.open(staffed, people, terms)
    with_silent(bidding, revealed=2)
    latest = bidding.auction.latest_block
    close = (house.close, bidding.auction_id, bidding.wanted)
    refused = refusal(house.StillOpen, *close, sender=people.stranger, at=latest)
    assert refused == {"closeBlock": latest}
    bidding.end()
    assert bidding.close().block == latest + 1


@KINDS
def test_no_sealed_auction_ends_within_its_first_window(
    staffed: Market, people: People, terms: Terms
) -> None:
    """Not even one without bids, none of which are left to reveal."""
    house, bidding = staffed.auction_house, Bidding.open(staffed, people, terms)
    close_block = bidding.auction.close_block
    close = (house.close, bidding.auction_id, bidding.wanted)
    refused = refusal(house.StillOpen, *close, sender=people.stranger, at=close_block)
    assert refused == {"closeBlock": close_block}
    bidding.end_bids()
    receipt = bidding.close()
    assert receipt.block == close_block + 1
    expected = {"auctionId": bidding.auction_id, "leader": NOBODY, "forfeits": 0}
    assert event(receipt, house.AuctionVoid) == expected
    assert events(receipt, staffed.escrow.Credited) == []


@pytest.mark.parametrize("tier", [0, 1, TIER, 20])
def test_awkward_deposits_are_paid_out_to_the_unit(
    staffed: Market, people: People, tier: int
) -> None:
    """Deposits of 1, 2, 16 and 2^20 units: a fifth rounds down, and the bidder gets the rest."""
    bidding = Bidding.open(staffed, people, SECOND_PRICE._replace(reserve=1))
    winner, silent, _ = people.buyers
    bidding.seal(winner, 1, tier)
    bidding.seal(silent, 1, tier)
    bidding.end_bids()
    bidding.reveal(winner, 1)
    bidding.end()
    deposit = 2**tier
    assert bidding.won(bidding.close()) == (winner, 1, deposit // 5)
    bidding.reclaim(silent)
    assert bidding.credit(winner) == deposit - 1
    assert bidding.credit(silent) == deposit - deposit // 5
    assert bidding.purse == 0
