"""The comparison of contributions as a Markdown table and a plot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import kendalltau, spearmanr

from experiments.formatting import line, write_page, write_plot
from experiments.study import Facts

ORIGINAL, NOISY, COPY, FREE_RIDER, STALE = 0, 4, 5, 6, 7
"""Sellers of a mixed market. NOISY has mostly random labels; COPY sells ORIGINAL's data again (even
seeds) or posts its very update (odd ones); FREE_RIDER posts zeros (even) or noise as large as an
update (odd); STALE posts its last round's update."""


@dataclass(frozen=True)
class Market:
    """Whose model, and who sells."""

    model: str
    kind: str
    """``mixed`` or ``honest``."""


@dataclass(frozen=True)
class Score:
    """One method on one market, or its mean over several."""

    model: str
    kind: str
    method: str
    spearman_mean: float
    """Rank correlation of the credits with exact Shapley values of the game of means."""
    kendall_mean: float
    spearman_part: float
    """The same for the game of parts."""
    kendall_part: float
    evaluations: float
    """Models evaluated in a round beyond those that it evaluates anyway."""
    pair: float
    """Share of ORIGINAL and COPY together."""
    alone: float
    """Share of ORIGINAL in the same rounds without COPY."""
    free_rider: float
    noisy: float
    stale: float

    @classmethod
    def of(
        cls,
        market: Market,
        method: str,
        credits: Sequence[Fraction],
        alone: Sequence[Fraction],
        exact: tuple[Sequence[Fraction], Sequence[Fraction]],
        evaluations: float,
    ) -> Score:
        """Score the credits by seller; ``alone`` are those without COPY, ``exact`` the truths."""
        shares, lone = _shares(credits), _shares(alone)
        ranks = [
            float(np.nan_to_num(rank(shares, np.array(truth, dtype=float)).statistic))
            for truth in exact
            for rank in (spearmanr, kendalltau)  # NaN where all credits are equal: no ranking
        ]
        return cls(
            model=market.model,
            kind=market.kind,
            method=method,
            spearman_mean=ranks[0],
            kendall_mean=ranks[1],
            spearman_part=ranks[2],
            kendall_part=ranks[3],
            evaluations=evaluations,
            pair=shares[ORIGINAL] + shares[COPY],
            alone=lone[ORIGINAL],
            free_rider=shares[FREE_RIDER],
            noisy=shares[NOISY],
            stale=shares[STALE],
        )


FIGURES = [field.name for field in fields(Score)][3:]


def _shares(credits: Sequence[Fraction]) -> list[float]:
    total = sum(credits)
    return [float(credit / total) if total else 0.0 for credit in credits]


def means(scores: Sequence[Score]) -> list[Score]:
    """The mean of every method in every setting, in the order of appearance."""
    groups: dict[tuple[str, str, str], list[Score]] = {}
    for score in scores:
        groups.setdefault((score.model, score.kind, score.method), []).append(score)
    return [_mean(group) for group in groups.values()]


def _mean(scores: Sequence[Score]) -> Score:
    """Mean figures under the first one's names."""
    first = scores[0]
    figures = (float(np.mean([getattr(score, name) for score in scores])) for name in FIGURES)
    return Score(first.model, first.kind, first.method, *figures)


def pages(facts: Facts, folder: Path) -> list[Path]:
    """Write contributions.md (means) and .svg."""
    scores = [Score(**each) for each in facts["scores"]]
    rows = means(scores)
    page = _page(rows, scores, facts["command"])
    return [
        write_page(folder / "contributions.md", page),
        write_plot(folder / "contributions.svg", lambda: _plot(rows)),
    ]


def _page(rows: list[Score], scores: Sequence[Score], command: str) -> Iterable[str]:
    yield from ("# Contributions against exact Shapley values", "")
    yield "Made, not written; markets, games and methods are defined in"
    yield "[contributions.py](../../offchain/experiments/studies/contributions.py)."
    settings = {(row.model, row.kind): None for row in rows}
    methods = {row.method: None for row in rows}
    seeds = len(scores) // (len(settings) * len(methods))
    yield from ("", f"`{command}`: {seeds} markets for each table, means.", "")
    yield "ρ and τ: Spearman's and Kendall's rank correlation with the exact values of the game of"
    yield "means and of the game of parts. Evaluations: models in a round beyond the k + 2 that it"
    yield "evaluates anyway. Pair and alone: the share of a seller and its copy, and of that seller"
    yield "in the same rounds without the copy; an eighth of the pay is 12.5 %."
    yield from ("", "![Rank correlation by evaluations](contributions.svg)")
    yield from ("", "## All markets", "", "The shares are those of the mixed ones.", "")
    head = ["method", "ρ mean", "τ mean", "ρ part", "τ part", "evaluations"]
    shares = ["pair %", "alone %", "free rider %", "noisy %", "stale %"]
    yield line([*head, *shares, "pair above alone"])
    yield line(["---", *["---:"] * (len(head) + len(shares))])
    for method in methods:
        own = [score for score in scores if score.method == method]
        mixed = [score for score in own if score.kind == "mixed"]
        above = sum(score.pair > score.alone for score in mixed)
        cells = [*_cells(_mean(own))[: len(head)], *_cells(_mean(mixed))[len(head) :]]
        yield line([*cells, f"{above} of {len(mixed)}"])
    for model, kind in settings:
        yield from ("", f"## {kind.capitalize()} market, {model}", "")
        shown = [*head, *shares] if kind == "mixed" else head
        yield line(shown)
        yield line(["---", *["---:"] * (len(shown) - 1)])
        for row in rows:
            if (row.model, row.kind) == (model, kind):
                yield line(_cells(row)[: len(shown)])


def _cells(row: Score) -> list[str]:
    ranks = (row.spearman_mean, row.kendall_mean, row.spearman_part, row.kendall_part)
    shares = (row.pair, row.alone, row.free_rider, row.noisy, row.stale)
    return [
        row.method,
        *(f"{rank:.2f}" for rank in ranks),
        f"{row.evaluations:.1f}",
        *(f"{100 * share:.1f}" for share in shares),
    ]


def _plot(rows: Sequence[Score]) -> Figure:
    """Spearman's correlation, the mean of both games, by evaluations: a panel for each setting."""
    settings = list({(row.model, row.kind): None for row in rows})
    methods = list({row.method: None for row in rows})
    figure = Figure(figsize=(7, 1 + 2.4 * -(-len(settings) // 2)), layout="constrained")
    panels = figure.subplots(-(-len(settings) // 2), 2, squeeze=False, sharey=True).flat
    for axes, (model, kind) in zip(panels, settings, strict=False):
        axes.set_title(f"{kind}, {model}")
        for number, method in enumerate(methods):
            own = [r for r in rows if (r.model, r.kind, r.method) == (model, kind, method)]
            ranks = [(row.spearman_mean + row.spearman_part) / 2 for row in own]
            marker = "os^vD<>PX*"[number % 10]
            axes.plot([r.evaluations for r in own], ranks, marker, label=method)
    figure.supxlabel("models evaluated in a round beyond k + 2")
    figure.supylabel("rank correlation (Spearman)")
    handles = figure.axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=2, frameon=False)
    return figure
