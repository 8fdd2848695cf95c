"""Running a cell to its end, resuming what an interruption left."""

from __future__ import annotations

from pathlib import Path

import torch

from d2m.learning.network.exact import CPU
from d2m.learning.training.allocator import keep_freed_memory
from experiments.machine import machine
from experiments.paper.cells import Cell
from experiments.paper.play import RoundRecord, begin, play_round
from experiments.paper.results import Result, Results, specification
from experiments.paper.votes import Outcome, outcomes
from experiments.paper.world import world


def run_cell(cell: Cell, folder: Path, device: str = CPU.type) -> Result:
    """The result of a cell, from the folder if it is there, else played and kept there.

    One thread: the figures then do not depend on the number of cores. Sellers train on `device`;
    what CONE nodes compute is exact anyway.
    """
    results = Results(folder)
    found = results.read(cell)
    if found is None:
        torch.set_num_threads(1)
        keep_freed_memory()
        found = _result(cell, _play(cell, results, device), outcomes(cell), device)
        results.write(cell, found)
    return found


def _play(cell: Cell, results: Results, device: str) -> list[RoundRecord]:
    votes = outcomes(cell)
    if all(vote is Outcome.TRUE for vote in votes) and cell != cell.learning:
        # Nobody's lie was accepted: what was learnt is what is learnt among honest nodes.
        shared = run_cell(cell.learning, results.folder, device)
        return [RoundRecord(**each) for each in shared["rounds"]]
    spec, setting = cell.spec(), world(cell)
    progress, records = results.resume(cell) or (begin(cell, spec), [])
    for vote in votes[len(records) :]:
        if vote is Outcome.UNDECIDED:
            break
        progress, record = play_round(cell, spec, setting, progress, vote, torch.device(device))
        records.append(record)
        results.save(cell, progress, records)
    return records


def _result(cell: Cell, records: list[RoundRecord], votes: list[Outcome], device: str) -> Result:
    setting = world(cell)
    return {
        "cell": cell.to_json(),
        "command": f"python -m experiments cell {cell.arguments}",
        "specification": specification(cell.spec()),
        "machine": {**machine(), "device": device},
        "note": setting.note,
        "evaluation_samples": len(setting.evaluation),
        "test_samples": len(setting.test),
        "votes": [vote.value for vote in votes],
        "rounds": [vars(record) for record in records],
    }
