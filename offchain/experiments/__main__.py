"""The paper's experiments: `python -m experiments --help`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import torch
from rich.console import Console

from d2m.data.errors import DataError
from experiments.cells import METHODS, SELLER_ATTACKS, VOTES, Cell
from experiments.engines import ENGINES, EngineMissing
from experiments.grids import GRIDS
from experiments.progress import rounds_shown
from experiments.report import ResultsMissing, save
from experiments.results import Results
from experiments.run import run_cell
from experiments.tables import cell_of, summary
from experiments.votes import Outcome, outcomes

RESULTS = Path(".build/experiments")
REPORT = Path("docs/experiments")

F = TypeVar("F", bound=Callable[..., Any])
_folder = click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=RESULTS,
    show_default=True,
    help="Folder of results and checkpoints.",
)
_device = click.option(
    "--device",
    type=click.Choice(("cpu", "cuda")),
    default="cpu",
    show_default=True,
    callback=lambda _context, _parameter, value: _available(value),
    help="Where sellers train; on a GPU all of a round at once.",
)
_full = click.option("--full", is_flag=True, help="The full grid: many hours on two cores.")


def _available(device: str) -> str:
    if device == "cuda" and not torch.cuda.is_available():
        raise click.BadParameter(
            "PyTorch sees no GPU: set up with D2M_TORCH=cuda on a machine that has one"
        )
    return device


@click.group(help=__doc__)
def main() -> None:
    """Experiments without a chain, on the round computation that CONE nodes run."""


@main.command()
@click.argument("grids", nargs=-1, type=click.Choice(list(GRIDS)))
@_full
@_folder
@_device
@click.option("--engine", type=click.Choice(list(ENGINES)), default="local", show_default=True)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=os.cpu_count(),
    show_default="one for each core",
    help="Cells at a time; each takes one core.",
)
def run(
    grids: Sequence[str], full: bool, results: Path, device: str, engine: str, workers: int
) -> None:
    """Run grids, all of them when none is named. A finished one is not run again.

    Ctrl-C stops; the same command goes on from the last round of every cell.
    """
    cells = unique(cell for name in grids or GRIDS for cell in GRIDS[name](full))
    for batch in _phases(cells):
        missing = [c for c in batch if not Results(results).read(c)]
        _run_batch(missing, results, engine, workers, device)


@main.command()
@_full
@_folder
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=REPORT)
def report(full: bool, results: Path, out: Path) -> None:
    """Rebuild the tables and plots of every grid that has been run."""
    for name in GRIDS:
        try:
            for path in save(name, Results(results), full, out):
                click.echo(path)
        except ResultsMissing as missing:
            click.echo(f"left out: {missing}", err=True)


def _cell_options(command: F) -> F:
    defaults = Cell()
    for option in reversed(
        (
            click.option("--dataset", default=defaults.dataset),
            click.option("--partition", default=defaults.partition, help="Such as iid, label:2."),
            click.option("--sellers", default=defaults.sellers),
            click.option("--rounds", default=defaults.rounds),
            click.option("--method", type=click.Choice(list(METHODS)), default=defaults.method),
            click.option(
                "--attack",
                type=click.Choice(SELLER_ATTACKS),
                default=defaults.attack,
                help="Of the Byzantine sellers.",
            ),
            click.option("--byzantine-sellers", default=0, help="In basis points."),
            click.option(
                "--voting",
                type=click.Choice(VOTES),
                default=defaults.voting,
                help="Of the Byzantine nodes.",
            ),
            click.option("--byzantine-nodes", default=0, help="In basis points."),
            click.option("--yoda/--no-yoda", default=True, help="Vote, or believe one node."),
            click.option("--seed", default=defaults.seed),
        )
    ):
        command = option(command)
    return command


@main.command(context_settings={"show_default": True})
@_cell_options
@_folder
@_device
def cell(results: Path, device: str, **values: Any) -> None:
    """Run one cell, resuming it where it was interrupted, and print its row."""
    chosen = Cell(**values)
    _run_batch([chosen], results, "local", 1, device)
    click.echo(summary(run_cell(chosen, results)))


def unique(cells: Iterable[Cell]) -> list[Cell]:
    """Each cell once, in the order of appearance."""
    return list(dict.fromkeys(cells))


def _phases(cells: Sequence[Cell]) -> tuple[list[Cell], list[Cell]]:
    """First what others share: what honest nodes learn. Then the rest."""
    shared = unique(c.learning for c in cells if all(vote is Outcome.TRUE for vote in outcomes(c)))
    return shared, [c for c in cells if c not in shared]


def _run_batch(cells: list[Cell], folder: Path, engine: str, workers: int, device: str) -> None:
    if not cells:
        return
    console = Console(stderr=True, soft_wrap=True)
    left = {c: c.rounds for c in cells}
    total = sum(left.values())
    with rounds_shown(console, total) as show:
        for result in ENGINES[engine](cells, folder, min(workers, len(cells)), device):
            if result is not None:
                left.pop(cell_of(result))
                console.print(summary(result), highlight=False)
            under_way = sum(Results(folder).rounds_done(c) for c in left)
            show(total - sum(left.values()) + under_way)


def _started() -> int:
    # Ended like Ctrl-C: workers must not outlive the command.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("stopped; the same command goes on where it was", err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (DataError, EngineMissing, ValueError) as error:
        click.echo(f"error: {error}", err=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_started())
