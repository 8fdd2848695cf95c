"""Membership inference as a Markdown table and a plot."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from experiments.formatting import line, write_page, write_plot
from experiments.study import Facts

DELIVERED, POSTED = "delivered model", "a seller's last update"
DELTA = 1e-4
"""A hundredth of one over a seller's records."""
NORMAL_95 = 1.96
"""Half of a 95 % interval in standard errors."""


@dataclass(frozen=True)
class Setting:
    """How the sellers train."""

    kind: str
    """``none``, or a kind of privacy."""
    epsilon: float | None
    """What a seller may spend in the job."""

    def __str__(self) -> str:
        return self.kind if self.epsilon is None else f"{self.kind}, ε = {self.epsilon:g}"


@dataclass(frozen=True)
class Row:
    """One attack on one job."""

    kind: str
    epsilon: float | None
    noise: float
    """Multiplier; 0 without privacy."""
    spent: float | None
    """ε of each seller when the job ended."""
    accuracy: float
    target: str
    attack: str
    advantage: float
    auc: float
    low: float

    @property
    def setting(self) -> Setting:
        """How the job's sellers trained."""
        return Setting(self.kind, self.epsilon)


def pages(facts: Facts, folder: Path) -> list[Path]:
    """Write membership.md (means) and .svg."""
    rows = [Row(**each) for each in facts["rows"]]
    return [
        write_page(folder / "membership.md", _page(rows, facts["command"])),
        write_plot(folder / "membership.svg", lambda: _plot(rows)),
    ]


def groups(rows: Sequence[Row]) -> dict[tuple[Setting, str, str], list[Row]]:
    """Jobs by setting, target and attack, in the order of appearance."""
    found: dict[tuple[Setting, str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row.setting, row.target, row.attack), []).append(row)
    return found


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean, and half of its 95 % interval."""
    error = np.std(values, ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return float(np.mean(values)), float(NORMAL_95 * error)


def most_allowed(epsilon: float | None, delta: float) -> float:
    """The largest advantage that (ε, δ) leaves any attack: (e^ε − 1 + 2δ)/(e^ε + 1); 1 without."""
    if epsilon is None:
        return 1.0
    return math.tanh(epsilon / 2) + 2 * delta / (math.exp(epsilon) + 1)


def _page(rows: Sequence[Row], command: str) -> Iterable[str]:
    jobs = len(next(iter(groups(rows).values())))
    yield from ("# Membership inference", "")
    yield "Made, not written; jobs and attacks are defined in"
    yield "[membership.py](../../offchain/experiments/studies/membership.py) and"
    yield "[membership_attacks.py](../../offchain/experiments/studies/membership_attacks.py)."
    yield from ("", f"`{command}`: {jobs} jobs for each row; mean ± half of a 95 % interval.", "")
    yield "Advantage: true less false positive rate of an attacker that fixed its threshold on the"
    yield "other jobs; 0 is guessing, 1 is knowing. TPR: members found while at most 1 % of the"
    yield "others are accused. ε: what each seller has spent when the job ends, of one record added"
    yield f"or removed (per-example) or of all of a seller's data (per-update), δ = {DELTA:g}. At"
    yield "most: the largest advantage on one record that this leaves any attacker at all. Jobs"
    yield "share a pool of records, two by two they are its halves, and an attack's shadows are the"
    yield "other jobs: the intervals are of this pool, not of all data."
    yield from ("", "![Advantage by accuracy](membership.svg)", "")
    told_of = ["advantage %", "at most %", "AUC", "TPR %"]
    yield line(["privacy", "noise", "accuracy %", "attack on", "attack", *told_of])
    yield line(["---", "---:", "---:", "---", "---", *["---:"] * len(told_of)])
    for (setting, target, attack), own in groups(rows).items():
        noise = f"{own[0].noise:.2f}" if own[0].noise else "–"
        accuracy, told, area, low = (
            interval([getattr(row, name) for row in own])
            for name in ("accuracy", "advantage", "auc", "low")
        )
        yield line(
            [
                str(setting),
                noise,
                _percent(accuracy),
                target,
                attack,
                _percent(told),
                f"{100 * most_allowed(own[0].spent, DELTA):.1f}",
                f"{area[0]:.3f} ± {area[1]:.3f}",
                _percent(low),
            ]
        )


def _percent(value: tuple[float, float]) -> str:
    return f"{100 * value[0]:.1f} ± {100 * value[1]:.1f}"


def _plot(rows: Sequence[Row]) -> Figure:
    """Advantage by accuracy, a panel for each attack; a mark for each setting."""
    found = groups(rows)
    attacks = list({(target, attack): None for _, target, attack in found})
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    panels = figure.subplots(1, len(attacks), squeeze=False, sharey=True).flat
    for axes, (target, attack) in zip(panels, attacks, strict=True):
        axes.set_title(f"{attack}: {target}", fontsize=9)
        axes.axhline(0, color="grey", linewidth=0.5)
        own = [(key[0], each) for key, each in found.items() if key[1:] == (target, attack)]
        for number, (setting, each) in enumerate(own):
            across = interval([100 * row.accuracy for row in each])
            up = interval([100 * row.advantage for row in each])
            axes.errorbar(
                across[0],
                up[0],
                up[1],
                across[1],
                "os^vD"[number % 5],
                label=str(setting),
            )
    figure.supxlabel("accuracy of the delivered model, %")
    figure.supylabel("advantage of the attacker, %")
    handles = figure.axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=3, frameon=False)
    return figure
