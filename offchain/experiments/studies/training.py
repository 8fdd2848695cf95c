"""Sellers trained together or one after the other.

Times both on networks of the experiments, by turns in one process: STACKED_DIMENSION of
learning/training/many.py is chosen by it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from d2m.learning.defaults import SPECS, one_convolution
from d2m.learning.network.model import ModelSpec, initial_weights
from d2m.learning.spec import TrainingSpec
from d2m.learning.training.local import train
from d2m.learning.training.many import Work, train_stacked
from experiments.formatting import markdown, write_page
from experiments.machine import machine
from experiments.study import Facts, Recorded, command

SELLERS = 12
REPEATS = 3
_IMAGE = (1, 28, 28)


@dataclass(frozen=True)
class Setting:
    """A network, and how much data each seller has."""

    name: str
    model: ModelSpec
    samples: int
    batch: int


SETTINGS = (
    Setting("logistic, 30 features", ModelSpec("logistic", (30,), 2), 100, 16),
    Setting("perceptron, 30 features", ModelSpec("perceptron", (30,), 2, hidden=(16,)), 100, 16),
    Setting(
        "perceptron, 64 features", ModelSpec("perceptron", (1, 8, 8), 10, hidden=(32,)), 30, 16
    ),
    Setting("digits, 32 channels", SPECS["digits"](bytes(32)).model, 120, 16),
    Setting("perceptron, 784 features", ModelSpec("perceptron", _IMAGE, 10, hidden=(64,)), 240, 64),
    Setting("images, 16 channels", one_convolution(_IMAGE, 16, 0), 240, 64),
    Setting("images, 64 channels", one_convolution(_IMAGE, 64, 0), 240, 64),
)


def measured(setting: Setting) -> Facts:
    """Seconds of both ways, medians of so many repeats after one that warms up."""
    spec = setting.model
    random = np.random.default_rng(1)
    sizes = random.integers(setting.samples // 2, setting.samples * 3 // 2, SELLERS)
    work = [
        Work(
            random.integers(0, 256, (size, *spec.input_shape), dtype=np.uint8),
            random.integers(0, spec.classes, size, dtype=np.uint8),
            seed,
        )
        for seed, size in enumerate(sizes)
    ]
    weights = initial_weights(spec, bytes(32))
    hyper = TrainingSpec(3, setting.batch, Decimal("0.004"), "adam")

    def apart() -> None:
        for each in work:
            train(spec, weights, each.inputs, each.labels, hyper, each.seed)

    def together() -> None:
        train_stacked(spec, weights, work, hyper)

    times = [(_seconds(apart), _seconds(together)) for _ in range(REPEATS + 1)][1:]
    first, second = (statistics.median(each) for each in zip(*times, strict=True))
    return {
        "network": setting.name,
        "parameters": spec.dimension,
        "apart": first,
        "together": second,
    }


def _seconds(action: Callable[[], None]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def run() -> Facts:
    """Time every network."""
    torch.set_num_threads(1)
    rows = [measured(setting) for setting in track(SETTINGS, description="networks")]
    made_by = command("training")
    return {"command": made_by, "machine": machine(), "sellers": SELLERS, "rows": rows}


def pages(facts: Facts, folder: Path) -> list[Path]:
    """Write training.md."""
    cells = []
    for row in facts["rows"]:
        apart, together = row["apart"], row["together"]
        times = (f"{apart:.2f}", f"{together:.2f}", f"{apart / together:.1f}")
        cells.append((row["network"], f"{row['parameters']:,}", *times))
    page = [
        "# Sellers trained together or one after the other",
        "",
        f"`{facts['command']}`: {facts['sellers']} sellers, 3 epochs of Adam,"
        f" one core, the median of {REPEATS} runs by turns.",
        "",
        *markdown(("network", "parameters", "s apart", "s together", "times faster"), cells),
    ]
    return [write_page(folder / "training.md", page)]


STUDY = Recorded(
    name="training",
    about="Sellers trained together or one after the other in one process: which is faster.",
    play=run,
    pages=pages,
)
