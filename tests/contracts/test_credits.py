"""Pulled payments in ether, as the escrow inherits them. Tokens: `test_auction_tokens.py`."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account

from d2m.protocol.types import ETHER
from tests.support.bidding import Bidding
from tests.support.crowd import Crowd
from tests.support.evm import act, balance, deploy, event, helper, look, refusal, send, simulate
from tests.support.play import TERMS, Market, People


@pytest.fixture(scope="module")
def bidding(staffed: Market, people: People) -> Bidding:
    return Bidding.open(staffed, people, TERMS._replace(window_blocks=100))


def outbid(bidding: Bidding) -> None:
    """By a bid that stays in the escrow: other people's money."""
    bidding.bid(bidding.people.buyers[1], 5000)


def with_credit(bidding: Bidding, name: str) -> Any:
    """A contract that is owed 1000 wei."""
    deployer = bidding.people.deployer
    party = deploy(helper(name), sender=deployer)
    house = bidding.market.auction_house
    act(party, house.bid, bidding.auction_id, 1000, sender=deployer, value=1000)
    outbid(bidding)
    assert bidding.credit(party.address) == 1000
    return party


def test_a_credit_is_withdrawn_to_any_address(bidding: Bidding) -> None:
    escrow, buyer = bidding.market.escrow, bidding.people.buyers[0]
    bidding.bid(buyer, 1000)
    outbid(bidding)
    elsewhere = Account.create().address
    receipt = send(escrow.withdraw, ETHER, elsewhere, sender=buyer)
    expected = {"token": ETHER, "account": buyer, "to": elsewhere, "amount": 1000}
    assert event(receipt, escrow.Withdrawn) == expected
    assert (balance(elsewhere), bidding.credit(buyer)) == (1000, 0)
    refusal(escrow.NothingToWithdraw, escrow.withdraw, ETHER, elsewhere, sender=buyer)


def test_a_credit_is_its_owners(bidding: Bidding) -> None:
    escrow, (buyer, leader, _) = bidding.market.escrow, bidding.people.buyers
    bidding.bid(buyer, 1000)
    outbid(bidding)
    for other in (bidding.people.stranger, leader):
        withdraw = (escrow.withdraw, ETHER, other.address)
        refusal(escrow.NothingToWithdraw, *withdraw, sender=other)
    assert bidding.credit(buyer) == 1000


def test_who_refuses_its_payment_keeps_the_credit(bidding: Bidding) -> None:
    house, escrow = bidding.market.auction_house, bidding.market.escrow
    crowd = Crowd.hire(1, bidding.people.deployer)
    (actor,) = crowd.actors
    crowd.play([crowd.move(0, house.bid, bidding.auction_id, 1000, value=1000)])
    outbid(bidding)
    for receiver in (actor, house.address, escrow.address):
        refused = refusal(escrow.PaymentRefused, escrow.withdraw, ETHER, receiver, sender=actor)
        assert refused == {"to": receiver}
    assert (bidding.credit(actor), balance(escrow)) == (1000, 6000)
    elsewhere = Account.create().address
    crowd.play([crowd.move(0, escrow.withdraw, ETHER, elsewhere)])
    assert balance(elsewhere) == 1000


def test_who_burns_all_gas_when_paid_hurts_itself_only(bidding: Bidding) -> None:
    escrow, deployer = bidding.market.escrow, bidding.people.deployer
    burner = with_credit(bidding, "GasBurner")
    refused = refusal(
        escrow.PaymentRefused, escrow.withdraw, ETHER, burner.address, sender=burner.address
    )
    assert refused == {"to": burner.address}
    assert bidding.credit(burner.address) == 1000
    elsewhere = Account.create().address
    act(burner, escrow.withdraw, ETHER, elsewhere, sender=deployer)
    assert balance(elsewhere) == 1000


def test_a_hostile_leader_is_outbid_and_loses_like_anybody(bidding: Bidding) -> None:
    """Whatever it does with payments: nobody is paid by another's transaction."""
    house, deployer = bidding.market.auction_house, bidding.people.deployer
    for amount, name in [(1000, "GasBurner"), (2000, "Reentrant")]:
        party = deploy(helper(name), sender=deployer)
        act(party, house.bid, bidding.auction_id, amount, sender=deployer, value=amount)
        assert bidding.auction.leader == party.address
    receipt = bidding.bid(bidding.people.buyers[1], 5000)
    assert receipt.gas < 200_000
    assert bidding.auction.leader == bidding.people.buyers[1]


@pytest.mark.parametrize("to_itself", [True, False])
def test_who_calls_back_while_being_paid_is_paid_once(bidding: Bidding, to_itself: bool) -> None:
    """The escrow holds other bidders' money, so a second payment could be made."""
    escrow, deployer = bidding.market.escrow, bidding.people.deployer
    thief = with_credit(bidding, "Reentrant")
    receiver = thief.address if to_itself else deployer.address
    again = bytes(escrow.withdraw.encode_input(ETHER, receiver))
    send(thief.plan, escrow.address, again, sender=deployer)
    act(thief, escrow.withdraw, ETHER, thief.address, sender=deployer)
    assert (look(thief.payments), look(thief.reentered)) == (1, False)
    assert (balance(thief), balance(escrow)) == (1000, 5000)


def test_the_escrow_takes_no_ether_beside_its_books(bidding: Bidding) -> None:
    """Every wei that it holds is in a purse, a pot or a credit."""
    escrow = bidding.market.escrow
    gift = deploy(helper("Reentrant"), sender=bidding.people.deployer)
    with pytest.raises(AssertionError, match="revert"):
        simulate(gift.act, escrow.address, b"", sender=bidding.people.stranger, value=1)
