from __future__ import annotations

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_utils.crypto import keccak

from offchain.chain.records import Auction, AuctionState, Request, Terms, tag_of
from tests.contracts.crowd import Crowd
from tests.contracts.evm import (
    NOBODY,
    balance,
    event,
    events,
    look,
    mine,
    mine_past,
    refusal,
    send,
)
from tests.contracts.play import (
    PRICE,
    RULES,
    TERMS,
    Market,
    People,
    auction_of,
    join_nodes,
    open_auction,
    register_sellers,
    request,
)

REQUEST_TYPE = (
    "(bytes32,bytes32,bytes,bytes32,bytes32,bytes,"
    "(uint16,uint16,uint16,uint16,uint16,uint32,uint32,uint32,uint32,uint32))"
)


@pytest.fixture(scope="module")
def auction_id(staffed: Market, people: People) -> int:
    """An auction that stands open, with no bid so far."""
    wide = TERMS._replace(window_blocks=40)
    return open_auction(staffed, request(), sender=people.stranger, terms=wide)[0]


def bid(market: Market, auction_id: int, bidder: object, value: int) -> int:
    """The block of the bid."""
    return send(market.auction_house.bid, auction_id, sender=bidder, value=value).block


# Opening


def test_anyone_opens_an_auction(staffed: Market, people: People) -> None:
    house, wanted = staffed.auction_house, request()
    before = look(house.auctionCount)
    auction_id, receipt = open_auction(staffed, wanted, sender=people.stranger)
    close_block = receipt.block + TERMS.window_blocks
    assert look(house.auctionCount) == auction_id == before + 1
    assert auction_of(staffed, auction_id) == Auction(
        state=AuctionState.OPEN,
        increment_bps=TERMS.increment_bps,
        close_block=close_block,
        latest_close_block=close_block + 100,
        leader=NOBODY,
        highest_bid=0,
        reserve=TERMS.reserve,
        request_hash=keccak(encode([REQUEST_TYPE], [wanted])),
        job_id=0,
    )
    opened = event(receipt, house.AuctionOpened)
    assert Request.from_abi(opened.pop("request")) == wanted, "anybody can close from the event"
    assert Terms(*opened.pop("terms")) == TERMS
    assert opened == {
        "auctionId": auction_id,
        "opener": people.stranger,
        "tag": wanted.tag,
        "closeBlock": close_block,
    }


@pytest.mark.parametrize(
    "terms",
    [
        TERMS._replace(window_blocks=4),
        TERMS._replace(window_blocks=50_401),
        TERMS._replace(increment_bps=10_001),
        TERMS._replace(reserve=0),
    ],
)
def test_terms_have_bounds(staffed: Market, people: People, terms: Terms) -> None:
    house = staffed.auction_house
    refusal(house.TermsOutOfBounds, house.open, request(), terms, sender=people.stranger)


@pytest.mark.parametrize("terms", [Terms(5, 0, 1), Terms(50_400, 10_000, 2**128 - 1)])
def test_terms_may_lie_on_their_bounds(staffed: Market, people: People, terms: Terms) -> None:
    open_auction(staffed, request(), sender=people.stranger, terms=terms)


def test_a_request_that_no_job_could_run_is_refused(staffed: Market, people: People) -> None:
    house, jobs = staffed.auction_house, staffed.jobs
    bad = request(RULES._replace(rounds=0))
    refused = refusal(jobs.RuleOutOfBounds, house.open, bad, TERMS, sender=people.stranger)
    assert refused == {"rule": tag_of("rounds")}
    no_cid = request()._replace(evaluation_cid=b"")
    refusal(jobs.BadCid, house.open, no_cid, TERMS, sender=people.stranger)


# Bidding


def test_bids_ascend(staffed: Market, people: People, auction_id: int) -> None:
    house, (x, y, z) = staffed.auction_house, people.buyers
    assert look(house.minimumBid, auction_id) == TERMS.reserve
    steps = [(x, TERMS.reserve, 999), (y, 1050, 1049), (z, 1102, 1101)]
    for bidder, enough, too_low in steps:
        refused = refusal(house.BidTooLow, house.bid, auction_id, sender=bidder, value=too_low)
        assert refused == {"minimum": enough} == {"minimum": look(house.minimumBid, auction_id)}
        receipt = send(house.bid, auction_id, sender=bidder, value=enough)
        assert event(receipt, house.BidPlaced) == {
            "auctionId": auction_id,
            "bidder": bidder,
            "amount": enough,
            "closeBlock": auction_of(staffed, auction_id).close_block,
        }
    auction = auction_of(staffed, auction_id)
    assert (auction.leader, auction.highest_bid) == (z, 1102)
    assert balance(house) == 1000 + 1050 + 1102


def test_an_increment_is_at_least_one_wei(staffed: Market, people: People) -> None:
    house, terms = staffed.auction_house, TERMS._replace(increment_bps=0, reserve=1)
    auction_id, _ = open_auction(staffed, request(), sender=people.stranger, terms=terms)
    bid(staffed, auction_id, people.buyers[0], 1)
    refusal(house.BidTooLow, house.bid, auction_id, sender=people.buyers[1], value=1)
    bid(staffed, auction_id, people.buyers[1], 2)


def test_who_is_outbid_withdraws_at_once(staffed: Market, people: People, auction_id: int) -> None:
    house, (x, y, _) = staffed.auction_house, people.buyers
    bid(staffed, auction_id, x, 1000)
    refusal(house.NothingToWithdraw, house.withdraw, x.address, sender=x)
    receipt = send(house.bid, auction_id, sender=y, value=2000)
    assert event(receipt, house.Credited) == {"account": x, "amount": 1000}
    elsewhere = Account.create().address
    send(house.withdraw, elsewhere, sender=x)
    assert (balance(elsewhere), balance(house)) == (1000, 2000)
    refusal(house.NothingToWithdraw, house.withdraw, elsewhere, sender=x)


def test_who_outbids_itself_gets_the_lower_bid_back(
    staffed: Market, people: People, auction_id: int
) -> None:
    house, x = staffed.auction_house, people.buyers[0]
    for value in (1000, 2000, 3000):
        bid(staffed, auction_id, x, value)
    assert look(house.credit, x) == 1000 + 2000
    assert balance(house) == 1000 + 2000 + 3000


def test_a_bidder_that_takes_no_ether_blocks_nobody(
    staffed: Market, people: People, auction_id: int
) -> None:
    house, crowd = staffed.auction_house, Crowd.hire(1, people.deployer)
    (hostile,) = crowd.actors
    crowd.play([crowd.move(0, house.bid, auction_id, value=1000)])
    assert auction_of(staffed, auction_id).leader == hostile
    bid(staffed, auction_id, people.buyers[0], 2000)
    refusal(house.PaymentRefused, house.withdraw, hostile, sender=hostile)
    assert look(house.credit, hostile) == 1000
    elsewhere = Account.create().address
    crowd.play([crowd.move(0, house.withdraw, elsewhere)])
    assert balance(elsewhere) == 1000


def test_bids_are_taken_only_while_the_auction_is_open(staffed: Market, people: People) -> None:
    house, buyer = staffed.auction_house, people.buyers[0]
    refusal(house.NotOpen, house.bid, look(house.auctionCount) + 1, sender=buyer, value=PRICE)
    refusal(house.NotOpen, house.bid, 0, sender=buyer, value=PRICE)
    auction_id, _ = open_auction(staffed, request(), sender=people.stranger)
    close_block = auction_of(staffed, auction_id).close_block
    mine_past(close_block)
    refusal(house.NotOpen, house.bid, auction_id, sender=buyer, value=PRICE)
    send(house.close, auction_id, request(), sender=people.stranger)
    refusal(house.NotOpen, house.bid, auction_id, sender=buyer, value=PRICE)


# Extension


def test_an_early_bid_extends_nothing(staffed: Market, people: People) -> None:
    auction_id, receipt = open_auction(
        staffed, request(), sender=people.stranger, terms=TERMS._replace(window_blocks=7)
    )
    mine(1)
    block = bid(staffed, auction_id, people.buyers[0], 1000)
    assert block + 5 == receipt.block + 7
    assert auction_of(staffed, auction_id).close_block == receipt.block + 7


def test_a_late_bid_leaves_time_for_another(staffed: Market, people: People) -> None:
    auction_id, _ = open_auction(staffed, request(), sender=people.stranger)
    close_block = auction_of(staffed, auction_id).close_block
    mine_past(close_block - 1)
    block = bid(staffed, auction_id, people.buyers[0], 1000)
    assert block == close_block, "the last block counts"
    assert auction_of(staffed, auction_id).close_block == block + 5


def test_extensions_end(staffed: Market, people: People) -> None:
    house = staffed.auction_house
    terms = TERMS._replace(increment_bps=0)
    auction_id, receipt = open_auction(staffed, request(), sender=people.stranger, terms=terms)
    latest = receipt.block + terms.window_blocks + 100
    value = 1000
    while (close_block := auction_of(staffed, auction_id).close_block) < latest:
        mine_past(close_block - 1)
        bid(staffed, auction_id, people.buyers[value % 2], value)
        value += 1
    assert close_block == latest
    mine_past(latest - 1)
    assert bid(staffed, auction_id, people.buyers[0], value) == latest
    assert auction_of(staffed, auction_id).close_block == latest
    refusal(house.NotOpen, house.bid, auction_id, sender=people.buyers[1], value=PRICE)
    send(house.close, auction_id, request(), sender=people.stranger)


# Closing


def test_the_highest_bid_gets_the_job_and_goes_to_the_escrow(
    staffed: Market, people: People
) -> None:
    house, (x, y, _) = staffed.auction_house, people.buyers
    auction_id, _ = open_auction(staffed, request(), sender=people.stranger)
    bid(staffed, auction_id, x, 5000)
    bid(staffed, auction_id, y, PRICE)
    close_block = auction_of(staffed, auction_id).close_block
    mine_past(close_block - 1)
    close = (house.close, auction_id, request())
    assert refusal(house.StillOpen, *close, sender=y) == {"closeBlock": close_block}
    mine()
    receipt = send(*close, sender=people.stranger)
    job_id = look(staffed.jobs.jobCount)
    assert event(receipt, house.AuctionWon) == {
        "auctionId": auction_id,
        "jobId": job_id,
        "winner": y,
        "price": PRICE,
    }
    auction = auction_of(staffed, auction_id)
    assert (auction.state, auction.job_id) == (AuctionState.WON, job_id)
    assert staffed.jobs.jobOf(job_id).buyer == y
    assert (balance(house), balance(staffed.escrow), balance(staffed.jobs)) == (5000, PRICE, 0)
    assert (look(house.credit, x), look(house.credit, y)) == (5000, 0)


def test_an_auction_closes_once(staffed: Market, people: People) -> None:
    house = staffed.auction_house
    auction_id, _ = open_auction(staffed, request(), sender=people.stranger)
    bid(staffed, auction_id, people.buyers[0], PRICE)
    mine(6)
    send(house.close, auction_id, request(), sender=people.stranger)
    refusal(house.NotOpen, house.close, auction_id, request(), sender=people.stranger)
    refusal(house.NotOpen, house.close, auction_id + 1, request(), sender=people.stranger)


def test_only_the_request_of_the_opening_closes(staffed: Market, people: People) -> None:
    house = staffed.auction_house
    auction_id, _ = open_auction(staffed, request(), sender=people.stranger)
    mine(6)
    for other in (
        request(RULES._replace(target_bps=1)),
        request(tag=tag_of("other")),
        request()._replace(evaluation_hash=bytes(32)),
    ):
        refusal(house.WrongRequest, house.close, auction_id, other, sender=people.stranger)


def test_without_bids_there_is_no_job(staffed: Market, people: People) -> None:
    house = staffed.auction_house
    auction_id, _ = open_auction(staffed, request(), sender=people.stranger)
    mine(6)
    receipt = send(house.close, auction_id, request(), sender=people.stranger)
    expected = {"auctionId": auction_id, "leader": NOBODY, "refund": 0}
    assert event(receipt, house.AuctionVoid) == expected
    assert events(receipt, house.Credited) == []
    assert auction_of(staffed, auction_id).state == AuctionState.VOID
    assert look(staffed.jobs.jobCount) == 0


def test_without_sellers_the_bid_goes_back(staffed: Market, people: People) -> None:
    wanted = request(tag=tag_of("nobody has this"))
    _expect_void(staffed, people, wanted)


def test_without_nodes_the_bid_goes_back(staffed: Market, people: People) -> None:
    for node in people.nodes[4:]:
        send(staffed.pool.leave, sender=node)
    _expect_void(staffed, people, request())


def _expect_void(market: Market, people: People, wanted: Request) -> None:
    house, buyer = market.auction_house, people.buyers[0]
    auction_id, _ = open_auction(market, wanted, sender=people.stranger)
    bid(market, auction_id, buyer, PRICE)
    mine(6)
    receipt = send(house.close, auction_id, wanted, sender=people.stranger)
    expected = {"auctionId": auction_id, "leader": buyer, "refund": PRICE}
    assert event(receipt, house.AuctionVoid) == expected
    elsewhere = Account.create().address
    send(house.withdraw, elsewhere, sender=buyer)
    assert (balance(elsewhere), balance(house)) == (PRICE, 0)
    assert look(market.jobs.jobCount) == 0


def test_the_least_that_stands_ready_is_enough(staffed: Market, people: People) -> None:
    """One seller, and five seats of which the last is taken in the block before the closing."""
    house, wanted = staffed.auction_house, request(tag=tag_of("rare"))
    register_sellers(staffed, people.sellers[:1], wanted.tag)
    for node in people.nodes[4:]:
        send(staffed.pool.leave, sender=node)
    auction_id, _ = open_auction(staffed, wanted, sender=people.stranger)
    bid(staffed, auction_id, people.buyers[0], PRICE)
    mine(6)
    join_nodes(staffed, [people.stranger])
    receipt = send(house.close, auction_id, wanted, sender=people.stranger)
    assert event(receipt, house.AuctionWon)["price"] == PRICE
