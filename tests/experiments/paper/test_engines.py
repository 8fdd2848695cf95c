"""Where cells run: processes, or Ray where it is installed."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from experiments.paper.cells import Cell
from experiments.paper.engines import EngineMissing, ray

CELLS = [Cell(dataset="digits", sellers=6, rounds=1, seed=seed) for seed in (1, 2)]


def test_without_ray_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it were not installed
    with pytest.raises(EngineMissing, match=r"tools/setup/setup\.sh ray"):
        next(ray(CELLS, tmp_path, 1, "cpu"))


@pytest.mark.skipif(find_spec("ray") is None, reason="tools/setup/setup.sh ray adds it")
def test_ray_runs_every_cell(tmp_path: Path) -> None:
    found = [
        result["cell"]["seed"] for result in ray(CELLS, tmp_path, 2, "cpu") if result is not None
    ]
    assert sorted(found) == [1, 2]
