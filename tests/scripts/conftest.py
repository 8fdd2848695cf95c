"""A chain of its own, the contracts on it, and an Ape account that pays."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from d2m.chain.artifacts import load_artifacts
from d2m.chain.client import Chain
from d2m.chain.deployment.record import Deployment
from d2m.chain.signer import write_key_file
from d2m.clients.anvil import Anvil, start_anvil
from d2m.demo.stage import KEY_WORK

EXAMPLE = Path(__file__).parents[2] / "scripts" / "deployment.example.yaml"
ACCOUNT = "TEST::0"
KEY_NAME, PASSPHRASE = "me", "correct horse"
CHAIN_ID = 4242
"""Not the one that Ape assumes of local networks."""


def ape_command(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).parent / "ape"), "run", *arguments]


def ape_run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A script, as a user runs it."""
    return subprocess.run(ape_command(*arguments), capture_output=True, text=True, check=False)


def d2m_run(node: Anvil, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of `d2m`, which signs with a named key file in Ape's folder of accounts."""
    keys = folder / "ape" / "accounts"
    if not keys.exists():
        write_key_file(keys / f"{KEY_NAME}.json", node.keys[1], PASSPHRASE, work=KEY_WORK)
    secrets = {f"APE_ACCOUNTS_{KEY_NAME}_PASSPHRASE": PASSPHRASE}
    return subprocess.run(
        [sys.executable, "-m", "d2m", *arguments, "--account", KEY_NAME],
        env={**os.environ, **secrets, "APE_DATA_FOLDER": str(folder / "ape"), "D2M_RPC": node.url},
        capture_output=True,
        text=True,
        check=False,
    )


def network(node: Anvil) -> tuple[str, ...]:
    return ("--account", ACCOUNT, "--network", f"ethereum:local:{node.url}")


@pytest.fixture(scope="package")
def node() -> Iterator[Anvil]:
    with start_anvil(accounts=2, chain_id=CHAIN_ID, block_seconds=0.1) as anvil:
        yield anvil


@pytest.fixture(scope="package")
def funded(node: Anvil, accounts: Any) -> Anvil:
    """The node, with ether for the account."""
    reader = Chain(node.url, Deployment(CHAIN_ID, 0, {}), load_artifacts())
    reader.w3.provider.make_request("anvil_setBalance", [accounts[0].address, hex(10**20)])
    return node


@pytest.fixture(scope="package")
def record(funded: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The record of a deployment by the script."""
    folder = tmp_path_factory.mktemp("deploy")
    options = ("--yes", "--parameters", str(EXAMPLE), "--out", str(folder))
    done = ape_run("deploy", *network(funded), *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / f"{CHAIN_ID}.json"


@pytest.fixture(scope="package")
def deployed(node: Anvil, record: Path) -> Chain:
    """Reads of the deployed contracts."""
    return Chain(node.url, Deployment.read(record), load_artifacts())
