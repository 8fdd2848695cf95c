"""What a person with a wallet does besides serving."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from offchain.chain.anvil import Anvil
from offchain.data.files import write_samples
from tests.scripts.conftest import ape_run, network

Run = Callable[..., str]


@pytest.fixture
def run(node: Anvil, record: Path, tmp_path: Path) -> Run:
    """Run a script's subcommand, expecting success or a refusal of one line; what it printed."""
    place = ("--deployment", str(record), "--store", str(tmp_path / "store"))

    def call(*command: str, refused: bool = False) -> str:
        done = ape_run(*command[:2], *network(node), *place, *command[2:])
        said = done.stdout + done.stderr
        assert bool(done.returncode) == refused, said
        assert "Traceback" not in said
        return said

    return call


@pytest.mark.slow  # ten commands, each of which loads Ape
def test_the_life_of_an_offer(run: Run, tmp_path: Path) -> None:
    data = tmp_path / "own.npz"
    write_samples(data, np.zeros((3, 1, 8, 8), np.uint8), np.zeros(3, np.uint8))
    assert "offer 1" in run("seller", "offer", "--data", str(data), "--tag", "digits")
    run("seller", "pause", "--offer", "1")
    assert "already" in run("seller", "pause", "--offer", "1", refused=True)
    assert "offer 1: paused, digits" in run("seller", "list")
    left = run("seller", "leave", "--offer", "1")
    block = left.rsplit("from block ", 1)[1].split()[0]
    assert f"until block {block}" in run("seller", "withdraw-bond", "--offer", "1", refused=True)


def test_refusals_say_what_to_do(run: Run) -> None:
    assert "`leave` first" in run("cone", "withdraw-stake", refused=True)
    assert "only its opener" in run("buyer", "cancel", "--auction", "1", refused=True)
