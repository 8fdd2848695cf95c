"""The experiment that compares digests: it covers what it says, and it can fail."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
import torch
from click.testing import CliRunner

from experiments.studies.exactness import (
    MODELS,
    RULES,
    differing,
    digest,
    job,
    read_recorded,
    worker,
)


def test_every_rule_meets_every_network():
    met = {(job(n).rule, job(n).model) for n in range(len(RULES) * len(MODELS))}
    assert met == {(rule, model) for rule in RULES for model in MODELS}


@pytest.mark.parametrize("number", [0, 13, 38])
def test_a_job_has_one_digest_and_shares_it_with_no_other(number):
    assert digest(number) == digest(number) != digest(number + 1)


def test_a_difference_is_counted():
    assert differing(["a", "b", "c"], ["a", "x", "y"]) == 2
    with pytest.raises(ValueError, match="shorter"):
        differing(["a", "b"], ["a"])


def test_what_a_worker_prints_can_be_recorded(tmp_path: Path):
    printed = CliRunner().invoke(worker, ["--count=3"], catch_exceptions=False)
    elsewhere = tmp_path / "another-machine.txt"
    elsewhere.write_text(printed.output)
    version, found = read_recorded(elsewhere, 2)
    assert version == torch.__version__
    assert found == [digest(0), digest(1)]
    with pytest.raises(click.UsageError, match="has 3 digests: give --count 3"):
        read_recorded(elsewhere, 4)
