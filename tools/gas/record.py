"""The records of gas: figures, what they are held to, and their page, docs/gas.

docs/gas/snapshot.json holds what was used on anvil, offchain/d2m/chain/gas.json what a chain of
geth takes by each of Ethereum's rules: the limits of the parties' transactions come from it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from d2m.chain.gas import MAINNET, SEPOLIA, TABLES
from tests.support.evm import Receipt

FOLDER = Path("docs/gas")
TOLERANCE = 0.02
"""A figure that grows by more fails the check."""
OWN_VOTE_TARGET = 100_000
FLAT_BETWEEN = (50, 200)
FLATNESS_TARGET = 1.05
CROWDS = (50, 200, 256)
"""Sellers of the jobs whose closing, settlement and claims are compared; 256 is the cap."""
FLOOR = """\
What misses its target is a node's first vote at a position of a job: its commitment takes a fresh
word, which the later ones write over. The floor of a vote by own transactions that keeps a
commitment for each node is about 69,000 gas in that case: twice 21,000 for the transactions, 22,100
for the fresh word, about 4,600 for the call data. The rest is the check that the node holds the
seat and is asked, the mini-round's turnout word (twice), and the two events."""

COLUMNS = """\
"common" is what a call uses as most users make it, or its dearest form where nobody makes another.
"worst" is the gas limit that its dearest form needs, wherever it comes in its block: the first of a
list, a round or a kind, a member that another must move for, words that nobody has revealed before.
It includes what is given back for words that are cleared."""


@dataclass
class Meter:
    """Figures by name: gas of calls, of a vote, of what should not grow with the sellers."""

    need: Callable[[Receipt], int] = lambda receipt: receipt.gas
    """The gas limit that a transaction needed."""

    calls: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    sums: dict[str, int] = field(default_factory=dict)
    """Sums of several transactions: votes, a whole job."""
    by_sellers: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    bytecode: dict[str, int] = field(default_factory=dict)

    def common(self, name: str, receipt: Receipt) -> None:
        """Note a call as most users make it."""
        self.calls[name]["common"] = receipt.gas
        self.worst(name, receipt)

    def worst(self, name: str, receipt: Receipt) -> None:
        """Note what may be the dearest form of a call."""
        known = self.calls[name].get("worst", 0)
        self.calls[name]["worst"] = max(known, self.need(receipt))

    def pairs(self) -> dict[str, list[int]]:
        """Gas of each call as most users make it, and the limit that its dearest form needs.

        Where nobody makes another form, the dearest is the usual one.
        """
        return {
            name: [by.get("common", by["worst"]), by["worst"]]
            for name, by in sorted(self.calls.items())
        } | {name: [gas, gas] for name, gas in self.sums.items()}

    def figures(self) -> dict[str, int]:
        """Every figure under one flat name."""
        flat = {
            f"{name} ({case})": gas for name, by in self.calls.items() for case, gas in by.items()
        }
        flat |= self.sums
        for name, by in self.by_sellers.items():
            flat |= {f"{name}, {sellers} sellers": gas for sellers, gas in by.items()}
        return flat | {f"bytecode of {name}": size for name, size in self.bytecode.items()}

    def growth(self, name: str) -> float:
        """How many times as dear a call is with the larger of the compared crowds."""
        few, many = (self.by_sellers[name][str(sellers)] for sellers in FLAT_BETWEEN)
        return many / few


def record(meter: Meter) -> dict[str, Any]:
    """The committed form."""
    return {
        "calls": {name: meter.calls[name] for name in sorted(meter.calls)},
        "sums": meter.sums,
        "by_sellers": meter.by_sellers,
        "bytecode": meter.bytecode,
    }


def committed() -> dict[str, int]:
    """The figures of docs/gas/snapshot.json, flat."""
    saved = json.loads((FOLDER / "snapshot.json").read_text())
    kept = {name: saved[name] for name in ("calls", "sums", "by_sellers", "bytecode")}
    return Meter(**kept).figures()


def by_rules() -> dict[str, dict[str, list[int]]]:
    """The committed tables of geth, by the name of the rules."""
    found: dict[str, dict[str, list[int]]] = json.loads(TABLES.read_text())
    return found


def flat(pairs: dict[str, list[int]]) -> dict[str, int]:
    """Every figure of a table under one name."""
    return {
        f"{name} ({case})": gas
        for name, pair in pairs.items()
        for case, gas in zip(("common", "worst"), pair, strict=True)
    }


def grown(now: dict[str, int], before: dict[str, int]) -> list[str]:
    """Figures that grew by more than the tolerance, or are not in the record, in words."""
    return [
        f"{name}: {before.get(name, 'not recorded')} → {figure}"
        for name, figure in now.items()
        if name not in before or figure > before[name] * (1 + TOLERANCE)
    ]


def targets(meter: Meter) -> list[tuple[str, str, float, bool]]:
    """Aims: name, target, reached figure, whether it holds."""
    rows: list[tuple[str, str, float, bool]] = [
        (name, f"≤ {OWN_VOTE_TARGET:,}", gas, gas <= OWN_VOTE_TARGET)
        for name, gas in meter.sums.items()
        if name.startswith("vote: own")
    ]
    few, many = FLAT_BETWEEN
    for name in meter.by_sellers:
        ratio = meter.growth(name)
        rows.append(
            (
                f"{name}, {many} : {few} sellers",
                f"≤ {FLATNESS_TARGET}",
                ratio,
                ratio <= FLATNESS_TARGET,
            )
        )
    return rows


def deployment_gas(pairs: dict[str, list[int]]) -> int:
    """Gas of the transactions that make a market."""
    return sum(common for name, (common, _) in pairs.items() if name.startswith("deploy "))


def page(meter: Meter, tables: dict[str, dict[str, list[int]]]) -> str:
    """docs/gas/README.md."""
    mainnet, sepolia = tables[MAINNET], tables[SEPOLIA]
    lines = [
        "# Gas and bytecode",
        "",
        "Written by `make gas` (solc 0.8.37, optimizer 200 runs, cancun). The calls are measured on"
        " geth by the rules that mainnet runs by",
        "(Osaka) and those that Sepolia does (Amsterdam), where a word of storage that is new costs"
        " five times as much; the parties take the limits of",
        "their transactions from the same figures,"
        " [gas.json](../../offchain/d2m/chain/gas.json). The other tables are measured on anvil.",
        "`tests/contracts/test_gas.py` and `tests/clients/test_gas_on_geth.py` fail when a figure"
        " grows by more than 2 %.",
        "",
        f"A deployment costs the sum of the `deploy` rows: {deployment_gas(mainnet):,} gas by"
        f" mainnet's rules, {deployment_gas(sepolia):,} by Sepolia's. At g gwei",
        "per gas a call of n gas costs n · g · 10⁻⁹ ether.",
        "",
        "| aim | target | reached | holds |",
        "|---|---|---|---|",
    ]
    for name, target, figure, holds in targets(meter):
        shown = f"{figure:.3f}" if isinstance(figure, float) else f"{figure:,}"
        lines.append(f"| {name} | {target} | {shown} | {'yes' if holds else 'no'} |")
    lines += ["", FLOOR, "", COLUMNS, ""]
    lines += [
        "| call | mainnet, common | worst | Sepolia, common | worst |",
        "|---|---|---|---|---|",
    ]
    for name in mainnet:
        cells = [f"{gas:,}" for gas in (*mainnet[name], *sepolia[name])]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "| call | " + " | ".join(f"{n} sellers" for n in CROWDS) + " |",
        "|---|---|---|---|",
    ]
    for name, by in meter.by_sellers.items():
        lines.append(f"| {name} | " + " | ".join(f"{by[str(n)]:,}" for n in CROWDS) + " |")
    lines += ["", "| contract | runtime bytes (limit 24,576) |", "|---|---|"]
    lines += [f"| {name} | {size:,} |" for name, size in meter.bytecode.items()]
    return "\n".join(lines) + "\n"
