"""What auctions are opened for, under which terms, and how they are taken back."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from d2m.protocol import bounds
from d2m.protocol.types import ETHER, Auction, AuctionKind, AuctionState, Request, Terms, tag_of
from tests.support.bidding import FIRST_PRICE, SECOND_PRICE, Bidding
from tests.support.evm import NOBODY, deploy, event, helper, look, refusal, send
from tests.support.play import RULES, TERMS, Market, People, auction_of, open_auction, request

REQUEST_TYPE = (
    "(bytes32,bytes32,bytes,bytes32,bytes32,bytes,"
    "(uint16,uint16,uint16,uint16,uint16,uint32,uint32,uint32,uint32,uint32,uint32))"
)
MAX_RESERVE = 2**84 - 1
"""2^20 times as much is a deposit, and 2^24 deposits together stay below 2^128."""


@pytest.mark.parametrize("terms", [TERMS, FIRST_PRICE, SECOND_PRICE])
def test_anyone_opens_an_auction(staffed: Market, people: People, terms: Terms) -> None:
    house, wanted = staffed.auction_house, request()
    before = look(house.auctionCount)
    auction_id, receipt = open_auction(staffed, wanted, sender=people.stranger, terms=terms)
    close_block = receipt.block + terms.window_blocks
    further = 100 if terms.kind is AuctionKind.OPEN else terms.reveal_blocks
    assert look(house.auctionCount) == auction_id == before + 1
    assert auction_of(staffed, auction_id) == Auction(
        state=AuctionState.OPEN,
        kind=terms.kind,
        increment_bps=terms.increment_bps,
        close_block=close_block,
        latest_block=close_block + further,
        sealed_bids=0,
        revealed_bids=0,
        leader_place=0,
        opener=people.stranger,
        token=ETHER,
        leader=NOBODY,
        highest_bid=0,
        second_bid=0,
        reserve=terms.reserve,
        forfeits=0,
        request_hash=keccak(encode([REQUEST_TYPE], [wanted])),
        job_id=0,
    )
    opened = event(receipt, house.AuctionOpened)
    assert Request.from_abi(opened.pop("request")) == wanted, "anybody can close from the event"
    assert Terms(*opened.pop("terms")) == terms
    assert opened == {
        "auctionId": auction_id,
        "opener": people.stranger,
        "tag": wanted.tag,
        "closeBlock": close_block,
    }


NO_CONTRACT = "0x" + "00" * 19 + "ff"


@pytest.mark.parametrize(
    "terms",
    [
        TERMS._replace(window_blocks=4),
        TERMS._replace(window_blocks=50_401),
        TERMS._replace(increment_bps=10_001),
        TERMS._replace(reserve=0),
        TERMS._replace(reserve=MAX_RESERVE + 1),
        TERMS._replace(reveal_blocks=5),
        TERMS._replace(token=NO_CONTRACT),
        FIRST_PRICE._replace(window_blocks=4),
        FIRST_PRICE._replace(window_blocks=50_401),
        FIRST_PRICE._replace(reveal_blocks=0),
        FIRST_PRICE._replace(reveal_blocks=4),
        FIRST_PRICE._replace(reveal_blocks=50_401),
        FIRST_PRICE._replace(increment_bps=1),
        FIRST_PRICE._replace(reserve=0),
        SECOND_PRICE._replace(reveal_blocks=4),
        SECOND_PRICE._replace(increment_bps=1),
        SECOND_PRICE._replace(reserve=MAX_RESERVE + 1),
        SECOND_PRICE._replace(token=NO_CONTRACT),
    ],
)
def test_terms_have_bounds(staffed: Market, people: People, terms: Terms) -> None:
    house = staffed.auction_house
    refusal(house.TermsOutOfBounds, house.open, request(), terms, sender=people.stranger)


@pytest.mark.parametrize(
    "terms",
    [
        Terms(AuctionKind.OPEN, ETHER, 5, 0, 0, 1),
        Terms(AuctionKind.OPEN, ETHER, 50_400, 0, 10_000, MAX_RESERVE),
        Terms(AuctionKind.SEALED_FIRST_PRICE, ETHER, 5, 5, 0, 1),
        Terms(AuctionKind.SEALED_SECOND_PRICE, ETHER, 50_400, 50_400, 0, MAX_RESERVE),
    ],
)
def test_terms_may_lie_on_their_bounds(staffed: Market, people: People, terms: Terms) -> None:
    open_auction(staffed, request(), sender=people.stranger, terms=terms)


def test_the_processes_know_the_bounds(staffed: Market) -> None:
    house, registry, pool = staffed.auction_house, staffed.registry, staffed.pool
    window = look(house.MIN_WINDOW_BLOCKS), look(house.MAX_WINDOW_BLOCKS)
    assert window == bounds.AUCTION_BLOCKS
    assert (1, look(house.MAX_RESERVE)) == bounds.RESERVE == (1, MAX_RESERVE)
    assert look(house.MAX_TIER) == bounds.MAX_TIER
    assert (1, look(registry.MAX_TAGS)) == bounds.TAGS
    assert (look(pool.MIN_STAKE_UNIT), 2**128 - 1) == bounds.STAKE_UNIT


def test_any_contract_may_be_the_token(staffed: Market, people: People) -> None:
    token = deploy(helper("PlainToken"), sender=people.deployer)
    terms = TERMS._replace(token=token.address)
    auction_id, _ = open_auction(staffed, request(), sender=people.stranger, terms=terms)
    assert auction_of(staffed, auction_id).token == token.address


def test_a_request_that_no_job_could_run_is_refused(staffed: Market, people: People) -> None:
    house, jobs = staffed.auction_house, staffed.jobs
    bad = request(RULES._replace(rounds=0))
    refused = refusal(jobs.RuleOutOfBounds, house.open, bad, TERMS, sender=people.stranger)
    assert refused == {"rule": tag_of("rounds")}
    no_cid = request()._replace(evaluation_cid=b"")
    refusal(jobs.BadCid, house.open, no_cid, TERMS, sender=people.stranger)


# Taking an auction back


@pytest.mark.parametrize("terms", [TERMS, FIRST_PRICE, SECOND_PRICE])
@pytest.mark.parametrize("late", [False, True])
def test_its_opener_takes_back_an_auction_without_bids(
    staffed: Market, people: People, terms: Terms, late: bool
) -> None:
    house, bidding = staffed.auction_house, Bidding.open(staffed, people, terms)
    if late:
        bidding.end()
    receipt = send(house.cancel, bidding.auction_id, sender=people.stranger)
    assert event(receipt, house.AuctionCancelled) == {"auctionId": bidding.auction_id}
    assert bidding.auction.state is AuctionState.CANCELLED
    nothing_more_happens(bidding)


def nothing_more_happens(bidding: Bidding) -> None:
    """To an auction that is over or was never opened, in which nobody made a sealed bid."""
    house, buyer = bidding.market.auction_house, bidding.people.buyers[0]
    bidding.bid_is_refused(house.NotOpen, buyer, 10**18)
    bidding.seal_is_refused(house.NotOpen, buyer)
    bidding.reveal_is_refused(house.NotRevealing, buyer, 10**18)
    bidding.close_is_refused(house.NotOpen)
    bidding.reclaim_is_refused(house.NoSealedBid, buyer)
    opener = bidding.people.stranger
    refusal(house.CannotCancel, house.cancel, bidding.auction_id, sender=opener)


@pytest.mark.parametrize("terms", [TERMS, FIRST_PRICE])
def test_nobody_else_takes_it_back(staffed: Market, people: People, terms: Terms) -> None:
    house, bidding = staffed.auction_house, Bidding.open(staffed, people, terms)
    for other in (people.buyers[0], people.deployer):
        refusal(house.CannotCancel, house.cancel, bidding.auction_id, sender=other)


@pytest.mark.parametrize("terms", [TERMS, SECOND_PRICE])
def test_after_the_first_bid_nobody_takes_it_back(
    staffed: Market, people: People, terms: Terms
) -> None:
    house, bidding = staffed.auction_house, Bidding.open(staffed, people, terms)
    move = bidding.bid if terms is TERMS else bidding.seal
    move(people.buyers[0], terms.reserve)
    for late in (False, True):
        if late:
            bidding.end()
        refusal(house.CannotCancel, house.cancel, bidding.auction_id, sender=people.stranger)


def test_an_auction_that_was_never_opened_takes_nothing(staffed: Market, people: People) -> None:
    bidding = Bidding.open(staffed, people, TERMS)
    for auction_id in (0, bidding.auction_id + 1):
        nothing_more_happens(Bidding(staffed, people, auction_id, request(), TERMS, bidding.opened))
