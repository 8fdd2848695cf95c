"""Tables and plots from results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.paper import grids
from experiments.paper.cells import Cell
from experiments.paper.report import save
from experiments.paper.results import Results
from experiments.paper.run import run_cell
from experiments.study import NotRecorded

CLEAN = Cell(dataset="digits", sellers=6, rounds=2)
CELLS = {
    "accuracy": [CLEAN],
    "nodes": [
        CLEAN,
        Cell(dataset="digits", sellers=6, rounds=2, voting="stale", byzantine_nodes=5000),
    ],
    "ablations": [CLEAN],
    "sellers": [
        CLEAN,
        Cell(dataset="digits", sellers=6, rounds=2, attack="alie", byzantine_sellers=2000),
        Cell(dataset="digits", sellers=6, rounds=2, attack="alie", byzantine_sellers=5000),
        Cell(dataset="digits", sellers=6, rounds=2, attack="stale", byzantine_sellers=5000),
        Cell(dataset="digits", sellers=6, rounds=2, partition="iid"),
    ],
    "scale": [CLEAN, Cell(dataset="digits", sellers=8, rounds=2)],
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("results")
    for cells in CELLS.values():
        for cell in cells:
            run_cell(cell, folder)
    return Results(folder)


@pytest.fixture(autouse=True)
def small_grids(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, cells in CELLS.items():
        monkeypatch.setitem(grids.GRIDS, name, lambda _full, cells=cells: cells)


@pytest.mark.parametrize("name", list(CELLS))
def test_a_grid_becomes_a_page_a_plot_and_figures(
    name: str, results: Results, tmp_path: Path
) -> None:
    page, plot, figures = save(name, results, False, tmp_path)
    text = page.read_text()
    for cell in CELLS[name]:
        assert f"cell {cell.arguments}" in text
    assert plot.read_text().startswith("<?xml")
    again = json.loads(figures.read_text())
    assert [each["cell"] for each in again] == [cell.to_json() for cell in CELLS[name]]
    assert len(again[0]["evaluation"]) == 2


def test_the_same_results_give_the_same_files(results: Results, tmp_path: Path) -> None:
    first = [path.read_bytes() for path in save("nodes", results, False, tmp_path / "a")]
    assert first == [path.read_bytes() for path in save("nodes", results, False, tmp_path / "b")]


def test_every_machine_that_made_a_row_is_named_once(results: Results, tmp_path: Path) -> None:
    elsewhere = Results(tmp_path / "results")
    for cell in CELLS["scale"]:
        found = results.read(cell)
        assert found
        processor = f"processor {cell.sellers}"
        elsewhere.write(cell, {**found, "machine": {**found["machine"], "processor": processor}})
    page, _, _ = save("scale", elsewhere, False, tmp_path)
    assert page.read_text().count("processor 6,") == 1
    assert page.read_text().count("processor 8,") == 1


def test_points_lost_are_against_the_run_without_lies(results: Results, tmp_path: Path) -> None:
    text = save("nodes", results, False, tmp_path)[0].read_text()
    [failed] = [line for line in text.splitlines() if "50 % nodes stale" in line]
    accepted, last, lost = [cell.strip() for cell in failed.strip("|").split("|")][-3:]
    assert accepted == "0 of 2 rounds"
    assert float(last) == 0.0
    assert float(lost) > 30


def test_every_share_of_liars_has_its_rows_and_its_worst(results: Results, tmp_path: Path) -> None:
    text = save("sellers", results, False, tmp_path)[0].read_text()
    rows = [[cell.strip() for cell in row.split("|")][1:-1] for row in text.splitlines()]
    found = [(row[1], row[2]) for row in rows if row and row[0].startswith("digits")]
    assert found == [
        ("none", ""),
        ("alie", "20 %"),
        ("**mean of 1**", "20 %"),
        ("**worst of 1**", "20 %"),
        ("alie", "50 %"),
        ("stale", "50 %"),
        ("**mean of 2**", "50 %"),
        ("**worst of 2**", "50 %"),
        ("none", ""),
    ]


def test_cells_that_were_not_run_are_named_with_their_command(tmp_path: Path) -> None:
    with pytest.raises(NotRecorded, match="experiments run sellers"):
        save("sellers", Results(tmp_path), False, tmp_path)
