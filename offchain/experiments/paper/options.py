"""What the commands on cells and grids can be told."""

from __future__ import annotations

import os
from pathlib import Path

import click
import torch

from experiments.paper.cells import METHODS, SELLER_ATTACKS, VOTES, Cell
from experiments.paper.engines import ENGINES
from experiments.study import option

RESULTS = Path(".build/experiments")


def _available(_context: click.Context, _parameter: click.Parameter, device: str) -> str:
    if device == "cuda" and not torch.cuda.is_available():
        raise click.BadParameter(
            "PyTorch sees no GPU: set up with D2M_TORCH=cuda on a machine that has one"
        )
    return device


FOLDER = option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=RESULTS,
    help="Folder of results and checkpoints.",
)
DEVICE = option(
    "--device",
    type=click.Choice(("cpu", "cuda")),
    default="cpu",
    callback=_available,
    help="Where sellers train; on a GPU all of a round at once.",
)
FULL = option("--full", is_flag=True, help="The full grid: many hours on two cores.")
ENGINE = option("--engine", type=click.Choice(list(ENGINES)), default="local")
WORKERS = click.Option(
    ["--workers"],
    type=click.IntRange(1),
    default=os.cpu_count(),
    show_default="one for each core",
    help="Cells at a time; each takes one core.",
)

_CELL = Cell()
CELL = (
    option("--dataset", default=_CELL.dataset),
    option("--partition", default=_CELL.partition, help="Such as iid, label:2."),
    option("--sellers", default=_CELL.sellers),
    option("--rounds", default=_CELL.rounds),
    option("--method", type=click.Choice(list(METHODS)), default=_CELL.method),
    option(
        "--attack",
        type=click.Choice(SELLER_ATTACKS),
        default=_CELL.attack,
        help="Of the Byzantine sellers.",
    ),
    option("--byzantine-sellers", default=0, help="In basis points."),
    option(
        "--voting",
        type=click.Choice(VOTES),
        default=_CELL.voting,
        help="Of the Byzantine nodes.",
    ),
    option("--byzantine-nodes", default=0, help="In basis points."),
    option("--yoda/--no-yoda", default=True, help="Vote, or believe one node."),
    option("--seed", default=_CELL.seed),
)
"""A cell's fields."""
