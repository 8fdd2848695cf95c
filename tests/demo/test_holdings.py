"""What the contracts owe is what they hold, at every moment of a job."""

from __future__ import annotations

import time
from pathlib import Path

from d2m.demo.record.liabilities import bonds, escrow_owes, stakes
from tests.support.world import BLOCK_SECONDS, MOST_LOOKS, TERMS, World, world

WINDOW_BLOCKS = 200
"""10 s: both buyers get to bid although every look is followed by an audit."""
HOLDERS = ("Escrow", "ConePool", "SellerRegistry", "AuctionHouse")


class Auditor:
    """Compares balances with what is owed whenever a contract has spoken."""

    def __init__(self, market: World) -> None:
        self.contracts = market.contracts
        self.addresses = market.deployment.contracts
        self.next_block = market.deployment.block
        self.seen: set[str] = set()
        """Parts of the escrow's debt that were once above 0."""
        self.owes: dict[str, int] = {}

    def look(self) -> None:
        """Each transaction here is mined before the next is sent, so the reads fit together."""
        chain = self.contracts.chain
        latest = chain.block_number()
        if not chain.has_logs(HOLDERS, self.next_block, latest):
            return
        self.next_block = latest + 1
        self.owes = escrow_owes(self.contracts)
        self.seen |= {part for part, wei in self.owes.items() if wei}
        owed = (sum(self.owes.values()), stakes(self.contracts), bonds(self.contracts), 0)
        assert owed == tuple(chain.balance(self.addresses[name]) for name in HOLDERS)


def test_what_each_contract_owes_equals_its_balance_from_bid_to_withdrawal(tmp_path: Path) -> None:
    with world(tmp_path) as market:
        market.register()
        market.open(terms=TERMS._replace(window_blocks=WINDOW_BLOCKS))
        auditor = Auditor(market)
        parties = [make() for make in market.makers().values()]
        for _look in range(MOST_LOOKS):
            for party in parties:
                party.poll_jobs(party.chain.block_number())
                auditor.look()
            if "CONE pots" in auditor.seen and not any(auditor.owes.values()):
                break
            time.sleep(BLOCK_SECONDS / 2)
        assert auditor.seen == set(auditor.owes)
        assert not any(auditor.owes.values())
