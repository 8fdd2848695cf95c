"""A contract that calls back, at every payment of ether, into every function that pays it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from d2m.protocol.constants import UNBONDING_BLOCKS
from d2m.protocol.types import ETHER
from tests.support.bidding import Bidding
from tests.support.evm import act, balance, deploy, event, helper, look, mine, rpc, send
from tests.support.play import BOND, CID, KEY, STAKE, TAG, TERMS, Market, People
from tests.support.wealth import wealth

BID = 10_000
SHORT = 10
DAY = b"\x61" + UNBONDING_BLOCKS.to_bytes(
    2, "big"
)  # PUSH2 of the unbonding blocks, too many to mine
SOON = b"\x61" + SHORT.to_bytes(2, "big")
PAYMENTS = ["withdraw", "withdrawStake", "withdrawBond"]


@dataclass(frozen=True)
class Thief:
    """A contract to which the escrow owes a refund, the pool a stake and the registry a bond."""

    market: Market
    owner: Any
    contract: Any
    offer_id: int

    def payment(self, name: str) -> tuple[Any, ...]:
        """A function that sends ether, with what makes it pay the thief."""
        address = self.contract.address
        return {
            "withdraw": (self.market.escrow.withdraw, ETHER, address),
            "withdrawStake": (self.market.pool.withdrawStake, address),
            "withdrawBond": (self.market.registry.withdrawBond, self.offer_id, address),
        }[name]


@pytest.fixture
def thief(staffed: Market, people: People) -> Thief:
    """Everything is due to it; others have as much and more in the same contracts."""
    for each in (staffed.pool, staffed.registry):
        code = bytes.fromhex(rpc("eth_getCode", each.address, "latest")[2:])
        assert DAY in code
        rpc("anvil_setCode", each.address, "0x" + code.replace(DAY, SOON).hex())
    owner = people.deployer
    contract = deploy(helper("Reentrant"), sender=owner)
    bidding = Bidding.open(staffed, people, TERMS)
    args = (bidding.auction_id, BID)
    act(contract, staffed.auction_house.bid, *args, sender=owner, value=BID)
    bidding.bid(people.buyers[0], 2 * BID)
    act(contract, staffed.pool.join, KEY, sender=owner, value=STAKE)
    act(contract, staffed.pool.leave, sender=owner)
    offer = (staffed.registry.offer, [TAG], CID, KEY)
    receipt = act(contract, *offer, sender=owner, value=BOND)
    offer_id = event(receipt, staffed.registry.Offered)["offerId"]
    act(contract, staffed.registry.leave, offer_id, sender=owner)
    mine(SHORT)
    return Thief(staffed, owner, contract, offer_id)


@pytest.mark.parametrize("again", PAYMENTS)
@pytest.mark.parametrize("first", PAYMENTS)
def test_calling_back_while_being_paid_gains_nothing(thief: Thief, first: str, again: str) -> None:
    """A receiver calls a paying function again while its payment is under way: it ends with what
    was due to it, to the wei, and everybody's money is still there."""
    market, address = thief.market, thief.contract.address
    before = wealth(market, address)
    assert before == BID + STAKE + BOND
    held = sum(balance(each) for each in (market.escrow, market.pool, market.registry))
    method, *args = thief.payment(again)
    data = bytes(method.encode_input(*args))
    send(thief.contract.plan, method.contract.address, data, sender=thief.owner)
    act(thief.contract, *thief.payment(first), sender=thief.owner)
    assert look(thief.contract.reentered) == (first != again)
    assert wealth(market, address) == before
    paid = balance(address)
    assert paid == sum({first: _due(first), again: _due(again)}.values())
    assert sum(balance(each) for each in (market.escrow, market.pool, market.registry)) == (
        held - paid
    )


def _due(payment: str) -> int:
    return {"withdraw": BID, "withdrawStake": STAKE, "withdrawBond": BOND}[payment]
