"""Results of cells in a folder, one JSON file each, and checkpoints of those under way."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from d2m.files import write_file, writing
from d2m.learning.round import State
from d2m.learning.spec import JobSpec
from experiments.paper.cells import Cell
from experiments.paper.play import Progress, RoundRecord

Result = dict[str, Any]


@dataclass(frozen=True)
class Results:
    """The folder. Every file appears whole or not at all."""

    folder: Path

    def path(self, cell: Cell) -> Path:
        """Where a cell's result stands."""
        return self.folder / f"{cell.name}.json"

    def read(self, cell: Cell) -> Result | None:
        """The result of a cell as it would be run now; None where it is missing or outdated."""
        try:
            result: Result = json.loads(self.path(cell).read_text())
        except FileNotFoundError:
            return None
        current = result["specification"] == specification(cell.spec())
        return result if current and result["cell"] == cell.to_json() else None

    def write(self, cell: Cell, result: Result) -> None:
        """Keep a result; its checkpoint has served."""
        write_file(self.path(cell), json.dumps(result, indent=1).encode() + b"\n")
        self._checkpoint(cell).unlink(missing_ok=True)

    def save(self, cell: Cell, progress: Progress, records: list[RoundRecord]) -> None:
        """Keep what has been played of a cell."""
        state = progress.state
        path = self._checkpoint(cell)
        with writing(path) as file:
            np.savez(
                file,
                specification=np.array(specification(cell.spec())),
                records=np.array(json.dumps([vars(record) for record in records])),
                round=np.array(state.round),
                weights=state.weights,
                previous=state.previous,
                probabilities=np.array(state.probabilities, np.int64),
                contributions=np.array(state.contributions, np.int64),
                draws=np.array(state.draws, np.int64),
                **{f"stale {index}": update for index, update in progress.stale.items()},
            )

    def resume(self, cell: Cell) -> tuple[Progress, list[RoundRecord]] | None:
        """Load the saved state; None where there is none, or none of today's specification."""
        try:
            with np.load(self._checkpoint(cell), allow_pickle=False) as kept:
                if str(kept["specification"]) != specification(cell.spec()):
                    return None
                records = [RoundRecord(**each) for each in json.loads(str(kept["records"]))]
                state = State(
                    round=int(kept["round"]),
                    weights=kept["weights"],
                    previous=kept["previous"],
                    probabilities=tuple(kept["probabilities"].tolist()),
                    contributions=tuple(kept["contributions"].tolist()),
                    draws=tuple(kept["draws"].tolist()),
                )
                stale = {
                    int(key.split()[1]): kept[key] for key in kept.files if key.startswith("stale ")
                }
        except FileNotFoundError:
            return None
        return Progress(state, stale), records

    def rounds_done(self, cell: Cell) -> int:
        """Rounds in the checkpoint of a cell under way."""
        try:
            with np.load(self._checkpoint(cell), allow_pickle=False) as kept:
                return int(kept["round"]) - 1
        except FileNotFoundError:
            return 0

    def _checkpoint(self, cell: Cell) -> Path:
        return self.folder / "checkpoints" / f"{cell.name}.npz"


def specification(spec: JobSpec) -> str:
    """The canonical text of a specification: it tells outdated results."""
    return spec.to_bytes().decode()
