"""Plots of a grid's results. The same results give the same file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from d2m.protocol.constants import BPS
from experiments.formatting import write_plot
from experiments.paper.cells import HONEST, NO_ATTACK, Cell
from experiments.paper.results import Result
from experiments.paper.tables import (
    LAST_ROUNDS,
    cell_of,
    curve,
    final,
    lies,
    percent,
    seconds,
    steady,
)

_MARKERS = "osD^vPX*"
_SIZE_OF_A_TENTH = 12
"""Area of the marker, in points², for a tenth of the sellers lying; more are larger."""


def save_plot(name: str, results: Sequence[Result], path: Path) -> Path:
    """Write the plot of the grid `name` as SVG."""
    return write_plot(path, lambda: PLOTS[name](results), font_size=8)


def by_round(results: Sequence[Result]) -> Figure:
    """Accuracy by round, a panel for each data set; dashed where nobody lies beside who does."""
    figure, panels = _panels(results, lambda cell: cell.dataset)
    some_lie = any(lies(cell_of(result)) != "nobody" for result in results)
    for axes, own in panels:
        for result in own:
            accuracies, cell = curve(result), cell_of(result)
            style = "--" if some_lie and lies(cell) == "nobody" else "-"
            rounds = range(1, len(accuracies) + 1)
            axes.plot(rounds, accuracies, style, label=_label(cell))
    return _finished(figure, "round", "test accuracy, %")


def by_node_share(results: Sequence[Result]) -> Figure:
    """Last accuracy by the share of Byzantine nodes; 0 where the job failed."""
    figure, panels = _panels(results, lambda cell: cell.dataset)
    for axes, own in panels:
        clean = [result for result in own if cell_of(result).voting == HONEST]
        votes = dict.fromkeys(cell_of(result).voting for result in own if result not in clean)
        for rank, (vote, marker) in enumerate(zip(votes, cycle(_MARKERS), strict=False)):
            lying = [result for result in own if cell_of(result).voting == vote]
            shares = [100 * cell_of(result).byzantine_nodes / BPS for result in clean + lying]
            # Where all lines agree the later ones must not hide the first.
            size = 4 + 3 * (len(votes) - rank)
            axes.plot(
                shares, list(map(final, clean + lying)), marker=marker, ms=size, label=vote, mfc="w"
            )
        axes.set_ylim(bottom=0)
    return _finished(figure, "Byzantine CONE nodes, %", "test accuracy after the last round, %")


def by_attack(results: Sequence[Result]) -> Figure:
    """Accuracy under every attack, a panel for each data set and partition.

    A marker for each method, larger the more sellers lie.
    """
    figure, panels = _panels(results, lambda cell: f"{cell.dataset}, {cell.partition}")
    attacks = list(dict.fromkeys(cell_of(result).attack for result in results))
    methods = dict(zip(dict.fromkeys(cell_of(r).method for r in results), cycle(_MARKERS)))
    for axes, own in panels:
        for number, (method, marker) in enumerate(methods.items()):
            points = [result for result in own if cell_of(result).method == method]
            axes.scatter(
                list(map(steady, points)),
                [attacks.index(cell_of(result).attack) for result in points],
                [_marker_area(cell_of(result)) for result in points],
                marker=marker,
                facecolors="none",
                edgecolors=f"C{number}",
                label=method,
            )
        names = ["nobody lies" if attack == NO_ATTACK else attack for attack in attacks]
        axes.set_yticks(range(len(attacks)), names)
        axes.invert_yaxis()
        axes.grid(axis="y", linewidth=0.3)
    shares = sorted({c.byzantine_sellers for c in map(cell_of, results) if c.byzantine_sellers})
    liars = f"markers by the sellers that lie: {', '.join(map(percent, shares))}"
    across = f"test accuracy, mean of the last {LAST_ROUNDS} rounds, %; {liars}"
    return _finished(figure, across, "")


def by_sellers(results: Sequence[Result]) -> Figure:
    """Seconds a round by the number of sellers."""
    figure, panels = _panels(results, lambda cell: cell.dataset)
    for axes, own in panels:
        counts = [cell_of(result).sellers for result in own]
        axes.plot(counts, list(map(seconds, own)), marker="o", label="the whole round")
        axes.set_ylim(bottom=0)
    return _finished(figure, "sellers", "seconds a round")


PLOTS: dict[str, Callable[[Sequence[Result]], Figure]] = {
    "accuracy": by_round,
    "nodes": by_node_share,
    "ablations": by_round,
    "sellers": by_attack,
    "scale": by_sellers,
}
"""By grid."""


def _panels(
    results: Sequence[Result], title: Callable[[Cell], str]
) -> tuple[Figure, Iterator[tuple[Axes, list[Result]]]]:
    """A figure with a panel for each title, and each panel's results."""
    titles = list(dict.fromkeys(title(cell_of(result)) for result in results))
    figure = Figure(figsize=(max(6.0, 4.2 * len(titles)), 4.0), layout="constrained")
    panels: Any = figure.subplots(1, len(titles), squeeze=False).flat

    def pairs() -> Iterator[tuple[Axes, list[Result]]]:
        for axes, text in zip(panels, titles, strict=True):
            axes.set_title(text)
            yield axes, [result for result in results if title(cell_of(result)) == text]

    return figure, pairs()


def _finished(figure: Figure, across: str, up: str) -> Figure:
    """With the names of the axes, and one legend of all panels above them."""
    figure.supxlabel(across)
    figure.supylabel(up)
    labelled = {
        label: handle
        for axes in figure.axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    columns = 2 if max(map(len, labelled)) > 30 else 3  # as many as fit side by side
    figure.legend(labelled.values(), labelled, loc="outside upper center", ncols=columns)
    return figure


def _marker_area(cell: Cell) -> float:
    return _SIZE_OF_A_TENTH * max(1.0, 10 * cell.byzantine_sellers / BPS)


def _label(cell: Cell) -> str:
    market = cell.method if cell.yoda else f"{cell.method}, no YODA"
    return market if lies(cell) == "nobody" else f"{market}: {lies(cell)}"
