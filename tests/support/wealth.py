"""Who ends richer: what parties own in ether, the gas that they paid aside."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from d2m.protocol.types import ETHER, Node, Offer
from tests.support.evm import balance, height, look, rpc
from tests.support.play import Market


def wealth(market: Market, account: Any) -> int:
    """Wei in the wallet, credited, staked and in bonds."""
    stake = Node(*look(market.pool.nodeOf, account)).stake
    credit = int(look(market.escrow.credit, ETHER, account))
    return balance(account) + credit + stake + bonds(market, account)


def bonds(market: Market, account: Any) -> int:
    registry, address = market.registry, account if isinstance(account, str) else account.address
    count = look(registry.offerCount)
    offers = [Offer(*look(registry.offerOf, each)) for each in range(1, count + 1)]
    return sum(each.bond for each in offers if each.seller == address)


@dataclass(frozen=True)
class Ledger:
    """What everybody owned when it was opened."""

    market: Market
    block: int
    before: dict[str, int]

    @classmethod
    def open(cls, market: Market, accounts: Collection[Any]) -> Ledger:
        addresses = [each if isinstance(each, str) else each.address for each in accounts]
        return cls(market, height(), {each: wealth(market, each) for each in addresses})

    def gain(self, *accounts: Any) -> int:
        """Wei that the accounts together are richer by, with the gas they paid given back."""
        addresses = [each if isinstance(each, str) else each.address for each in accounts]
        now = sum(wealth(self.market, each) for each in addresses)
        return now + self._gas_paid(addresses) - sum(self.before[each] for each in addresses)

    def _gas_paid(self, addresses: list[str]) -> int:
        payers = {each.lower() for each in addresses}
        return sum(
            int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
            for block in range(self.block + 1, height() + 1)
            for receipt in rpc("eth_getBlockReceipts", hex(block))
            if receipt["from"].lower() in payers
        )
