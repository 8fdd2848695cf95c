"""The record of gas and bytecode in docs/gas: its figures, what they are held to, and its page."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path("docs/gas")
TOLERANCE = 0.02
"""A figure that grows by more fails the check."""
OWN_VOTE_TARGET, BATCHED_VOTE_TARGET = 100_000, 25_000
BATCH = 50
"""Votes of the batch that is measured."""
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


@dataclass
class Meter:
    """Figures by name: gas of calls, of a vote, of what should not grow with the sellers."""

    calls: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    votes: dict[str, int] = field(default_factory=dict)
    by_sellers: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    bytecode: dict[str, int] = field(default_factory=dict)

    def common(self, name: str, gas: int) -> None:
        self.calls[name]["common"] = gas

    def worst(self, name: str, gas: int) -> None:
        self.calls[name]["worst"] = gas

    def figures(self) -> dict[str, int]:
        """Every figure under one flat name."""
        flat = {
            f"{name} ({case})": gas for name, by in self.calls.items() for case, gas in by.items()
        }
        flat |= {f"vote: {name}": gas for name, gas in self.votes.items()}
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
        "votes": meter.votes,
        "by_sellers": meter.by_sellers,
        "bytecode": meter.bytecode,
    }


def committed() -> dict[str, int]:
    """The figures of docs/gas/snapshot.json, flat."""
    saved = json.loads((FOLDER / "snapshot.json").read_text())
    return Meter(saved["calls"], saved["votes"], saved["by_sellers"], saved["bytecode"]).figures()


def grown(now: dict[str, int], before: dict[str, int]) -> list[str]:
    """What grew by more than the tolerance, or is not in the record, in words."""
    return [
        f"{name}: {before.get(name, 'not recorded')} → {figure}"
        for name, figure in now.items()
        if name not in before or figure > before[name] * (1 + TOLERANCE)
    ]


def targets(meter: Meter) -> list[tuple[str, str, float, bool]]:
    """What is aimed at: name, target, reached figure, whether it holds."""
    batched = meter.votes[f"batched, of {BATCH}"]
    rows: list[tuple[str, str, float, bool]] = [
        (f"vote: {name}", f"≤ {OWN_VOTE_TARGET:,}", gas, gas <= OWN_VOTE_TARGET)
        for name, gas in meter.votes.items()
        if name.startswith("own")
    ]
    rows.append(
        (
            f"vote: batched, of {BATCH}",
            f"≤ {BATCHED_VOTE_TARGET:,}",
            batched,
            batched <= BATCHED_VOTE_TARGET,
        )
    )
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


def deployment_gas(meter: Meter) -> int:
    """Gas of the transactions that make a market."""
    return sum(by["common"] for name, by in meter.calls.items() if name.startswith("deploy "))


def table(meter: Meter) -> str:
    """docs/gas/README.md."""
    lines = [
        "# Gas and bytecode",
        "",
        "Written by `make gas` (solc 0.8.37, optimizer 200 runs, cancun; anvil). The test"
        " `tests/contracts/test_gas.py` fails when a figure grows by more than 2 %.",
        '"common" is the call as most users make it, "worst" the dearest form that the rules',
        "allow.",
        "",
        f"A deployment costs the sum of the `deploy` rows, {deployment_gas(meter):,} gas. At g gwei"
        " per gas a call of n gas costs n · g · 10⁻⁹ ether.",
        "",
        "| aim | target | reached | holds |",
        "|---|---|---|---|",
    ]
    for name, target, figure, holds in targets(meter):
        shown = f"{figure:.3f}" if isinstance(figure, float) else f"{figure:,}"
        lines.append(f"| {name} | {target} | {shown} | {'yes' if holds else 'no'} |")
    lines += ["", FLOOR, "", "| call | common | worst |", "|---|---|---|"]
    for name in sorted(meter.calls):
        by = meter.calls[name]
        cells = [f"{by[case]:,}" if case in by else "" for case in ("common", "worst")]
        lines.append(f"| {name} | {cells[0]} | {cells[1]} |")
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
