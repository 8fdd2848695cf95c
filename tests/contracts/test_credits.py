"""Pulled payments, as the auction house and the escrow inherit them."""

from __future__ import annotations

import pytest
from eth_account import Account

from tests.contracts.crowd import Crowd
from tests.contracts.evm import act, balance, deploy, event, helper, look, refusal, send
from tests.contracts.play import TERMS, Market, People, open_auction, request


@pytest.fixture(scope="module")
def auction_id(staffed: Market, people: People) -> int:
    wide = TERMS._replace(window_blocks=100)
    return open_auction(staffed, request(), sender=people.stranger, terms=wide)[0]


def outbid(market: Market, people: People, auction_id: int) -> None:
    send(market.auction_house.bid, auction_id, sender=people.buyers[1], value=5000)


def test_a_credit_is_withdrawn_to_any_address(
    staffed: Market, people: People, auction_id: int
) -> None:
    house, buyer = staffed.auction_house, people.buyers[0]
    send(house.bid, auction_id, sender=buyer, value=1000)
    outbid(staffed, people, auction_id)
    elsewhere = Account.create().address
    receipt = send(house.withdraw, elsewhere, sender=buyer)
    expected = {"account": buyer, "to": elsewhere, "amount": 1000}
    assert event(receipt, house.Withdrawn) == expected
    assert (balance(elsewhere), look(house.credit, buyer)) == (1000, 0)
    refusal(house.NothingToWithdraw, house.withdraw, elsewhere, sender=buyer)


def test_a_credit_is_its_owners(staffed: Market, people: People, auction_id: int) -> None:
    house = staffed.auction_house
    send(house.bid, auction_id, sender=people.buyers[0], value=1000)
    outbid(staffed, people, auction_id)
    for other in (people.stranger, people.buyers[1]):
        refusal(house.NothingToWithdraw, house.withdraw, other.address, sender=other)
    escrow = staffed.escrow
    refusal(escrow.NothingToWithdraw, escrow.withdraw, other.address, sender=people.buyers[0])


def test_a_refused_payment_leaves_the_credit(
    staffed: Market, people: People, auction_id: int
) -> None:
    house, crowd = staffed.auction_house, Crowd.hire(1, people.deployer)
    (actor,) = crowd.actors
    crowd.play([crowd.move(0, house.bid, auction_id, value=1000)])
    outbid(staffed, people, auction_id)
    assert refusal(house.PaymentRefused, house.withdraw, actor, sender=actor) == {"to": actor}
    refusal(house.PaymentRefused, house.withdraw, house.address, sender=actor)
    assert (look(house.credit, actor), balance(house)) == (1000, 6000)
    elsewhere = Account.create().address
    crowd.play([crowd.move(0, house.withdraw, elsewhere)])
    assert balance(elsewhere) == 1000


def test_who_calls_back_while_being_paid_is_paid_once(
    staffed: Market, people: People, auction_id: int
) -> None:
    """The house holds other bidders' money, so a second payment could be made."""
    house = staffed.auction_house
    thief = deploy(helper("Reentrant"), sender=people.deployer)
    withdraw = bytes(house.withdraw.encode_input(thief.address))
    act(thief, house.bid, auction_id, sender=people.deployer, value=1000)
    outbid(staffed, people, auction_id)
    send(thief.plan, house.address, withdraw, sender=people.deployer)
    act(thief, house.withdraw, thief.address, sender=people.deployer)
    assert (look(thief.payments), look(thief.reentered)) == (1, False)
    assert (balance(thief), balance(house)) == (1000, 5000)
