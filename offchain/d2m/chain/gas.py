"""Most gas of each call by the rules that a chain runs by, measured on geth: gas.json.

`make gas` writes it: for each call gas as most users make it, and the limit that its dearest form
needs. Which form a call takes is decided by what stands before it in its block, so nobody can
estimate it: whoever is first of a round, a list or a kind pays for a new word.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

TABLES = Path(__file__).with_name("gas.json")
MAINNET, SEPOLIA = "osaka", "amsterdam"
"""The rules there are tables for, by the name of the upgrade that brought them."""
TRANSACTION_GAS = 1 << 24
"""Most gas of a transaction by mainnet's rules (EIP-7825); by Sepolia's it leaves out what new
state costs, so a limit may be higher there."""
SIZED_BY = {
    "SellerRegistry.offer": "tags",
    "SellerRegistry.update": "tags",
    "ConePool.slash": "offences",
    "Escrow.claimCone": "votes",
}
"""Arguments whose length decides what a call costs."""


class Span(NamedTuple):
    """Gas of a call as most users make it, and in its dearest form."""

    common: int
    worst: int

    def limit(self, estimate: int) -> int:
        """Gas limit of a call with such an estimate: enough wherever it comes in its block.

        Others' transactions can add the difference of the two forms; gas of the estimate above
        both (a long history that is searched, a costly token) stays.
        """
        return max(self.worst, estimate + self.worst - self.common)


def rules_of(block: Mapping[str, Any]) -> str:
    """By whose rules the chain of a block runs: Amsterdam brought headers a list of accesses."""
    return SEPOLIA if "blockAccessListHash" in block else MAINNET


def most_gas(block: Mapping[str, Any]) -> int:
    """The highest limit that a transaction can have in a block like this one."""
    whole = int(block["gasLimit"])
    return whole if rules_of(block) == SEPOLIA else min(whole, TRANSACTION_GAS)


def dearest(rules: str, row: str) -> int:
    """Most gas of a row of the table, or of one between two: "Contract.function: 3 tags"."""
    table = _table(rules)
    if row in table:
        return table[row].worst
    found = span(rules, row.partition(": ")[0], {}, _size(row))
    assert found is not None, row
    return found.worst


def span(
    rules: str, step: str, arguments: Mapping[str, Any], size: int | None = None
) -> Span | None:
    """Gas of a call ("Contract.function") in all its forms; None where nobody has measured it.

    A call that depends on a number of things is measured for two numbers. Here it is for as many
    as the arguments hold, or for `size` where the chain alone knows; without it, for the larger.
    """
    forms = _forms(rules, step)
    if not forms:
        return None
    sizes = {_size(row): form for row, form in forms.items() if _size(row)}
    if not sizes:
        return Span(
            min(each.common for each in forms.values()), max(each.worst for each in forms.values())
        )
    low, high = sorted(sizes)
    if size is None:
        size = len(arguments[SIZED_BY[step]]) if step in SIZED_BY else high
    ends = zip(sizes[low], sizes[high], strict=True)
    return Span(*(_between(low, high, *pair, size) for pair in ends))


def _between(low: int, high: int, at_low: int, at_high: int, size: int) -> int:
    """On the line through both figures, rounded up."""
    return at_low - (at_low - at_high) * (size - low) // (high - low)


def _forms(rules: str, step: str) -> dict[str, Span]:
    return {
        row: found
        for row, found in _table(rules).items()
        if row == step or row.startswith(f"{step}: ")
    }


def _size(row: str) -> int:
    """The number that a row was measured for, 0 where it is none."""
    first = row.partition(": ")[2].partition(" ")[0]
    return int(first) if first.isdecimal() else 0


@cache
def _table(rules: str) -> dict[str, Span]:
    tables = json.loads(TABLES.read_text(encoding="utf-8"))
    return {row: Span(*pair) for row, pair in tables[rules].items()}
