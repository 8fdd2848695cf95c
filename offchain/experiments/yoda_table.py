"""The simulated votes as a table: CSV, Markdown and a plot, written beside each other."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import beta

from d2m.protocol.types import BPS, PPM
from experiments.yoda import STRATEGIES, Digest, Outcomes, Setting

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


def save(table: Table, folder: Path) -> None:
    """Write yoda.csv, yoda.svg and yoda.md into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [row.cells() for row in table.rows]
    with (folder / "yoda.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    (folder / "yoda.md").write_text(
        "\n".join(
            [
                *("# The vote, simulated", "", "Made, not written; the strategies are defined in"),
                *("[yoda.py](../../offchain/experiments/yoda.py).", "", table.summary(), ""),
                *("![Mean nodes asked by the true share of Byzantine nodes](yoda.svg)", ""),
                *(_line(rows[0]), _line(["---:"] * len(rows[0]))),
                *(_line(cells.values()) for cells in rows),
                "",
            ]
        )
    )
    _plot(table.rows, folder / "yoda.svg")


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plot(rows: Sequence[Row], path: Path) -> None:
    """Mean nodes asked by the true share of liars: a panel for each pool, a line for each strategy.

    The salt in place of a random one: the same rows give the same file.
    """
    pools = [(pool, list(own)) for pool, own in groupby(rows, lambda row: row.setting.pool)]
    columns = len({pool.seats for pool, _ in pools})
    lines = -(-len(pools) // columns)
    with rc_context({"svg.hashsalt": path.name, "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(2.6 * columns, 2.6 * lines), layout="constrained")
        panels = figure.subplots(lines, columns, squeeze=False).flat
        for axes, (pool, own) in zip(panels, pools, strict=True):
            axes.set_title(f"N = {pool.seats}, f = {pool.byzantine_bps / BPS}")
            _lines(axes, own)
        figure.supxlabel("true share of Byzantine nodes")
        figure.supylabel("nodes asked, mean")
        figure.axes[0].legend(frameon=False)
        figure.savefig(path, metadata={"Date": None})


def _lines(axes: Axes, rows: Sequence[Row]) -> None:
    for name, marker in MARKERS.items():
        points = [
            (row.setting.liars_bps / BPS, row.asked)
            for row in rows
            if row.strategy in (name, "none")
        ]
        axes.plot(*zip(*points, strict=True), marker=marker, markersize=4, label=name)
    axes.set_ylim(bottom=0)
