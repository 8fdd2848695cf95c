"""Sealed bids: commitments with deposits, reveals, who leads and what the winner pays."""

from __future__ import annotations

from typing import Any

import pytest

from d2m.protocol.types import SealedBid, Terms
from tests.support.bidding import (
    DEPOSIT,
    FIRST_PRICE,
    FORFEIT,
    SALT,
    SEALED_DOMAIN,
    SECOND_PRICE,
    TIER,
    Bidding,
    sealed_commitment,
)
from tests.support.crowd import Crowd
from tests.support.evm import NOBODY, event, events, look, mine_past, refusal
from tests.support.play import Market, People

RESERVE = SECOND_PRICE.reserve
MAX_TIER = 20


@pytest.fixture(scope="module", params=[FIRST_PRICE, SECOND_PRICE], ids=["first", "second"])
def bidding(request: Any, staffed: Market, people: People) -> Bidding:
    """A sealed auction of either kind, with no bid so far."""
    return Bidding.open(staffed, people, request.param)


@pytest.fixture
def sealed(bidding: Bidding) -> Bidding:
    """The three buyers have committed to 3000, 5000 and 4000; reveals are taken."""
    for buyer, amount in zip(bidding.people.buyers, (3000, 5000, 4000), strict=True):
        bidding.seal(buyer, amount)
    bidding.end_bids()
    return bidding


# Sealing


def test_a_sealed_bid_shows_its_deposit_only(bidding: Bidding) -> None:
    house, (x, y, _) = bidding.market.auction_house, bidding.people.buyers
    receipt = bidding.seal(x, 3000)
    expected = {"auctionId": bidding.auction_id, "bidder": x, "deposit": DEPOSIT}
    assert event(receipt, house.BidSealed) == expected
    bidding.seal(y, 5000)
    assert bidding.sealed(x) == SealedBid(bidding.commitment(x, 3000), DEPOSIT, 1, False)
    assert bidding.sealed(y) == SealedBid(bidding.commitment(y, 5000), DEPOSIT, 2, False)
    auction = bidding.auction
    assert (auction.sealed_bids, auction.revealed_bids) == (2, 0)
    assert (auction.leader, auction.highest_bid, auction.forfeits) == (NOBODY, 0, 2 * FORFEIT)
    assert bidding.purse == 2 * DEPOSIT


def test_the_commitment_is_bound_to_bidder_auction_chain_and_contract(bidding: Bidding) -> None:
    house, (x, y, _) = bidding.market.auction_house, bidding.people.buyers
    assert look(house.SEALED_DOMAIN) == SEALED_DOMAIN
    for bidder, auction_id, amount in [(x, 1, 1000), (y, 1, 1000), (x, 2, 1000), (x, 1, 2**255)]:
        committed = look(house.sealedCommitment, bidder, auction_id, amount, SALT)
        assert committed == sealed_commitment(bidding.market, bidder, auction_id, amount)


@pytest.mark.parametrize("tier", [0, 1, MAX_TIER])
def test_a_deposit_is_the_reserve_doubled(bidding: Bidding, tier: int) -> None:
    assert look(bidding.market.auction_house.MAX_TIER) == MAX_TIER
    buyer = bidding.people.buyers[0]
    bidding.seal(buyer, RESERVE, tier)
    assert bidding.sealed(buyer).deposit == bidding.purse == RESERVE * 2**tier


@pytest.mark.parametrize("tier", [MAX_TIER + 1, 128, 255])
def test_a_deposit_is_doubled_at_most_twenty_times(bidding: Bidding, tier: int) -> None:
    house, buyer = bidding.market.auction_house, bidding.people.buyers[0]
    args = (bidding.auction_id, SALT, tier)
    refusal(house.BadTier, house.sealBid, *args, sender=buyer, value=0)


@pytest.mark.parametrize("sent", [0, DEPOSIT - 1, DEPOSIT + 1])
def test_the_deposit_is_sent(bidding: Bidding, sent: int) -> None:
    house, escrow = bidding.market.auction_house, bidding.market.escrow
    seal = (house.sealBid, bidding.auction_id, SALT, TIER)
    refused = refusal(escrow.WrongValue, *seal, sender=bidding.people.buyers[0], value=sent)
    assert refused == {"required": DEPOSIT}


def test_an_address_makes_one_sealed_bid(bidding: Bidding) -> None:
    house, buyer = bidding.market.auction_house, bidding.people.buyers[0]
    bidding.seal_is_refused(house.EmptyCommitment, buyer, commitment=bytes(32))
    bidding.seal(buyer, 3000)
    for commitment in (SALT, bidding.commitment(buyer, 3000)):
        bidding.seal_is_refused(house.AlreadySealed, buyer, commitment=commitment)
    bidding.end_bids()
    bidding.reveal(buyer, 3000)
    bidding.seal_is_refused(house.NotOpen, buyer)


def test_sealed_bids_are_taken_up_to_the_closing_block(bidding: Bidding) -> None:
    """None of them extends it."""
    house, (x, y, _) = bidding.market.auction_house, bidding.people.buyers
    close_block = bidding.auction.close_block
    assert close_block == bidding.opened.block + bidding.terms.window_blocks
    mine_past(close_block - 1)
    assert bidding.seal(x, 3000).block == close_block
    assert bidding.auction.close_block == close_block
    bidding.seal_is_refused(house.NotOpen, y)


# Revealing


def test_reveals_are_taken_between_the_two_windows(bidding: Bidding) -> None:
    house, buyer = bidding.market.auction_house, bidding.people.buyers[0]
    bidding.seal(buyer, 3000)
    auction = bidding.auction
    first, last = auction.close_block + 1, auction.latest_block
    assert last == auction.close_block + bidding.terms.reveal_blocks
    args = (house.revealBid, bidding.auction_id, 3000, SALT)
    for block in (first - 1, last + 1):
        refusal(house.NotRevealing, *args, sender=buyer, at=block)
    mine_past(last - 1)
    assert bidding.reveal(buyer, 3000).block == last
    bidding.reveal_is_refused(house.NotRevealing, buyer, 3000)


def test_the_first_block_after_the_bids_takes_a_reveal(bidding: Bidding) -> None:
    buyer = bidding.people.buyers[0]
    bidding.seal(buyer, 3000)
    bidding.end_bids()
    receipt = bidding.reveal(buyer, 3000)
    assert receipt.block == bidding.auction.close_block + 1
    expected = {"auctionId": bidding.auction_id, "bidder": buyer, "amount": 3000}
    assert event(receipt, bidding.market.auction_house.BidRevealed) == expected
    assert bidding.sealed(buyer).closed


def test_only_the_committed_words_are_revealed(sealed: Bidding) -> None:
    mismatch, x = sealed.market.auction_house.CommitmentMismatch, sealed.people.buyers[0]
    sealed.reveal_is_refused(mismatch, x, 3001)
    sealed.reveal_is_refused(mismatch, x, 3000 + 2**128)
    sealed.reveal_is_refused(mismatch, x, 3000, salt=bytes(32))
    sealed.reveal(x, 3000)


def test_only_who_sealed_a_bid_reveals_it_and_once(sealed: Bidding) -> None:
    house, x = sealed.market.auction_house, sealed.people.buyers[0]
    sealed.reveal_is_refused(house.NoSealedBid, sealed.people.stranger, 3000)
    sealed.reveal(x, 3000)
    sealed.reveal_is_refused(house.NoSealedBid, x, 3000)


def test_a_copied_commitment_cannot_be_revealed(bidding: Bidding) -> None:
    """The copying bidder knows neither the amount nor the salt, and later they do not fit it."""
    house, x = bidding.market.auction_house, bidding.people.buyers[0]
    bidding.seal(x, 3000)
    copied = (bidding.auction_id, bidding.sealed(x).commitment, TIER)
    crowd = Crowd.hire(1, bidding.people.deployer)
    crowd.play([crowd.move(0, house.sealBid, *copied, value=DEPOSIT)])
    (copier,) = crowd.actors
    bidding.end_bids()
    bidding.reveal(x, 3000)
    bidding.reveal_is_refused(house.CommitmentMismatch, copier, 3000)
    bidding.end()
    assert bidding.won(bidding.close())[2] == FORFEIT
    bidding.reclaim(copier)
    assert bidding.credit(copier) == DEPOSIT - FORFEIT


@pytest.mark.parametrize("amount", [0, RESERVE - 1, DEPOSIT + 1, 2**128 + RESERVE, 2**256 - 1])
def test_a_bid_outside_reserve_and_deposit_is_never_revealed(bidding: Bidding, amount: int) -> None:
    """So it forfeits: an auction is no place for bids that cannot be paid."""
    house, buyer = bidding.market.auction_house, bidding.people.buyers[0]
    bidding.seal(buyer, amount)
    bidding.end_bids()
    if amount < RESERVE:
        assert bidding.reveal_is_refused(house.BidTooLow, buyer, amount) == {"minimum": RESERVE}
    else:
        refused = bidding.reveal_is_refused(house.BidAboveDeposit, buyer, amount)
        assert refused == {"deposit": DEPOSIT}
    bidding.end()
    bidding.close()
    bidding.reclaim(buyer)
    assert bidding.credit(buyer) == DEPOSIT - FORFEIT
    assert bidding.credit(bidding.auction.opener) == FORFEIT


@pytest.mark.parametrize("amount", [RESERVE, DEPOSIT])
def test_a_bid_may_be_the_reserve_or_the_deposit(bidding: Bidding, amount: int) -> None:
    buyer = bidding.people.buyers[0]
    bidding.seal(buyer, amount)
    bidding.end_bids()
    bidding.reveal(buyer, amount)
    assert (bidding.auction.leader, bidding.auction.highest_bid) == (buyer, amount)


# Who leads


@pytest.mark.parametrize(
    "order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
)
def test_the_highest_bid_leads_whatever_the_order(sealed: Bidding, order: tuple[int, ...]) -> None:
    buyers, amounts = sealed.people.buyers, (3000, 5000, 4000)
    for k in order:
        receipt = sealed.reveal(buyers[k], amounts[k])
        credited = events(receipt, sealed.market.escrow.Credited)
        assert all(each["amount"] == DEPOSIT for each in credited), "the deposit at once"
    auction = sealed.auction
    assert (auction.leader, auction.leader_place) == (buyers[1], 2)
    assert (auction.highest_bid, auction.second_bid) == (5000, 4000)
    assert (auction.revealed_bids, auction.forfeits) == (3, 0)
    assert [sealed.credit(each) for each in buyers] == [DEPOSIT, 0, DEPOSIT]
    assert sealed.purse == DEPOSIT


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2)])
def test_ties_go_to_the_earlier_commitment(bidding: Bidding, order: tuple[int, ...]) -> None:
    """Whoever reveals first: waiting for others' reveals gains nothing."""
    buyers = bidding.people.buyers
    for buyer in buyers:
        bidding.seal(buyer, 5000)
    bidding.end_bids()
    for k in order:
        bidding.reveal(buyers[k], 5000)
    auction = bidding.auction
    assert (auction.leader, auction.leader_place) == (buyers[0], 1)
    assert (auction.highest_bid, auction.second_bid) == (5000, 5000)
    assert bidding.won(bidding.close()) == (buyers[0], 5000, 0)


# What the winner pays


def price_of(bidding: Bidding, *amounts: int) -> int:
    """The price when the buyers bid, and reveal, the amounts; every deposit is accounted for."""
    buyers = bidding.people.buyers[: len(amounts)]
    for buyer, amount in zip(buyers, amounts, strict=True):
        bidding.seal(buyer, amount)
    bidding.end_bids()
    for buyer, amount in zip(buyers, amounts, strict=True):
        bidding.reveal(buyer, amount)
    winner, price, forfeits = bidding.won(bidding.close())
    assert (winner, forfeits) == (buyers[amounts.index(max(amounts))], 0)
    assert bidding.credit(winner) == DEPOSIT - price, "what was deposited beyond the price"
    assert sum(map(bidding.credit, buyers)) == len(amounts) * DEPOSIT - price
    assert bidding.purse == 0
    return price


@pytest.mark.parametrize(
    ("terms", "amounts", "price"),
    [
        (FIRST_PRICE, (5000,), 5000),
        (FIRST_PRICE, (3000, 5000, 4000), 5000),
        (FIRST_PRICE, (5000, 5000), 5000),
        (SECOND_PRICE, (5000,), RESERVE),
        (SECOND_PRICE, (RESERVE,), RESERVE),
        (SECOND_PRICE, (3000, 5000, 4000), 4000),
        (SECOND_PRICE, (5000, 4000, 3000), 4000),
        (SECOND_PRICE, (RESERVE, DEPOSIT), RESERVE),
        (SECOND_PRICE, (5000, 5000, 3000), 5000),
    ],
)
def test_the_price(
    staffed: Market, people: People, terms: Terms, amounts: tuple[int, ...], price: int
) -> None:
    assert price_of(Bidding.open(staffed, people, terms), *amounts) == price
