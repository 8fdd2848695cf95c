"""Short names and numbers for people: S3 is the seller with index 3 on chain."""

from __future__ import annotations

from collections.abc import Iterable

from d2m.demo.report.model import Report

DIGEST_DIGITS = 8


class Names:
    """Short name of an address: S sellers, C CONE nodes, B buyers, numbered from 0.

    Matched sellers carry their index on chain, unmatched ones follow; CONE nodes are numbered in
    the order of `payouts_wei`, buyers in the order of `bids_wei`. Others stay short addresses.
    """

    def __init__(self, report: Report) -> None:
        cone = [address for address, payout in report.payouts_wei.items() if payout.role == "cone"]
        groups = {
            "B": list(report.bids_wei),
            "C": cone,
            "S": report.auction.matched + report.auction.unmatched,
        }
        self._names = {
            address: f"{letter}{number}"
            for letter, addresses in groups.items()
            for number, address in enumerate(addresses)
        }

    def __call__(self, address: str) -> str:
        """The name of one party."""
        return self._names.get(address, short_address(address))

    def all(self, addresses: Iterable[str]) -> str:
        """The names of several parties, in one line; a dash where there are none."""
        return " ".join(self(address) for address in addresses) or "-"


def short_address(address: str) -> str:
    """Abridge an address: 0x1234..cdef."""
    return f"{address[:6]}..{address[-4:]}"


def short_digest(digest: str) -> str:
    """The first hexadecimal digits of a digest, without 0x."""
    return digest.removeprefix("0x")[:DIGEST_DIGITS]


def percent(share: float | None) -> str:
    """0.9139 -> 91.39 %; for what was never measured, that."""
    return "not measured" if share is None else f"{100 * share:.2f} %"
