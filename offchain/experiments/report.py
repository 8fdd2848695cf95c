"""Tables, plots and the figures behind them, one set of files for each grid."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from offchain.experiments.cells import NO_ATTACK, Cell
from offchain.experiments.grids import GRIDS
from offchain.experiments.results import Result, Results
from offchain.experiments.tables import (
    LAST_ROUNDS,
    cell_of,
    curve,
    ending,
    final,
    kept_share,
    lies,
    markdown,
    percent,
    seconds,
    steady,
)


class ResultsMissing(ValueError):
    """Cells of a grid that have not been run; the message names the command that runs them."""


def save(name: str, results: Results, full: bool, folder: Path) -> list[Path]:
    """Write <name>.md, .svg and .json of a grid; returns what was written.

    Raises ResultsMissing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = [results.read(cell) for cell in GRIDS[name](full)]
    there = [result for result in found if result is not None]
    if len(there) < len(found):
        option = " --full" if full else ""
        raise ResultsMissing(
            f"{name}: {len(found) - len(there)} of {len(found)} cells have not been run:"
            f" python -m offchain.experiments run {name}{option}"
        )
    paths = [folder / f"{name}{suffix}" for suffix in (".md", ".svg", ".json")]
    paths[0].write_text("\n".join([*_page(name, there), ""]))
    _plot(there, paths[1])
    paths[2].write_text("[\n" + ",\n".join(map(_compact, there)) + "\n]\n")
    return paths


def _compact(result: Result) -> str:
    """One line: what a repetition must give again, by round."""
    rounds = result["rounds"]
    columns = {
        key: [record[key] for record in rounds]
        for key in ("evaluation", "test", "byzantine_posted", "byzantine_kept")
    }
    kept = {key: value for key, value in result.items() if key not in ("rounds", "specification")}
    last = rounds[-1]["model_hash"] if rounds else None
    return json.dumps({**kept, **columns, "model_hash": last})


TITLES = {
    "accuracy": "Accuracy when nobody lies",
    "nodes": "Byzantine CONE nodes",
    "ablations": "Without Corrected OSMD, without YODA",
    "sellers": "Byzantine sellers",
    "scale": "Run time by the number of sellers",
}


def _page(name: str, results: Sequence[Result]) -> list[str]:
    machines = dict.fromkeys(_machine(result["machine"]) for result in results)
    notes = sorted({result["note"] for result in results if result["note"]})
    return [
        f"# {TITLES[name]}",
        "",
        "Made, not written: `make reproduce`. Accuracies are on the published test set, which no"
        f" round sees, after the last round and as the mean of the last {LAST_ROUNDS}.",
        f"Machine: {'; also: '.join(machines)}.",
        *(f"\n{note}" for note in notes),
        "",
        *TABLES[name](results),
        "",
        f"![Accuracy by round]({name}.svg)",
        "",
        "Commands, a row each:",
        "",
        "```",
        *(result["command"] for result in results),
        "```",
    ]


def _machine(machine: dict[str, str]) -> str:
    return (
        f"{machine['processor']}, one core a cell, Python {machine['python']},"
        f" torch {machine['torch']}, sellers trained on {machine['device']}"
    )


def _accuracy(results: Sequence[Result]) -> list[str]:
    header = ("data", "method", "seed", "best", "last", "mean of last", "s a round")
    return markdown(
        header,
        [
            (
                cell_of(result).dataset,
                cell_of(result).method,
                str(cell_of(result).seed),
                f"{max(curve(result)):.2f}",
                f"{final(result):.2f}",
                f"{steady(result):.2f}",
                f"{seconds(result):.1f}",
            )
            for result in results
        ],
    )


def _nodes(results: Sequence[Result]) -> list[str]:
    clean = {cell_of(r).dataset: final(r) for r in results if lies(cell_of(r)) == "nobody"}
    rows = []
    for result in results:
        cell = cell_of(result)
        lost = clean[cell.dataset] - final(result)
        rows.append(
            (cell.dataset, lies(cell), ending(result), f"{final(result):.2f}", f"{lost:.2f}")
        )
    return markdown(("data", "lying", "accepted", "last", "points lost"), rows)


def _ablations(results: Sequence[Result]) -> list[str]:
    rows = []
    for result in results:
        cell = cell_of(result)
        parts = f"{'without' if 'fedavg' in cell.method else 'with'} Corrected OSMD"
        rows.append(
            (
                f"{cell.dataset}, {parts}, {'with' if cell.yoda else 'without'} YODA",
                lies(cell),
                ending(result),
                f"{final(result):.2f}",
                f"{steady(result):.2f}",
            )
        )
    return markdown(("market", "lying", "accepted", "last", "mean of last"), rows)


def _sellers(results: Sequence[Result]) -> list[str]:
    rows: list[tuple[str, ...]] = []
    for setting, group in groupby(results, _setting):
        own = list(group)
        clean = next(steady(r) for r in own if cell_of(r).attack == NO_ATTACK)
        lost = {
            r["cell"]["attack"]: (r, clean - steady(r))
            for r in own
            if cell_of(r).attack != NO_ATTACK
        }
        rows.append((setting, "none", "", f"{clean:.2f}", "", ""))
        for attack, (result, points) in lost.items():
            share = percent(cell_of(result).byzantine_sellers)
            values = (f"{steady(result):.2f}", f"{points:.2f}", kept_share(result))
            rows.append((setting, attack, share, *values))
        points_lost = [points for _, points in lost.values()]
        mean, worst = sum(points_lost) / len(points_lost), max(points_lost)
        rows.append((setting, "**mean**", "", f"{clean - mean:.2f}", f"{mean:.2f}", ""))
        rows.append((setting, "**worst**", "", f"{clean - worst:.2f}", f"{worst:.2f}", ""))
    header = ("setting", "attack", "share", "mean of last", "points lost", "lies kept")
    return markdown(header, rows)


def _setting(result: Result) -> str:
    cell = cell_of(result)
    return f"{cell.dataset}, {cell.partition}, {cell.method}"


def _scale(results: Sequence[Result]) -> list[str]:
    first = seconds(results[0])
    header = ("sellers", "rounds", "updates a round", "s a round", "against the first", "last")
    rows = []
    for result in results:
        rounds = result["rounds"]
        posted = sum(record["posted"] for record in rounds) / len(rounds)
        ratio = f"{seconds(result) / first:.2f}"
        sizes = (str(result["cell"]["sellers"]), str(len(rounds)), f"{posted:.1f}")
        rows.append((*sizes, f"{seconds(result):.2f}", ratio, f"{final(result):.2f}"))
    return markdown(header, rows)


TABLES: dict[str, Callable[[Sequence[Result]], list[str]]] = {
    "accuracy": _accuracy,
    "nodes": _nodes,
    "ablations": _ablations,
    "sellers": _sellers,
    "scale": _scale,
}


def _plot(results: Sequence[Result], path: Path) -> None:
    """Accuracy by round, a panel for each data set. The same results give the same file."""
    data_sets = list(dict.fromkeys(cell_of(result).dataset for result in results))
    with rc_context({"svg.hashsalt": path.name, "svg.fonttype": "none", "font.size": 8}):
        figure = Figure(figsize=(4.2 * len(data_sets), 3.4), layout="constrained")
        panels = figure.subplots(1, len(data_sets), squeeze=False).flat
        for axes, data in zip(panels, data_sets, strict=True):
            _panel(axes, data, [r for r in results if cell_of(r).dataset == data])
        figure.supxlabel("round")
        figure.supylabel("test accuracy, %")
        figure.savefig(path, metadata={"Date": None})


def _panel(axes: Axes, title: str, results: Sequence[Result]) -> None:
    axes.set_title(title)
    for result in results:
        accuracies = curve(result)
        axes.plot(range(1, len(accuracies) + 1), accuracies, label=_label(cell_of(result)))
    axes.legend(frameon=False, fontsize=6)


def _label(cell: Cell) -> str:
    market = cell.method if cell.yoda else f"{cell.method}, no YODA"
    return market if lies(cell) == "nobody" else f"{market}: {lies(cell)}"
