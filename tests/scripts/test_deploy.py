"""The wallet-driven scripts, run as a user runs them, against a node of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from offchain.chain.anvil import Anvil, start_anvil
from offchain.chain.artifacts import load_artifacts
from offchain.chain.client import Chain
from offchain.chain.deployment import Deployment

ACCOUNT = "TEST::0"
CHAIN_ID = 4242
"""Not the one that Ape assumes of local networks."""


def ape_run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "ape"), "run", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with start_anvil(accounts=2, chain_id=CHAIN_ID, block_seconds=0.1) as anvil:
        yield anvil


@pytest.fixture(scope="module")
def deployed(node: Anvil, tmp_path_factory: pytest.TempPathFactory, accounts: Any) -> Chain:
    record = tmp_path_factory.mktemp("deploy") / "deployment.json"
    deployer = accounts[0].address
    reader = Chain(node.url, Deployment(CHAIN_ID, 0, {}), load_artifacts())
    reader.w3.provider.make_request("anvil_setBalance", [deployer, hex(10**20)])
    network = f"ethereum:local:{node.url}"
    done = ape_run("deploy", "--account", ACCOUNT, "--network", network, "--out", str(record))
    assert done.returncode == 0, done.stdout + done.stderr
    return Chain(node.url, Deployment.read(record), load_artifacts())


def test_every_contract_points_at_the_others_and_at_nobody_else(deployed: Chain) -> None:
    jobs = deployed.contract("Jobs")
    for part in ("ConePool", "Yoda", "Escrow", "AuctionHouse"):
        assert deployed.call(deployed.contract(part).functions.jobs()) == jobs.address
    names = {
        "registry": "SellerRegistry",
        "randomness": "BlockhashRandomness",
        "pool": "ConePool",
        "yoda": "Yoda",
        "escrow": "Escrow",
        "auctionHouse": "AuctionHouse",
    }
    for getter, name in names.items():
        found = deployed.call(getattr(jobs.functions, getter)())
        assert found == deployed.deployment.contracts[name]


def test_no_function_is_reserved_to_a_person(deployed: Chain) -> None:
    for name in deployed.deployment.contracts:
        functions = {entry["name"] for entry in load_artifacts()[name].abi if "name" in entry}
        assert not functions & {"owner", "admin", "transferOwnership", "upgradeTo", "pause"}


def test_foreseeable_draws_are_refused_off_local_chains(node: Anvil) -> None:
    network = f"ethereum:local:{node.url}"
    done = ape_run("deploy", "--account", ACCOUNT, "--network", network, "--random-seed", "x")
    assert done.returncode != 0
    assert "--random-seed makes every draw foreseeable" in done.stdout + done.stderr
