"""Tables, plots and the figures behind them, one set of files for each grid."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

from experiments.formatting import markdown, write_page
from experiments.paper.grids import GRIDS
from experiments.paper.plots import save_plot
from experiments.paper.results import Result, Results
from experiments.paper.tables import (
    LAST_ROUNDS,
    cell_of,
    curve,
    ending,
    final,
    kept_share,
    lies,
    percent,
    seconds,
    steady,
)
from experiments.study import NotRecorded, command


def save(name: str, results: Results, full: bool, folder: Path) -> list[Path]:
    """Write <name>.md, .svg and .json of a grid; returns what was written.

    Raises NotRecorded where cells have not been run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = [results.read(cell) for cell in GRIDS[name](full)]
    there = [result for result in found if result is not None]
    if len(there) < len(found):
        option = " --full" if full else ""
        raise NotRecorded(
            f"{name}: {len(found) - len(there)} of {len(found)} cells have not been run:"
            f" {command(name)}{option}"
        )
    page = write_page(folder / f"{name}.md", _page(name, there))
    plot = save_plot(name, there, folder / f"{name}.svg")
    figures = folder / f"{name}.json"
    figures.write_text("[\n" + ",\n".join(map(_compact, there)) + "\n]\n")
    return [page, plot, figures]


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


PLOTTED = {
    "accuracy": "Accuracy by round",
    "nodes": "Accuracy by the share of Byzantine nodes",
    "ablations": "Accuracy by round",
    "sellers": "Accuracy by attack",
    "scale": "Seconds a round by the number of sellers",
}
"""What a grid's plot shows."""


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
        f"![{PLOTTED[name]}]({name}.svg)",
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
        clean, *lying = group  # the grid names the run without lies first
        rows.append((setting, "none", "", f"{steady(clean):.2f}", "", ""))
        for share, same in groupby(lying, lambda r: percent(cell_of(r).byzantine_sellers)):
            rows += _under_attack(setting, share, steady(clean), list(same))
    header = ("setting", "attack", "share", "mean of last", "points lost", "lies kept")
    return markdown(header, rows)


def _under_attack(
    setting: str, share: str, clean: float, results: Sequence[Result]
) -> list[tuple[str, ...]]:
    """A row for each attack, then their mean and the worst, by points lost."""
    lost = [clean - steady(result) for result in results]
    rows: list[tuple[str, ...]] = [
        (
            setting,
            cell_of(result).attack,
            share,
            f"{steady(result):.2f}",
            f"{points:.2f}",
            kept_share(result),
        )
        for result, points in zip(results, lost, strict=True)
    ]
    for what, points in (("mean", sum(lost) / len(lost)), ("worst", max(lost))):
        title = f"**{what} of {len(lost)}**"
        rows.append((setting, title, share, f"{clean - points:.2f}", f"{points:.2f}", ""))
    return rows


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
