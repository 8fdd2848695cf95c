"""The bond of an offer: what it costs, and when it comes back."""

from __future__ import annotations

from dataclasses import replace

import ape
import pytest
from eth_account import Account

from tests.support.crowd import Crowd
from tests.support.evm import (
    act,
    balance,
    deploy,
    event,
    helper,
    look,
    mine,
    mine_past,
    refusal,
    refused_deployment,
    send,
)
from tests.support.offers import A, make_offer, offer_of
from tests.support.play import BOND, CID, KEY, Market, People

UNBONDING = 7200  # a day of blocks: too long to mine in a test
SHORT = 16
SHORTENED = {b"\x61" + UNBONDING.to_bytes(2, "big"): b"\x61" + SHORT.to_bytes(2, "big")}  # PUSH2


@pytest.fixture(scope="module")
def brief(market: Market, people: People) -> Market:
    """The market with a registry whose bonds come free after 16 blocks."""
    container = ape.project.SellerRegistry
    short = deploy(container, BOND, sender=people.deployer, patches=SHORTENED)
    return replace(market, registry=short)


def test_an_offer_costs_exactly_one_bond(market: Market, people: People) -> None:
    registry, args = market.registry, ([A], CID, KEY)
    assert look(registry.bondUnit) == BOND
    for value in (0, BOND - 1, BOND + 1):
        refused = refusal(
            registry.WrongBond, registry.offer, *args, sender=people.stranger, value=value
        )
        assert refused == {"required": BOND}


@pytest.mark.parametrize("unit", [0, 2**128])
def test_a_bond_is_something_and_fits(people: People, unit: int) -> None:
    container, deployer = ape.project.SellerRegistry, people.deployer
    largest = deploy(container, 2**128 - 1, sender=deployer)
    assert look(largest.bondUnit) == 2**128 - 1
    refused_deployment(largest.BadBondUnit, container, unit, sender=deployer)


def test_a_bond_is_withdrawn_from_its_unlock_block_on(brief: Market, people: People) -> None:
    registry, seller = brief.registry, people.sellers[0]
    offer, elsewhere = make_offer(brief, seller, A), Account.create().address
    withdraw = (registry.withdrawBond, offer, elsewhere)
    refusal(registry.BondBound, *withdraw, sender=seller)
    unlock = send(registry.leave, offer, sender=seller).block + SHORT
    refused = refusal(registry.BondBound, *withdraw, sender=seller, at=unlock - 1)
    assert refused == {"unlockBlock": unlock}
    mine_past(unlock - 1)
    receipt = send(*withdraw, sender=seller)
    assert receipt.block == unlock
    expected = {"offerId": offer, "to": elsewhere, "amount": BOND}
    assert event(receipt, registry.BondWithdrawn) == expected
    assert (balance(elsewhere), balance(registry), offer_of(brief, offer).bond) == (BOND, 0, 0)


def test_a_bond_is_withdrawn_once(brief: Market, people: People) -> None:
    """Another seller's bond lies beside it."""
    registry, seller = brief.registry, people.sellers[0]
    offer = make_offer(brief, seller, A)
    make_offer(brief, people.sellers[1], A)
    send(registry.leave, offer, sender=seller)
    mine(SHORT)
    send(registry.withdrawBond, offer, seller.address, sender=seller)
    refusal(registry.BondBound, registry.withdrawBond, offer, seller.address, sender=seller)
    assert balance(registry) == BOND


def test_a_refused_bond_is_sent_elsewhere(brief: Market, people: People) -> None:
    registry, crowd = brief.registry, Crowd.hire(1, people.deployer)
    (actor,) = crowd.actors
    crowd.play([crowd.move(0, registry.offer, [A], CID, KEY, value=BOND)])
    crowd.play([crowd.move(0, registry.leave, 1)])
    mine(SHORT)
    refused = refusal(registry.PaymentRefused, registry.withdrawBond, 1, actor, sender=actor)
    assert refused == {"to": actor}
    elsewhere = Account.create().address
    crowd.play([crowd.move(0, registry.withdrawBond, 1, elsewhere)])
    assert balance(elsewhere) == BOND


def test_who_calls_back_while_its_bond_is_paid_is_paid_once(brief: Market, people: People) -> None:
    registry, thief = brief.registry, deploy(helper("Reentrant"), sender=people.deployer)
    act(thief, registry.offer, [A], CID, KEY, sender=people.deployer, value=BOND)
    make_offer(brief, people.sellers[0], A)
    act(thief, registry.leave, 1, sender=people.deployer)
    mine(SHORT)
    again = bytes(registry.withdrawBond.encode_input(1, thief.address))
    send(thief.plan, registry.address, again, sender=people.deployer)
    act(thief, registry.withdrawBond, 1, thief.address, sender=people.deployer)
    assert (look(thief.payments), look(thief.reentered)) == (1, False)
    assert (balance(thief), balance(registry)) == (BOND, BOND)
