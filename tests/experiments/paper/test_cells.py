"""Cells and grids: what an experiment says about itself."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from d2m.learning.spec import JobSpec
from experiments.__main__ import main
from experiments.paper.cells import METHODS, Cell
from experiments.paper.grids import GRIDS


def every_cell(full: bool) -> list[Cell]:
    return [cell for grid in GRIDS.values() for cell in grid(full)]


@pytest.mark.parametrize("full", [False, True])
def test_every_cell_of_a_grid_has_a_valid_specification_and_a_name_of_its_own(full):
    cells = set(every_cell(full))
    assert len({cell.name for cell in cells}) == len(cells)
    for cell in {replace(c, attack="none", byzantine_sellers=0) for c in cells}:
        spec = cell.spec()
        assert JobSpec.from_bytes(spec.to_bytes()) == spec


def test_the_declared_grid_is_part_of_the_full_one():
    assert set(every_cell(full=False)) <= set(every_cell(full=True))


def test_headline_rows_have_the_paper_s_rounds_and_sellers():
    for cell in GRIDS["accuracy"](False):
        assert (cell.rounds, cell.sellers, cell.partition) == (50, 50, "dirichlet:0.5")


def test_a_cell_s_command_names_the_cell():
    command = main.commands["cell"]
    for cell in every_cell(full=True):
        given = command.make_context("cell", cell.arguments.split()).params
        assert Cell(**{name: given[name] for name in cell.to_json()}) == cell


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dataset": "svhn"}, "unknown data set 'svhn': choose one of"),
        ({"method": "magic"}, "unknown method 'magic'"),
        ({"attack": "alice", "byzantine_sellers": 3000}, "unknown attack 'alice'"),
        ({"voting": "stail", "byzantine_nodes": 3000}, "unknown vote 'stail'"),
        ({"partition": "dirichlet"}, "unknown partition"),
        ({"attack": "alie"}, "share of Byzantine sellers"),
        ({"byzantine_sellers": 100}, "name an attack"),
        ({"voting": "stale"}, "share of Byzantine nodes"),
        ({"voting": "stale", "byzantine_nodes": 10_001}, "basis points"),
        ({"rounds": 0}, "at least one round"),
    ],
)
def test_what_cannot_be_run_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Cell(**values)


def test_methods_learn_from_the_same_start_and_are_what_they_are_called():
    assert len({Cell(method=name).spec().init_seed for name in METHODS}) == 1
    assert Cell(method="paper").spec().rule == "corrected_krum"
    assert Cell(method="paper").spec().training.step(50) == 0.01
    light = Cell(method="light").spec()
    assert light.rule == Cell().spec().rule
    for name, rule in (("light_fedavg", "mean"), ("light_multi_krum", "multi_krum")):
        spec = Cell(method=name).spec()
        assert (spec.model, spec.training, spec.rule) == (light.model, light.training, rule)
        assert spec.sampler.alpha == Decimal(1)
