"""What serving costs a party at most, and what it binds, at the present price of gas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from offchain.chain.amounts import shown_amount
from offchain.chain.prepared import Price

GAS = {
    "AuctionHouse.bid": 109_000,
    "AuctionHouse.close": 401_000,
    "AuctionHouse.reclaim": 69_000,
    "AuctionHouse.revealBid": 97_000,
    "AuctionHouse.sealBid": 122_000,
    "ConePool.join": 154_000,
    "ConePool.slash: one offence": 235_000,
    "Escrow.claimCone: one vote": 134_000,
    "Escrow.claimSeller": 118_000,
    "Escrow.withdraw": 59_000,
    "Jobs.advance: digest accepted": 152_000,
    "Jobs.open: settles": 209_000,
    "Jobs.postUpdate": 80_000,
    "KeyRings.post": 27_000,
    "KeyRings.register": 46_000,
    "SellerRegistry.offer": 1_285_000,
    "Yoda.commit": 72_000,
    "Yoda.reveal: first of its words": 158_000,
}
"""Gas of calls in their dearest form: docs/gas and a hundredth, rounded up to thousands."""
VOTES_A_ROUND = 2
"""A draw asks each node once at most, and a round is drawn twice at most."""
WITHDRAWALS = 2
"""At the end of a job: its token, and slashed stakes in ether."""

PUSH = {"Jobs.advance: digest accepted": 1}
CONE = {
    "once, to join": {"ConePool.join": 1},
    "a round: its votes, their claims, an opening": {
        "Yoda.commit": VOTES_A_ROUND,
        "Yoda.reveal: first of its words": VOTES_A_ROUND,
        "Escrow.claimCone: one vote": VOTES_A_ROUND,
        "Jobs.open: settles": 1,
    },
    "a job's end": {"Escrow.withdraw": WITHDRAWALS},
    "each offence of others that it punishes": {"ConePool.slash: one offence": 1},
    "each push of a job that others leave overdue": PUSH,
}
SELLER = {
    "once, to offer": {"SellerRegistry.offer": 1},
    "a round": {"Jobs.postUpdate": 1},
    "a job's end": {"Escrow.claimSeller": 1, "Escrow.withdraw": WITHDRAWALS},
    "each push of a job that others leave overdue": PUSH,
}
OPEN_BID = {
    "once, its key": {"KeyRings.register": 1},
    "each bid": {"AuctionHouse.bid": 1},
    "the auction's end": {"AuctionHouse.close": 1},
    "the job's key, as opener": {"KeyRings.post": 1},
    "the job's end": {"Escrow.withdraw": WITHDRAWALS},
    "each push of a job that others leave overdue": PUSH,
}
SEALED_BID = {
    "once, its key": {"KeyRings.register": 1},
    "the bid and its reveal": {"AuctionHouse.sealBid": 1, "AuctionHouse.revealBid": 1},
    "the auction's end": {"AuctionHouse.close": 1, "AuctionHouse.reclaim": 1},
    "the job's key, as opener": {"KeyRings.post": 1},
    "the job's end": {"Escrow.withdraw": WITHDRAWALS},
    "each push of a job that others leave overdue": PUSH,
}
OPENER = {
    "the auction's end": {"AuctionHouse.close": 1},
    "the job's key": {"KeyRings.post": 1},
    "each push of a job that others leave overdue": PUSH,
}
"""What a party sends, by occasion: how often it makes each call."""


class Plan(NamedTuple):
    """What a serving party is about to sign unattended."""

    title: str
    binds: str
    """What its money is bound as: "a stake", "the bids, at most"."""
    amount: int
    """What is bound, in wei or the smallest unit of `token`."""
    token: str
    occasions: Mapping[str, Mapping[str, int]]
    price: Price
    note: str = ""
    """What else to know before agreeing."""

    def gas(self, occasion: str) -> int:
        """Most gas of an occasion."""
        return sum(GAS[call] * times for call, times in self.occasions[occasion].items())

    def lines(self) -> list[str]:
        """For people."""
        lines = [self.title, f"  binds {self.binds}: {shown_amount(self.amount, self.token)}"]
        lines.append("  costs at most, at the present price of gas:")
        for occasion in self.occasions:
            gas = self.gas(occasion)
            lines.append(f"    {occasion}: {gas} gas, {shown_amount(self.price.now(gas))}")
        return [*lines, f"  {self.note}"] if self.note else lines

    def as_json(self) -> dict[str, Any]:
        """For machines. Amounts are decimal strings."""
        costs = {
            occasion: {
                "gas": self.gas(occasion),
                "fee_now": str(self.price.now(self.gas(occasion))),
            }
            for occasion in self.occasions
        }
        bound = {"what": self.binds, "amount": str(self.amount), "token": self.token}
        plan = {"type": "plan", "title": self.title, "binds": bound, "costs": costs}
        return plan | {"note": self.note} if self.note else plan
