"""The paper's experiments as studies: a grid of cells each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import click

from experiments.paper.batch import run_cells
from experiments.paper.grids import GRIDS
from experiments.paper.options import DEVICE, ENGINE, FOLDER, FULL, WORKERS
from experiments.paper.report import save
from experiments.paper.results import Results
from experiments.study import Study


@dataclass(frozen=True, kw_only=True)
class Grid(Study):
    """Its cells' results and checkpoints stand in a folder of their own; pages follow from them."""

    options: Sequence[click.Option] = (FULL, FOLDER, DEVICE, ENGINE, WORKERS)
    report_options: Sequence[click.Option] = (FULL, FOLDER)
    interrupted: ClassVar[str] = "stopped; the same command goes on where it was"

    def run(self, out: Path, **options: Any) -> Iterator[str]:
        """Play the cells without a result, then write the pages."""
        play([self], **options)
        yield from map(str, self.report(out, full=options["full"], results=options["results"]))

    def report(self, out: Path, **options: Any) -> list[Path]:
        """Write the pages from the results; raises NotRecorded where one is missing."""
        return save(self.name, Results(options["results"]), options["full"], out)


def play(
    grids: Sequence[Grid], *, full: bool, results: Path, device: str, engine: str, workers: int
) -> None:
    """Play all cells of the grids together: no core waits for the last cell of each grid."""
    cells = (cell for grid in grids for cell in GRIDS[grid.name](full))
    run_cells(cells, results, engine, workers, device)


STUDIES = (
    Grid(
        name="accuracy",
        about="Nobody lies: our default beside the paper's rule, on three data sets.",
    ),
    Grid(
        name="nodes",
        about="Byzantine CONE nodes: random, stale and colluding votes of 20 to 50 %.",
    ),
    Grid(
        name="ablations",
        about="Without Corrected OSMD, without YODA, without both, among liars.",
    ),
    Grid(
        name="sellers",
        about="Byzantine sellers: every attack, by share, partition and method.",
        takes="48 cells of 1 to 3 min each",
    ),
    Grid(
        name="scale",
        about="Run time of a round for 50 to 200 sellers.",
        takes="2 min with --workers 1",
    ),
)
