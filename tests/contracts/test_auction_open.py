"""Open auctions: ascending bids, extension, and the money of those who are outbid."""

from __future__ import annotations

import pytest
from eth_account import Account

from d2m.protocol.types import Terms
from tests.support.bidding import FIRST_PRICE, SECOND_PRICE, Bidding
from tests.support.crowd import Crowd
from tests.support.evm import balance, event, look, mine_past, refusal, rpc, send, simulate
from tests.support.play import PRICE, TERMS, Market, People

WIDE = TERMS._replace(window_blocks=40)


@pytest.fixture(scope="module")
def bidding(staffed: Market, people: People) -> Bidding:
    """An auction that stands open, with no bid so far."""
    return Bidding.open(staffed, people, WIDE)


# Bids


def test_bids_ascend(bidding: Bidding) -> None:
    market, (x, y, z) = bidding.market, bidding.people.buyers
    house, escrow = market.auction_house, market.escrow
    assert look(house.minimumBid, bidding.auction_id) == WIDE.reserve
    for bidder, enough in [(x, WIDE.reserve), (y, 1050), (z, 1102)]:
        refused = bidding.bid_is_refused(house.BidTooLow, bidder, enough - 1)
        assert refused == {"minimum": enough}
        assert look(house.minimumBid, bidding.auction_id) == enough
        receipt = bidding.bid(bidder, enough)
        assert event(receipt, house.BidPlaced) == {
            "auctionId": bidding.auction_id,
            "bidder": bidder,
            "amount": enough,
            "closeBlock": bidding.auction.close_block,
        }
        assert event(receipt, escrow.Deposited) == {
            "auctionId": bidding.auction_id,
            "token": WIDE.token,
            "payer": bidder,
            "amount": enough,
        }
    assert (bidding.auction.leader, bidding.auction.highest_bid) == (z, 1102)
    assert bidding.purse == 1102
    assert (balance(escrow), balance(house)) == (1000 + 1050 + 1102, 0)


def test_an_increment_is_at_least_one_unit(staffed: Market, people: People) -> None:
    """Also where a share of the highest bid rounds down to nothing."""
    for terms in (WIDE._replace(increment_bps=0), WIDE._replace(increment_bps=9999)):
        bidding = Bidding.open(staffed, people, terms._replace(reserve=1))
        bidding.bid(people.buyers[0], 1)
        bidding.bid_is_refused(staffed.auction_house.BidTooLow, people.buyers[1], 1)
        bidding.bid(people.buyers[1], 2)


@pytest.mark.parametrize("sent", [0, WIDE.reserve - 1, WIDE.reserve + 1])
def test_a_bid_sends_what_it_says(bidding: Bidding, sent: int) -> None:
    house, escrow = bidding.market.auction_house, bidding.market.escrow
    bid = (house.bid, bidding.auction_id, WIDE.reserve)
    refused = refusal(escrow.WrongValue, *bid, sender=bidding.people.buyers[0], value=sent)
    assert refused == {"required": WIDE.reserve}


def test_a_bid_fits_128_bits(bidding: Bidding) -> None:
    """No amount wraps around to a smaller one. Tokens show it in true transactions."""
    house, escrow, rich = (
        bidding.market.auction_house,
        bidding.market.escrow,
        bidding.people.buyers[0],
    )
    rpc("anvil_setBalance", rich.address, hex(2**200))
    for amount in (2**128, 2**128 + WIDE.reserve):
        assert bidding.bid_is_refused(escrow.TooLarge, rich, amount) == {"amount": amount}
    most = 2**128 - 1
    simulate(house.bid, bidding.auction_id, most, sender=rich, value=most)


def test_open_auctions_take_no_sealed_bids(bidding: Bidding) -> None:
    house, buyer = bidding.market.auction_house, bidding.people.buyers[0]
    bidding.seal_is_refused(house.NotOpen, buyer)
    bidding.bid(buyer, PRICE)
    bidding.end_bids()
    bidding.reveal_is_refused(house.NotRevealing, buyer, PRICE)


@pytest.mark.parametrize("terms", [FIRST_PRICE, SECOND_PRICE])
def test_sealed_auctions_take_no_open_bids(staffed: Market, people: People, terms: Terms) -> None:
    bidding = Bidding.open(staffed, people, terms)
    bidding.bid_is_refused(staffed.auction_house.NotOpen, people.buyers[0], PRICE)


# Who is outbid


def test_who_is_outbid_withdraws_at_once(bidding: Bidding) -> None:
    (x, y, _), escrow = bidding.people.buyers, bidding.market.escrow
    bidding.bid(x, 1000)
    assert bidding.credit(x) == 0
    receipt = bidding.bid(y, 2000)
    expected = {"token": WIDE.token, "account": x, "amount": 1000}
    assert event(receipt, escrow.Credited) == expected
    elsewhere = Account.create().address
    send(escrow.withdraw, WIDE.token, elsewhere, sender=x)
    assert (balance(elsewhere), balance(escrow), bidding.purse) == (1000, 2000, 2000)


def test_who_outbids_itself_gets_the_lower_bid_back(bidding: Bidding) -> None:
    x = bidding.people.buyers[0]
    for amount in (1000, 2000, 3000):
        bidding.bid(x, amount)
    assert (bidding.credit(x), bidding.purse) == (1000 + 2000, 3000)


def test_a_bidder_that_takes_no_ether_blocks_nobody(bidding: Bidding) -> None:
    house, crowd = bidding.market.auction_house, Crowd.hire(1, bidding.people.deployer)
    (hostile,) = crowd.actors
    crowd.play([crowd.move(0, house.bid, bidding.auction_id, 1000, value=1000)])
    assert bidding.auction.leader == hostile
    bidding.bid(bidding.people.buyers[0], 2000)
    assert (bidding.auction.leader, bidding.credit(hostile)) == (bidding.people.buyers[0], 1000)


# Windows


def test_bids_are_taken_up_to_the_closing_block(staffed: Market, people: People) -> None:
    house, bidding = staffed.auction_house, Bidding.open(staffed, people, TERMS)
    close_block = bidding.auction.close_block
    assert close_block == bidding.opened.block + TERMS.window_blocks
    args = (house.bid, bidding.auction_id, PRICE)
    late = {"sender": people.buyers[0], "value": PRICE, "at": close_block + 1}
    refusal(house.NotOpen, *args, **late)
    mine_past(close_block - 1)
    assert bidding.bid(people.buyers[0], 1000).block == close_block
    bidding.end_bids()
    bidding.bid_is_refused(house.NotOpen, people.buyers[0], PRICE)
    bidding.close()
    bidding.bid_is_refused(house.NotOpen, people.buyers[0], PRICE)


@pytest.mark.parametrize(("before", "later"), [(6, 0), (5, 0), (4, 1), (0, 5)])
def test_a_late_bid_leaves_five_blocks_for_another(
    staffed: Market, people: People, before: int, later: int
) -> None:
    """`before` the closing block, a bid moves it by `later`."""
    house = staffed.auction_house
    assert look(house.EXTENSION_BLOCKS) == 5
    bidding = Bidding.open(staffed, people, WIDE)
    close_block = bidding.auction.close_block
    mine_past(close_block - before - 1)
    receipt = bidding.bid(people.buyers[0], 1000)
    assert receipt.block == close_block - before
    assert bidding.auction.close_block == close_block + later
    assert event(receipt, house.BidPlaced)["closeBlock"] == close_block + later


def test_extensions_end(staffed: Market, people: People) -> None:
    house = staffed.auction_house
    bidding = Bidding.open(staffed, people, TERMS._replace(increment_bps=0))
    latest = bidding.opened.block + TERMS.window_blocks + look(house.MAX_EXTENSION_BLOCKS)
    assert bidding.auction.latest_block == latest
    amount = 1000
    while (close_block := bidding.auction.close_block) < latest:
        mine_past(close_block - 1)
        bidding.bid(people.buyers[amount % 2], amount)
        amount += 1
    assert close_block == latest
    mine_past(latest - 1)
    assert bidding.bid(people.buyers[0], amount).block == latest
    assert bidding.auction.close_block == latest
    bidding.bid_is_refused(house.NotOpen, people.buyers[1], PRICE)
    bidding.close()


def test_what_is_bid_in_the_open_has_nothing_to_reclaim(staffed: Market, people: People) -> None:
    house, bidding = staffed.auction_house, Bidding.open(staffed, people, TERMS)
    bidding.bid(people.buyers[0], 1000)
    bidding.end_bids()
    refused = bidding.reclaim_is_refused(house.StillOpen, people.buyers[0])
    assert refused == {"closeBlock": bidding.auction.latest_block}
    bidding.close()
    for bidder in (people.buyers[0], people.stranger):
        bidding.reclaim_is_refused(house.NoSealedBid, bidder)
    assert bidding.sealed(people.buyers[0]) == (bytes(32), 0, 0, False)
