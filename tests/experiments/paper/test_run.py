"""Playing cells: repeated, interrupted, resumed, reported."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.paper.cells import Cell
from experiments.paper.engines import local
from experiments.paper.play import begin, play_round
from experiments.paper.results import Result, Results
from experiments.paper.run import run_cell
from experiments.paper.tables import curve, ending, final, steady, summary
from experiments.paper.votes import Outcome
from experiments.paper.world import world

SMALL = Cell(dataset="digits", sellers=8, rounds=2)
DEADLINE_SECONDS = 300
"""Long: it is only there so that a failure ends. Loading takes a minute on a busy machine."""


def figures(result: Result) -> object:
    """What a repetition must give again."""
    rounds = [{k: v for k, v in r.items() if k != "seconds"} for r in result["rounds"]]
    return {**result, "rounds": rounds}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return run_cell(SMALL, tmp_path_factory.mktemp("small"))


def test_a_cell_learns_and_says_what_it_ran_on(small):
    assert len(small["rounds"]) == 2
    assert curve(small)[-1] > 30
    assert small["command"].endswith("cell --dataset digits --sellers 8 --rounds 2")
    assert small["machine"]["torch"]
    assert "digits" in summary(small)


def test_a_cell_run_again_gives_the_same_to_the_last_bit(small, tmp_path):
    assert figures(run_cell(SMALL, tmp_path)) == figures(small)


def test_a_finished_cell_is_not_run_again(tmp_path):
    first = run_cell(SMALL, tmp_path)
    assert run_cell(SMALL, tmp_path) == first  # the seconds, too


def test_a_result_of_an_older_specification_is_run_again(tmp_path):
    results = Results(tmp_path)
    outdated = {**run_cell(SMALL, tmp_path), "specification": "{}"}
    results.write(SMALL, outdated)
    assert results.read(SMALL) is None


def test_an_interrupted_cell_goes_on_where_it_was(small, tmp_path):
    results, spec, setting = Results(tmp_path), SMALL.spec(), world(SMALL)
    progress, record = play_round(SMALL, spec, setting, begin(SMALL, spec), Outcome.TRUE)
    results.save(SMALL, progress, [record])
    assert results.rounds_done(SMALL) == 1
    assert figures(run_cell(SMALL, tmp_path)) == figures(small)
    assert results.rounds_done(SMALL) == 0  # nothing is under way any more


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_cell_keeps_its_rounds_and_leaves_nobody_behind(how, tmp_path):
    cell = replace(SMALL, rounds=500)
    command = [sys.executable, "-m", "experiments", "cell", *cell.arguments.split()]
    process = subprocess.Popen(
        [*command, "--results", str(tmp_path)], stderr=subprocess.PIPE, start_new_session=True
    )
    wait_for(lambda: Results(tmp_path).rounds_done(cell), "no checkpoint")
    os.kill(process.pid, how)
    said = process.communicate(timeout=DEADLINE_SECONDS)[1].decode()
    assert process.returncode == 130
    assert "the same command goes on" in said
    assert Results(tmp_path).rounds_done(cell) >= 1
    wait_for(lambda: not is_alive(process.pid), "a worker has outlived the command")


def wait_for(condition, message):
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < DEADLINE_SECONDS, message
        time.sleep(0.1)


def is_alive(group):
    """Whether a process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_two_processes_give_what_one_gives(small, tmp_path):
    cells = [SMALL, replace(SMALL, seed=2)]
    found = [result for result in local(cells, tmp_path, 2, "cpu") if result is not None]
    assert {result["cell"]["seed"] for result in found} == {1, 2}
    [same] = [result for result in found if result["cell"]["seed"] == 1]
    assert figures(same) == figures(small)


def test_while_no_lie_is_accepted_byzantine_nodes_change_nothing(small, tmp_path):
    cell = replace(SMALL, voting="colluding", byzantine_nodes=3000)
    result = run_cell(cell, tmp_path)
    assert curve(result) == curve(small)
    assert Results(tmp_path).read(SMALL) is not None  # played once, for both


def test_accepted_random_weights_destroy_a_model(tmp_path):
    cell = replace(SMALL, rounds=3, voting="random", byzantine_nodes=10_000, yoda=False)
    result = run_cell(cell, tmp_path)
    assert final(result) < 30
    assert ending(result) == "3 of 3 rounds, 3 of them wrong"


def test_a_job_that_cannot_decide_ends_without_a_model(tmp_path):
    cell = replace(SMALL, voting="silent", byzantine_nodes=9000)
    result = run_cell(cell, tmp_path)
    assert (result["rounds"], final(result), steady(result)) == ([], 0.0, 0.0)
    assert ending(result) == "0 of 2 rounds"


@pytest.mark.parametrize("attack", ["sign_flip", "label_flip", "alie", "stale"])
def test_byzantine_sellers_post_and_are_counted(attack, tmp_path):
    cell = replace(SMALL, attack=attack, byzantine_sellers=5000)
    rounds = run_cell(cell, tmp_path)["rounds"]
    assert sum(record["byzantine_posted"] for record in rounds) > 0
    for record in rounds:
        assert record["byzantine_kept"] <= record["byzantine_posted"] <= record["posted"]
        assert 0 <= record["byzantine_probability"] < 1


def test_results_are_text_that_others_can_read(tmp_path: Path):
    run_cell(SMALL, tmp_path)
    assert json.loads(Results(tmp_path).path(SMALL).read_text())["cell"]["dataset"] == "digits"
