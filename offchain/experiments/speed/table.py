"""The record of a benchmark as a document."""

from __future__ import annotations

from statistics import median
from typing import Any

from experiments.speed.contenders import (
    CONTENDERS,
    FEW,
    FLOWER,
    FLOWER_KEEPS,
    LOADER,
    MANY,
    MARKET,
    OURS,
    PFL,
    PFL_KEEPS,
    SMALL,
    SMALL_FLOWER,
    SMALL_MARKET,
    SMALL_PFL,
    Contender,
)

RATIOS = (
    ("Flower / ours, learning only", FLOWER, OURS),
    ("Flower with its DataLoader / ours, learning only", LOADER, OURS),
    ("Flower / ours, whole round", FLOWER, MARKET),
    ("Flower with its DataLoader / ours, whole round", LOADER, MARKET),
    ("pfl-research / ours, learning only", PFL, OURS),
    ("pfl-research / ours, whole round", PFL, MARKET),
    ("Flower with kept memory / ours, learning only", FLOWER_KEEPS, OURS),
    ("pfl-research with kept memory / ours, learning only", PFL_KEEPS, OURS),
    ("200 sellers / 50 sellers, whole round", MANY, FEW),
    ("small job: Flower / ours, learning only", SMALL_FLOWER, SMALL),
    ("small job: Flower / ours, whole round", SMALL_FLOWER, SMALL_MARKET),
    ("small job: pfl-research / ours, learning only", SMALL_PFL, SMALL),
    ("small job: pfl-research / ours, whole round", SMALL_PFL, SMALL_MARKET),
)
"""(what, numerator, denominator) of round times."""


def round_time(runs: list[dict[str, Any]], name: str, cores: int) -> float | None:
    """Median seconds over the rounds of all repetitions, without each run's first; None if none.

    The first round warms up: Ray starts its workers in it, allocators grow, kernels are chosen.
    """
    times = [
        seconds
        for run in runs
        if run["contender"] == name and run["cores"] == cores
        for seconds in run["round_seconds"][1:]
    ]
    return median(times) if times else None


def markdown(record: dict[str, Any]) -> str:
    """The whole document."""
    runs, machine = record["runs"], record["machine"]
    cores = sorted({run["cores"] for run in runs})
    lines = [
        "# A round of learning beside other frameworks",
        "",
        "Made, not written; the contenders are in"
        " [contenders.py](../../offchain/experiments/speed/contenders.py).",
        "",
        f"`{record['command']}`: {record['rounds']} rounds, {record['repetitions']} repetitions by"
        " turns.",
        "",
        f"- Machine: {machine['processor']}, {machine['cores']} cores, {machine['system']}; load"
        f" before: {machine['load_before']:.1f}.",
        *[f"- {name}: {said}." for name, said in _versions(runs).items()],
        "- Job: Fashion-MNIST, 50 sellers, Dirichlet 0.5, ten train in each round, the same for"
        " all; one 5×5 convolution of 16 channels, ReLU, 2×2 max-pool, dense; Adam 0.01 anew in"
        " each round, batches of 64, 3 epochs, plain mean; new models measured on 2,000 samples.",
        "- The small job differs in this: 8×8 digits, about thirty a seller; a perceptron with one"
        " hidden layer of 32; batches of 16; measured on 360 samples.",
        "- Times are medians over all rounds but each run's first, in seconds of wall time;"
        " start-up is from the start of the process to the start of round 1. Every process is kept"
        " to the cores given, with as many threads (Flower: as many Ray actors of one thread).",
    ]
    for count in cores:
        lines += ["", f"## {count} core{'s' if count > 1 else ''}", "", *_times(runs, count)]
        lines += ["", *_ratios(runs, count)]
    return "\n".join(lines) + "\n"


def _versions(runs: list[dict[str, Any]]) -> dict[str, str]:
    return {
        run["contender"]: ", ".join(f"{name} {value}" for name, value in run["versions"].items())
        for run in runs
        if run["contender"] in (OURS, FLOWER, PFL)
    }


def _times(runs: list[dict[str, Any]], cores: int) -> list[str]:
    lines = [
        "| contender | seconds a round | least to most | first round | start-up | accuracy after"
        " | what |",
        "| :--- | ---: | ---: | ---: | ---: | ---: | :--- |",
    ]
    for contender in CONTENDERS:
        own = [r for r in runs if r["contender"] == contender.name and r["cores"] == cores]
        if own:
            lines.append(_row(contender, own, cores))
    return lines


def _row(contender: Contender, own: list[dict[str, Any]], cores: int) -> str:
    times = [seconds for run in own for seconds in run["round_seconds"][1:]]
    startup = median(run["startup_seconds"] for run in own)
    first = median(run["round_seconds"][0] for run in own)
    accuracy = median(run["accuracy"] for run in own)
    cells = [
        contender.name,
        f"{round_time(own, contender.name, cores):.3f}",
        f"{min(times):.3f} to {max(times):.3f}",
        f"{first:.3f}",
        f"{startup:.1f}",
        f"{100 * accuracy:.2f} %",
        contender.what,
    ]
    return "| " + " | ".join(cells) + " |"


def _ratios(runs: list[dict[str, Any]], cores: int) -> list[str]:
    lines = ["| ratio of round times | |", "| :--- | ---: |"]
    for what, above, below in RATIOS:
        numerator, denominator = (round_time(runs, name, cores) for name in (above, below))
        if numerator is not None and denominator is not None:
            lines.append(f"| {what} | {numerator / denominator:.2f} |")
    return lines
