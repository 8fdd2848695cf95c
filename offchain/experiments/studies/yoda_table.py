"""The simulated votes as a table: CSV, Markdown and a plot, written beside each other."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import beta

from d2m.protocol.constants import BPS, PPM
from d2m.protocol.likelihood import Pool
from experiments.formatting import line, write_page, write_plot
from experiments.studies.yoda import STRATEGIES, Digest, Outcomes, Setting
from experiments.study import Facts

CONFIDENCE = 0.95
TOLERANCE = 0.05
"""How far the mean number of nodes asked may be from the exact test's, as a share of it."""

MARKERS = dict(zip(STRATEGIES, "osv^", strict=True))


@dataclass(frozen=True)
class Row:
    """One setting, played with the contract's test and, on the same pools, with the exact one."""

    setting: Setting
    error_ppm: int
    rounds: int
    wrong: int
    undecided: int
    asked: float
    """Mean nodes asked for a round."""
    asked_exactly: float
    """The same with the exact test."""

    @classmethod
    def of(cls, setting: Setting, error_ppm: int, contract: Outcomes, exact: Outcomes) -> Row:
        """Count the outcomes."""
        return cls(
            setting,
            error_ppm,
            len(contract.digest),
            int((contract.digest > Digest.TRUE).sum()),
            int((contract.digest == Digest.UNDECIDED).sum()),
            float(contract.asked.mean()),
            float(exact.asked.mean()),
        )

    @classmethod
    def from_facts(cls, facts: Facts) -> Row:
        """The row that `facts` gave."""
        pool = Pool(facts["seats"], facts["byzantine_bps"])
        setting = Setting(pool, facts["base"], facts["liars_bps"], facts["strategy"])
        return cls(setting, *(facts[name] for name in _COUNTS))

    def facts(self) -> Facts:
        """All of it, fit for JSON."""
        own = self.setting
        return {
            "seats": own.pool.seats,
            "byzantine_bps": own.pool.byzantine_bps,
            "base": own.base,
            "liars_bps": own.liars_bps,
            "strategy": own.strategy,
            **{name: getattr(self, name) for name in _COUNTS},
        }

    @property
    def wrong_bound(self) -> float:
        """Clopper and Pearson's one-sided upper bound of the chance of a wrong result."""
        return float(beta.ppf(CONFIDENCE, self.wrong + 1, self.rounds - self.wrong))

    @property
    def ratio(self) -> float:
        """Mean nodes asked, as a multiple of the exact test's."""
        return self.asked / self.asked_exactly

    @property
    def strategy(self) -> str:
        """The liars' strategy, "none" where nobody lies."""
        return self.setting.strategy if self.setting.liars else "none"

    @property
    def holds(self) -> bool:
        """Wrong at most β, never undecided, as quick as the exact test."""
        rarely_wrong = self.wrong * PPM <= self.error_ppm * self.rounds
        return rarely_wrong and not self.undecided and abs(self.ratio - 1) <= TOLERANCE

    def cells(self) -> dict[str, str]:
        """The figures by the columns' names."""
        pool = self.setting.pool
        return {
            "N": str(pool.seats),
            "f": str(pool.byzantine_bps / BPS),
            "strategy": self.strategy,
            "true share": str(self.setting.liars_bps / BPS),
            "rounds": str(self.rounds),
            "wrong": str(self.wrong),
            "wrong at most (95 %)": f"{self.wrong_bound:.1e}",
            "undecided": str(self.undecided),
            "nodes asked": f"{self.asked:.2f}",
            "exact test": f"{self.asked_exactly:.2f}",
            "ratio": f"{self.ratio:.4f}",
        }


_COUNTS = ("error_ppm", "rounds", "wrong", "undecided", "asked", "asked_exactly")


@dataclass(frozen=True)
class Table:
    """All settings, and how the two tests compared."""

    rows: list[Row]
    decided: int
    """Different tallies that came up, each in its pool."""
    different: int
    """How many of them the contract decides otherwise than the exact test."""
    command: str
    """Command that makes this table."""

    def summary(self) -> str:
        """The claims with their figures, in Markdown."""
        first = self.rows[0]
        most = max(self.rows, key=lambda row: row.wrong / row.rounds)
        off = max(abs(row.ratio - 1) for row in self.rows)
        return "\n".join(
            [
                f"`{self.command}`: {len(self.rows)} settings of {first.rounds:,} rounds each,",
                f"β = {first.error_ppm / PPM:g}, execution sets of {first.setting.base} + 2^(i-1).",
                "",
                f"- Wrong results: {sum(row.wrong for row in self.rows)} in all; at most"
                f" {most.wrong} in a setting, {most.wrong / most.rounds:.1e} of its rounds.",
                "- Largest one-sided 95 % upper bound of a setting's chance of a wrong result"
                f" (Clopper and Pearson): {max(row.wrong_bound for row in self.rows):.1e}.",
                f"- Undecided rounds: {sum(row.undecided for row in self.rows)}.",
                f"- Mean nodes asked: at most {100 * off:.2f} % off the exact test's.",
                f"- Different tallies that came up: {self.decided:,}; decided otherwise by the"
                f" contract than by exact rationals: {self.different}.",
            ]
        )

    @classmethod
    def from_facts(cls, facts: Facts) -> Table:
        """The table that `facts` gave."""
        rows = [Row.from_facts(each) for each in facts["rows"]]
        return cls(rows, facts["decided"], facts["different"], facts["command"])

    def facts(self) -> Facts:
        """All of it, fit for JSON."""
        return {
            "command": self.command,
            "decided": self.decided,
            "different": self.different,
            "rows": [row.facts() for row in self.rows],
        }


def pages(facts: Facts, folder: Path) -> list[Path]:
    """Write yoda.csv, yoda.md and yoda.svg."""
    table = Table.from_facts(facts)
    rows = [row.cells() for row in table.rows]
    figures = folder / "yoda.csv"
    with figures.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    page = [
        *("# The vote, simulated", "", "Made, not written; the strategies are defined in"),
        *("[yoda.py](../../offchain/experiments/studies/yoda.py).", "", table.summary(), ""),
        *("![Mean nodes asked by the true share of Byzantine nodes](yoda.svg)", ""),
        *(line(rows[0]), line(["---:"] * len(rows[0]))),
        *(line(cells.values()) for cells in rows),
    ]
    plot = write_plot(folder / "yoda.svg", lambda: _plot(table.rows))
    return [figures, write_page(folder / "yoda.md", page), plot]


def _plot(rows: Sequence[Row]) -> Figure:
    """Mean nodes asked by the true share of liars: a panel a pool, a line a strategy."""
    pools = [(pool, list(own)) for pool, own in groupby(rows, lambda row: row.setting.pool)]
    columns = len({pool.seats for pool, _ in pools})
    lines = -(-len(pools) // columns)
    figure = Figure(figsize=(2.6 * columns, 2.6 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).flat
    for axes, (pool, own) in zip(panels, pools, strict=True):
        axes.set_title(f"N = {pool.seats}, f = {pool.byzantine_bps / BPS}")
        _lines(axes, own)
    figure.supxlabel("true share of Byzantine nodes")
    figure.supylabel("nodes asked, mean")
    figure.axes[0].legend(frameon=False)
    return figure


def _lines(axes: Axes, rows: Sequence[Row]) -> None:
    for name, marker in MARKERS.items():
        points = [
            (row.setting.liars_bps / BPS, row.asked)
            for row in rows
            if row.strategy in (name, "none")
        ]
        axes.plot(*zip(*points, strict=True), marker=marker, markersize=4, label=name)
    axes.set_ylim(bottom=0)
