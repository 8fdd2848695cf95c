"""Bids in ERC-20 tokens: faithful tokens work, all others are refused and hurt nobody."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account

from d2m.protocol.types import ETHER, AuctionKind
from tests.support.bidding import DEPOSIT, FIRST_PRICE, FORFEIT, SALT, TIER, Bidding
from tests.support.evm import (
    balance,
    event,
    look,
    mine_past,
    refusal,
    send,
)
from tests.support.play import TERMS, Market, People
from tests.support.tokens import PLENTY, hand_out, holding, issue, open_in, sealed_in

FAITHFUL = pytest.mark.parametrize("name", ["PlainToken", "NoReturnToken", "HookToken"])


# Faithful tokens


@FAITHFUL
def test_open_bids_in_a_token(staffed: Market, people: People, name: str) -> None:
    escrow, (x, y, _) = staffed.escrow, people.buyers
    token = issue(staffed, people, name)
    bidding = open_in(staffed, people, token)
    receipt = bidding.bid(x, 1000)
    expected = {
        "auctionId": bidding.auction_id,
        "token": token.address,
        "payer": x,
        "amount": 1000,
    }
    assert event(receipt, escrow.Deposited) == expected
    bidding.bid(y, 2000)
    assert (holding(token, escrow), bidding.purse, bidding.credit(x)) == (3000, 2000, 1000)
    assert look(escrow.credit, ETHER, x) == 0
    elsewhere = Account.create().address
    receipt = send(escrow.withdraw, token.address, elsewhere, sender=x)
    expected = {"token": token.address, "account": x, "to": elsewhere, "amount": 1000}
    assert event(receipt, escrow.Withdrawn) == expected
    assert (holding(token, elsewhere), holding(token, escrow)) == (1000, 2000)
    refusal(escrow.NothingToWithdraw, escrow.withdraw, token.address, elsewhere, sender=x)


@FAITHFUL
def test_sealed_bids_in_a_token(staffed: Market, people: People, name: str) -> None:
    escrow, (winner, loser, silent) = staffed.escrow, people.buyers
    token = issue(staffed, people, name)
    bidding = sealed_in(staffed, people, token)
    for bidder, amount in [(winner, 5000), (loser, 4000), (silent, 3000)]:
        bidding.seal(bidder, amount)
    bidding.end_bids()
    bidding.reveal(loser, 4000)
    bidding.reveal(winner, 5000)
    bidding.end()
    assert bidding.won(bidding.close()) == (winner, 5000, FORFEIT)
    bidding.reclaim(silent)
    owed = {winner: DEPOSIT - 5000, loser: DEPOSIT, silent: DEPOSIT - FORFEIT}
    for bidder, amount in owed.items():
        send(escrow.withdraw, token.address, bidder.address, sender=bidder)
        assert holding(token, bidder) == PLENTY - DEPOSIT + amount
    assert holding(token, escrow) == 5000 + FORFEIT, "the job's price"


def test_a_token_bid_fits_128_bits(staffed: Market, people: People) -> None:
    token, (x, y, _) = issue(staffed, people), people.buyers
    hand_out(staffed, token, [x, y], 2**130)
    bidding = open_in(staffed, people, token)
    for amount in (2**128, 2**128 + TERMS.reserve):
        assert bidding.bid_is_refused(staffed.escrow.TooLarge, x, amount) == {"amount": amount}
    bidding.bid(x, 2**128 - 1)
    assert bidding.auction.highest_bid == bidding.purse == 2**128 - 1
    bidding.bid_is_refused(staffed.auction_house.BidTooLow, y, 2**128 - 1)
    bidding.bid_is_refused(staffed.escrow.TooLarge, y, 2**129)
    mine_past(bidding.auction.close_block)
    assert bidding.won(bidding.close()) == (x, 2**128 - 1, 0)


def test_the_largest_sealed_deposits_are_paid_out(staffed: Market, people: People) -> None:
    """The largest reserve doubled twenty times; two of three bids are never revealed."""
    house, (winner, *silent) = staffed.auction_house, people.buyers
    token, reserve = issue(staffed, people), look(house.MAX_RESERVE)
    hand_out(staffed, token, people.buyers, 2**104)
    terms = FIRST_PRICE._replace(token=token.address, reserve=reserve)
    bidding, deposit = Bidding.open(staffed, people, terms), reserve << 20
    for buyer in people.buyers:
        bidding.seal(buyer, deposit, 20)
    assert bidding.purse == 3 * deposit
    bidding.end_bids()
    bidding.reveal(winner, deposit)
    bidding.end()
    assert bidding.won(bidding.close()) == (winner, deposit, 2 * (deposit // 5))
    for buyer in silent:
        bidding.reclaim(buyer)
        assert bidding.credit(buyer) == deposit - deposit // 5
    assert (bidding.purse, bidding.credit(winner)) == (0, 0)
    assert 2**24 * deposit < 2**128, "so many bids fit"


def test_a_token_bid_sends_no_ether(staffed: Market, people: People) -> None:
    house, escrow = staffed.auction_house, staffed.escrow
    token, x = issue(staffed, people), people.buyers[0]
    bid = (house.bid, open_in(staffed, people, token).auction_id, 1000)
    seal = (house.sealBid, sealed_in(staffed, people, token).auction_id, SALT, TIER)
    for call in (bid, seal):
        for value in (1, 1000):
            refused = refusal(escrow.WrongValue, *call, sender=x, value=value)
            assert refused == {"required": 0}


def test_a_bid_needs_the_approval_of_its_bidder(staffed: Market, people: People) -> None:
    """Nobody else's approval pays for it, and none of the escrow's own holdings."""
    token, (x, y, _) = issue(staffed, people), people.buyers
    bidding = open_in(staffed, people, token)
    bidding.bid(x, 1000)
    send(token.approve, staffed.escrow.address, 1999, sender=y)
    refused = bidding.bid_is_refused(token.ERC20InsufficientAllowance, y, 2000)
    assert refused == {"spender": staffed.escrow.address, "allowance": 1999, "needed": 2000}
    refused = bidding.bid_is_refused(token.ERC20InsufficientAllowance, people.stranger, 2000)
    assert refused["allowance"] == 0


def test_credits_in_one_token_are_none_in_another(staffed: Market, people: People) -> None:
    escrow, (x, y, _) = staffed.escrow, people.buyers
    one, other = issue(staffed, people), issue(staffed, people)
    for token in (one, other):
        open_in(staffed, people, token).bid(y, 5000)
    outbid = open_in(staffed, people, one)
    outbid.bid(x, 1000)
    outbid.bid(y, 2000)
    for token in (other.address, ETHER, people.stranger.address):
        refusal(escrow.NothingToWithdraw, escrow.withdraw, token, x.address, sender=x)
    send(escrow.withdraw, one.address, x.address, sender=x)
    assert (holding(one, x), holding(other, x)) == (PLENTY, PLENTY)


# Unfaithful tokens


@pytest.mark.parametrize("open_auction", [open_in, sealed_in])
def test_a_token_that_takes_a_fee_is_refused(
    staffed: Market, people: People, open_auction: Any
) -> None:
    token, x = issue(staffed, people, "FeeToken"), people.buyers[0]
    bidding = open_auction(staffed, people, token)
    refused = deposit_is_refused(bidding, staffed.escrow.UnfaithfulToken, x)
    received = DEPOSIT - DEPOSIT // 100
    assert refused == {"token": token.address, "expected": DEPOSIT, "received": received}


@pytest.mark.parametrize("open_auction", [open_in, sealed_in])
def test_a_token_that_moves_nothing_is_refused(
    staffed: Market, people: People, open_auction: Any
) -> None:
    """Whether it says so or not."""
    x, escrow = people.buyers[0], staffed.escrow
    silent, honest = issue(staffed, people, "EmptyToken"), issue(staffed, people, "FalseToken")
    send(honest.stop, True, sender=x)
    for token, error, arguments in [
        (silent, escrow.UnfaithfulToken, {"expected": DEPOSIT, "received": 0}),
        (honest, escrow.SafeERC20FailedOperation, {}),
    ]:
        bidding = open_auction(staffed, people, token)
        refused = deposit_is_refused(bidding, error, x)
        assert refused == {"token": token.address, **arguments}


def deposit_is_refused(bidding: Bidding, error: Any, bidder: Any) -> dict[str, Any]:
    """A bid, open or sealed, that puts `DEPOSIT` into the purse."""
    if bidding.terms.kind is AuctionKind.OPEN:
        return bidding.bid_is_refused(error, bidder, DEPOSIT)
    return bidding.seal_is_refused(error, bidder)


def test_a_token_that_stops_holds_up_its_own_payments_only(staffed: Market, people: People) -> None:
    """Closing needs no token, the credit stands meanwhile, other tokens go on."""
    escrow, (x, y, _) = staffed.escrow, people.buyers
    token = issue(staffed, people, "FalseToken")
    bidding, in_ether = open_in(staffed, people, token), Bidding.open(staffed, people, TERMS)
    for each in (bidding, in_ether):
        each.bid(x, 1000)
        each.bid(y, 2000)
    send(token.stop, True, sender=x)
    withdraw = (escrow.withdraw, token.address, x.address)
    refused = refusal(escrow.SafeERC20FailedOperation, *withdraw, sender=x)
    assert refused == {"token": token.address}
    elsewhere = Account.create().address
    send(escrow.withdraw, ETHER, elsewhere, sender=x)
    assert balance(elsewhere) == 1000
    bidding.end_bids()
    assert bidding.won(bidding.close()) == (y, 2000, 0)
    assert bidding.credit(x) == 1000
    send(token.stop, False, sender=x)
    send(*withdraw, sender=x)
    assert holding(token, x) == PLENTY
