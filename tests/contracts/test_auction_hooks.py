"""ERC-20 tokens that call payer and receiver: whoever calls back gains nothing by it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.bidding import SALT
from tests.support.evm import act, deploy, helper, look, refusal, send
from tests.support.play import TERMS, Market, People
from tests.support.tokens import holding, issue, open_in, sealed_in


@pytest.fixture
def thief(staffed: Market, people: People) -> Any:
    """A contract with 10,000 hook tokens approved to the escrow, which holds 50,000 of others."""
    token = issue(staffed, people, "HookToken")
    open_in(staffed, people, token).bid(people.buyers[0], 50_000)
    thief = deploy(helper("Reentrant"), sender=people.deployer)
    send(token.mint, thief.address, 10_000, sender=people.deployer)
    act(thief, token.approve, staffed.escrow.address, 10**9, sender=people.deployer)
    return thief, token


def planned(thief: Any, people: People, method: Any, *args: Any) -> None:
    """What the thief does when the token tells it of a transfer."""
    data = bytes(method.encode_input(*args))
    send(thief.plan, method.contract.address, data, sender=people.deployer)


def test_a_bid_within_a_bid_is_refused(staffed: Market, people: People, thief: Any) -> None:
    """The outer deposit would be counted twice."""
    thief, token = thief
    house, escrow = staffed.auction_house, staffed.escrow
    bidding = open_in(staffed, people, token)
    planned(thief, people, house.bid, bidding.auction_id, 2000)
    call = (thief.act, house.address, bytes(house.bid.encode_input(bidding.auction_id, 1000)))
    refused = refusal(escrow.UnfaithfulToken, *call, sender=people.deployer)
    assert refused == {"token": token.address, "expected": 1000, "received": 3000}


def test_a_withdrawal_within_a_bid_is_refused(staffed: Market, people: People, thief: Any) -> None:
    thief, token = thief
    house, escrow = staffed.auction_house, staffed.escrow
    bidding = open_in(staffed, people, token)
    act(thief, house.bid, bidding.auction_id, 1000, sender=people.deployer)
    bidding.bid(people.buyers[0], 2000)
    planned(thief, people, escrow.withdraw, token.address, thief.address)
    call = (thief.act, house.address, bytes(house.bid.encode_input(bidding.auction_id, 3000)))
    refused = refusal(escrow.UnfaithfulToken, *call, sender=people.deployer)
    assert refused == {"token": token.address, "expected": 3000, "received": 2000}
    assert bidding.credit(thief.address) == 1000


def test_a_withdrawal_of_more_than_is_bid_is_refused_as_clearly(
    staffed: Market, people: People, thief: Any
) -> None:
    thief, token = thief
    house, escrow = staffed.auction_house, staffed.escrow
    bidding, other = (open_in(staffed, people, token) for _ in range(2))
    act(thief, house.bid, bidding.auction_id, 2000, sender=people.deployer)
    bidding.bid(people.buyers[0], 3000)
    planned(thief, people, escrow.withdraw, token.address, thief.address)
    call = (thief.act, house.address, bytes(house.bid.encode_input(other.auction_id, 1000)))
    refused = refusal(escrow.UnfaithfulToken, *call, sender=people.deployer)
    assert refused == {"token": token.address, "expected": 1000, "received": 0}


def test_a_sealed_bid_within_a_sealed_bid_is_refused(
    staffed: Market, people: People, thief: Any
) -> None:
    """In the same auction the inner one fails, in another one both do."""
    thief, token = thief
    house, escrow = staffed.auction_house, staffed.escrow
    one, other = (sealed_in(staffed, people, token) for _ in range(2))
    outer = bytes(house.sealBid.encode_input(one.auction_id, SALT, 0))
    planned(thief, people, house.sealBid, other.auction_id, SALT, 0)
    refused = refusal(
        escrow.UnfaithfulToken, thief.act, house.address, outer, sender=people.deployer
    )
    assert refused["received"] == 2 * refused["expected"]
    planned(thief, people, house.sealBid, one.auction_id, SALT, 1)
    send(thief.act, house.address, outer, sender=people.deployer)
    assert (look(thief.payments), look(thief.reentered)) == (1, False)
    assert (one.auction.sealed_bids, one.purse) == (1, TERMS.reserve)


def test_a_withdrawal_within_a_withdrawal_pays_nothing(
    staffed: Market, people: People, thief: Any
) -> None:
    thief, token = thief
    house, escrow = staffed.auction_house, staffed.escrow
    bidding = open_in(staffed, people, token)
    act(thief, house.bid, bidding.auction_id, 1000, sender=people.deployer)
    bidding.bid(people.buyers[0], 2000)
    withdraw = (escrow.withdraw, token.address, thief.address)
    planned(thief, people, *withdraw)
    act(thief, *withdraw, sender=people.deployer)
    assert (look(thief.payments), look(thief.reentered)) == (1, False)
    assert holding(token, thief.address) == 10_000
    assert holding(token, escrow) == 50_000 + 2000


def test_who_bids_while_it_is_paid_pays_in_full(
    staffed: Market, people: People, thief: Any
) -> None:
    """The transfer is done by then, so the deposit is measured rightly."""
    thief, token = thief
    house, escrow = staffed.auction_house, staffed.escrow
    bidding = open_in(staffed, people, token)
    act(thief, house.bid, bidding.auction_id, 1000, sender=people.deployer)
    bidding.bid(people.buyers[0], 2000)
    planned(thief, people, house.bid, bidding.auction_id, 3000)
    act(thief, escrow.withdraw, token.address, thief.address, sender=people.deployer)
    assert look(thief.reentered)
    assert bidding.auction.leader == thief.address
    assert holding(token, thief.address) == 10_000 - 3000
    assert holding(token, escrow) == 50_000 + 2000 + 3000
