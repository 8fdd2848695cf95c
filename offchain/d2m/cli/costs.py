"""Most that serving costs a party, and what it binds, at the present price of gas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from d2m.chain.gas import dearest
from d2m.chain.prepared import Price
from d2m.protocol.amounts import shown_amount

VOTES_A_ROUND = 2
"""A draw asks each node once at most, and a round is drawn twice at most."""
WITHDRAWALS = 2
"""At the end of a job: its token, and slashed stakes in ether."""

PUSH = {"Jobs.advance": 1}
CONE = {
    "once, to join": {"ConePool.join": 1},
    "a round: its votes, their claims, an opening": {
        "Yoda.commit": VOTES_A_ROUND,
        "Yoda.reveal": VOTES_A_ROUND,
        "Escrow.claimCone: 1 vote": VOTES_A_ROUND,
        "Jobs.open: settles": 1,
    },
    "a job's end": {"Escrow.withdraw": WITHDRAWALS},
    "each offence of others that it punishes": {"ConePool.slash: 1 offence": 1},
    "each push of a job that others leave overdue": PUSH,
}
SELLER = {
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
"""Calls that a party sends, by occasion, with their numbers."""


def seller_occasions(tags: int, *, has_offer: bool) -> dict[str, dict[str, int]]:
    """Calls of a seller whose offer stands under so many tags, or is to."""
    size = f"{tags} tags"
    if has_offer:
        change = {f"SellerRegistry.update: {size}": 1, f"SellerRegistry.resume: {size}": 1}
        return {"once, if the offer is to change": change, **SELLER}
    return {"once, to offer": {f"SellerRegistry.offer: {size}": 1}, **SELLER}


class CostEstimate(NamedTuple):
    """Commitments that a serving party is about to sign unattended."""

    title: str
    binds: str
    """Form in which its money is bound: "a stake", "the bids, at most"."""
    amount: int
    """Amount that is bound, in wei or the smallest unit of `token`."""
    token: str
    occasions: Mapping[str, Mapping[str, int]]
    price: Price
    rules: str
    """Rules that the chain runs by: they decide what gas a call takes."""
    note: str = ""
    """Further facts to know before agreeing."""

    def gas(self, occasion: str) -> int:
        """Most gas of an occasion."""
        calls = self.occasions[occasion]
        return sum(dearest(self.rules, call) * times for call, times in calls.items())

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
