"""How auctions close: the winner's job, or none."""

from __future__ import annotations

import pytest
from eth_account import Account

from d2m.protocol.types import AuctionState, Pots, Request, Terms, tag_of
from tests.support.bidding import FIRST_PRICE, SECOND_PRICE, Bidding
from tests.support.evm import NOBODY, balance, event, events, look, mine_past, refusal, send
from tests.support.play import (
    PRICE,
    RULES,
    TERMS,
    Market,
    People,
    join_nodes,
    register_sellers,
    request,
)

ALL_KINDS = pytest.mark.parametrize(
    "terms", [TERMS, FIRST_PRICE, SECOND_PRICE], ids=["open", "first", "second"]
)


def with_one_bid(market: Market, people: People, terms: Terms, wanted: Request) -> Bidding:
    """An auction in which a buyer has bid 5000, with nothing left to wait for."""
    bidding, buyer = Bidding.open(market, people, terms, wanted), people.buyers[0]
    if terms is TERMS:
        bidding.bid(buyer, 5000)
        bidding.end_bids()
        return bidding
    bidding.seal(buyer, 5000)
    bidding.end_bids()
    bidding.reveal(buyer, 5000)
    return bidding


def test_the_highest_bid_gets_the_job_and_its_money(staffed: Market, people: People) -> None:
    house, escrow, (x, y, _) = staffed.auction_house, staffed.escrow, people.buyers
    bidding = Bidding.open(staffed, people, TERMS)
    bidding.bid(x, 5000)
    bidding.bid(y, PRICE)
    close_block = bidding.auction.close_block
    close = (house.close, bidding.auction_id, request())
    refused = refusal(house.StillOpen, *close, sender=y, at=close_block)
    assert refused == {"closeBlock": close_block}
    mine_past(close_block)
    receipt = bidding.close()
    assert receipt.block == close_block + 1
    job_id = look(staffed.jobs.jobCount)
    assert event(receipt, house.AuctionWon) == {
        "auctionId": bidding.auction_id,
        "jobId": job_id,
        "winner": y,
        "price": PRICE,
        "forfeits": 0,
    }
    assert (bidding.auction.state, bidding.auction.job_id) == (AuctionState.WON, job_id)
    assert staffed.jobs.jobOf(job_id).buyer == y
    pots = Pots(*look(escrow.potsOf, job_id))
    assert (pots.token, pots.price, pots.settled) == (TERMS.token, PRICE, False)
    assert bidding.purse == 0
    assert (balance(house), balance(escrow), balance(staffed.jobs)) == (0, 5000 + PRICE, 0)
    assert (bidding.credit(x), bidding.credit(y)) == (5000, 0)


@ALL_KINDS
def test_an_auction_closes_once(staffed: Market, people: People, terms: Terms) -> None:
    house = staffed.auction_house
    bidding = with_one_bid(staffed, people, terms, request())
    bidding.close()
    bidding.close_is_refused(house.NotOpen)
    buyer = people.buyers[1]
    bidding.bid_is_refused(house.NotOpen, buyer, PRICE)
    bidding.seal_is_refused(house.NotOpen, buyer)
    bidding.reveal_is_refused(house.NotRevealing, buyer, PRICE)
    refusal(house.CannotCancel, house.cancel, bidding.auction_id, sender=people.stranger)


@ALL_KINDS
def test_only_the_request_of_the_opening_closes(
    staffed: Market, people: People, terms: Terms
) -> None:
    bidding = with_one_bid(staffed, people, terms, request())
    for other in (
        request(RULES._replace(target_bps=1)),
        request(tag=tag_of("other")),
        request()._replace(evaluation_hash=bytes(32)),
    ):
        bidding.close_is_refused(staffed.auction_house.WrongRequest, other)
    bidding.close()


def test_without_bids_there_is_no_job(staffed: Market, people: People) -> None:
    bidding = Bidding.open(staffed, people, TERMS)
    bidding.end_bids()
    receipt = bidding.close()
    expected = {"auctionId": bidding.auction_id, "leader": NOBODY, "forfeits": 0}
    assert event(receipt, staffed.auction_house.AuctionVoid) == expected
    assert events(receipt, staffed.escrow.Credited) == []
    assert bidding.auction.state is AuctionState.VOID
    assert look(staffed.jobs.jobCount) == 0


@ALL_KINDS
def test_without_sellers_the_money_goes_back(staffed: Market, people: People, terms: Terms) -> None:
    nobody_has_this = request(tag=tag_of("nobody has this"))
    expect_void(with_one_bid(staffed, people, terms, nobody_has_this))


@ALL_KINDS
def test_without_nodes_the_money_goes_back(staffed: Market, people: People, terms: Terms) -> None:
    for node in people.nodes[4:]:
        send(staffed.pool.leave, sender=node)
    expect_void(with_one_bid(staffed, people, terms, request()))


def test_where_all_sellers_pause_the_money_goes_back(staffed: Market, people: People) -> None:
    bidding = with_one_bid(staffed, people, TERMS, request())
    for offer, seller in enumerate(people.sellers, start=1):
        send(staffed.registry.pause, offer, sender=seller)
    expect_void(bidding)


def expect_void(bidding: Bidding) -> None:
    """The only bidder gets back all that it paid in."""
    market, buyer = bidding.market, bidding.people.buyers[0]
    paid_in = bidding.purse
    receipt = bidding.close()
    expected = {"auctionId": bidding.auction_id, "leader": buyer, "forfeits": 0}
    assert event(receipt, market.auction_house.AuctionVoid) == expected
    assert (bidding.auction.state, bidding.auction.job_id) == (AuctionState.VOID, 0)
    elsewhere = Account.create().address
    send(market.escrow.withdraw, bidding.terms.token, elsewhere, sender=buyer)
    assert (balance(elsewhere), balance(market.escrow), bidding.purse) == (paid_in, 0, 0)
    assert look(market.jobs.jobCount) == 0


def test_the_least_that_stands_ready_is_enough(staffed: Market, people: People) -> None:
    """One seller, and five seats of which the last is taken in the block before the closing."""
    wanted = request(tag=tag_of("rare"))
    register_sellers(staffed, people.sellers[:1], wanted.tag)
    for node in people.nodes[4:]:
        send(staffed.pool.leave, sender=node)
    bidding = with_one_bid(staffed, people, TERMS, wanted)
    join_nodes(staffed, [people.stranger])
    assert bidding.won(bidding.close()) == (people.buyers[0], 5000, 0)


def test_purses_of_auctions_do_not_mix(staffed: Market, people: People) -> None:
    """Two auctions of one buyer, closed in the other order."""
    first = with_one_bid(staffed, people, FIRST_PRICE, request())
    second = with_one_bid(staffed, people, SECOND_PRICE, request())
    held = first.purse
    assert held == second.purse
    assert second.won(second.close()) == (people.buyers[0], SECOND_PRICE.reserve, 0)
    assert (first.purse, second.purse) == (held, 0)
    assert first.won(first.close()) == (people.buyers[0], 5000, 0)
    assert first.credit(people.buyers[0]) == 2 * held - 5000 - SECOND_PRICE.reserve
