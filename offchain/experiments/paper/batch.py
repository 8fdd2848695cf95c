"""Many cells on an engine: what is missing is played, and how far it is gets shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console

from experiments.paper.cells import Cell
from experiments.paper.engines import ENGINES
from experiments.paper.results import Results
from experiments.paper.tables import cell_of, summary
from experiments.paper.votes import Outcome, outcomes
from experiments.progress import rounds_shown


def run_cells(
    cells: Iterable[Cell], folder: Path, engine: str, workers: int, device: str = "cpu"
) -> None:
    """Play the cells that have no result in the folder yet."""
    for phase in _phases(unique(cells)):
        missing = [cell for cell in phase if not Results(folder).read(cell)]
        if missing:
            _run(missing, folder, engine, workers, device)


def unique(cells: Iterable[Cell]) -> list[Cell]:
    """Each cell once, in the order of appearance."""
    return list(dict.fromkeys(cells))


def _phases(cells: Sequence[Cell]) -> tuple[list[Cell], list[Cell]]:
    """First what others share: what honest nodes learn. Then the rest."""
    shared = unique(c.learning for c in cells if all(vote is Outcome.TRUE for vote in outcomes(c)))
    return shared, [c for c in cells if c not in shared]


def _run(cells: list[Cell], folder: Path, engine: str, workers: int, device: str) -> None:
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
