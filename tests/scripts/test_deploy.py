"""The wallet-driven scripts, run as a user runs them, against a node of their own."""

from __future__ import annotations

import json
from pathlib import Path

from offchain.chain.anvil import Anvil
from offchain.chain.artifacts import load_artifacts
from offchain.chain.client import Chain
from tests.scripts.conftest import ape_run, network


def test_every_contract_points_at_the_others_and_at_nobody_else(deployed: Chain) -> None:
    jobs = deployed.contract("Jobs")
    for part in ("ConePool", "Yoda", "Escrow", "AuctionHouse", "Lens"):
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
        assert not functions & {"owner", "admin", "transferOwnership", "upgradeTo", "unpause"}


def test_a_dry_run_deploys_nothing(node: Anvil, deployed: Chain, tmp_path: Path) -> None:
    before = deployed.block_number()
    out = tmp_path / "deployment.json"
    done = ape_run("deploy", *network(node), "--dry-run", "--json", "--out", str(out))
    assert done.returncode == 0, done.stderr
    preview = json.loads(done.stdout)
    assert (preview["step"], preview["arguments"]) == (
        "deploy SellerRegistry",
        {"bondUnit_": str(10**17)},
    )
    assert not out.exists()
    blocks = range(before + 1, deployed.block_number() + 1)
    assert not any(deployed.w3.eth.get_block(each)["transactions"] for each in blocks)


def test_foreseeable_draws_are_refused_off_local_chains(node: Anvil) -> None:
    done = ape_run("deploy", *network(node), "--random-seed", "x")
    assert done.returncode != 0
    assert "--random-seed makes every draw foreseeable" in done.stdout + done.stderr
