"""Commands besides serving: by `ape run` with an account of Ape's, by `d2m` with a key file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from d2m.clients.anvil import Anvil
from d2m.data.files import write_samples
from d2m.protocol.types import ETHER
from tests.scripts.conftest import ape_run, d2m_run, network

Run = Callable[..., str]


@pytest.fixture(params=["ape run", "d2m"])
def run(request: pytest.FixtureRequest, node: Anvil, record: Path, tmp_path: Path) -> Run:
    """Run a script's subcommand, expecting success or a refusal of one line; what it printed.

    No command but those that offer data is given a store: none other may ask for one.
    """
    deployment, store = ("--deployment", str(record)), ("--store", str(tmp_path / "store"))

    def call(*command: str, refused: bool = False, for_machines: bool = False) -> str:
        place = (*deployment, *(store if command[1] == "offer" else ()))
        if request.param == "d2m":
            done = d2m_run(node, tmp_path, *command[:2], *place, *command[2:])
        else:
            done = ape_run(*command[:2], *network(node), *place, *command[2:])
        assert bool(done.returncode) == refused, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        return done.stdout if for_machines else done.stdout + done.stderr

    return call


@pytest.mark.slow  # ten commands, each of which loads Ape
def test_the_life_of_an_offer(run: Run, tmp_path: Path) -> None:
    data = tmp_path / "own.npz"
    write_samples(data, np.zeros((3, 1, 8, 8), np.uint8), np.zeros(3, np.uint8))
    making = ("seller", "offer", "--data", str(data), "--tag", "digits")
    assert "add --yes to sign" in run(*making, refused=True)
    assert "--json asks nothing" in run(*making, "--json", refused=True)
    (preview,) = map(
        json.loads, run(*making, "--json", "--dry-run", for_machines=True).splitlines()
    )
    assert (preview["type"], preview["value"]) == ("preview", str(10**17))
    made, answer = map(json.loads, run(*making, "--json", "--yes", for_machines=True).splitlines())
    assert (made["step"], answer["type"]) == ("SellerRegistry.offer", "answer")
    offer = answer["offer"]
    paused = run("seller", "pause", "--offer", offer, "--yes")
    assert f"SellerRegistry.OfferPaused(offerId={offer})" in paused
    assert "already" in run("seller", "pause", "--offer", offer, "--yes", refused=True)
    assert f"offer {offer}: paused, digits" in run("seller", "list")
    assert f"offer {offer} is listed" in run("seller", "resume", "--offer", offer, "--yes")
    left = run("seller", "leave", "--offer", offer, "--yes")
    block = left.rsplit("from block ", 1)[1].split()[0]
    refusal = run("seller", "withdraw-bond", "--offer", offer, "--yes", refused=True)
    assert f"until block {block}" in refusal
    nobody = run("seller", "withdraw-bond", "--offer", offer, "--to", ETHER, "--yes", refused=True)
    assert "'--to': 0x0000000000000000000000000000000000000000 is nobody's address" in nobody


def test_refusals_say_what_to_do(run: Run) -> None:
    assert "`leave` first" in run("cone", "withdraw-stake", "--yes", refused=True)
    assert "has no seat" in run("cone", "leave", "--yes", refused=True)
    friend = ("--to", "0x" + "11" * 20)
    assert "no credit" in run("buyer", "withdraw", *friend, "--yes", refused=True)
    refusal = run(
        "buyer", "cancel", "--auction", "1", "--yes", "--json", refused=True, for_machines=True
    )
    assert json.loads(refusal)["error"] == "CannotCancel"
