from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from eth_account import Account
from web3 import Web3

from d2m.clients.anvil import AnvilFailed, AnvilMissing, find_anvil, start_anvil

PROJECT = Path(__file__).parents[2]

OWNER = """
import time
from d2m.clients.anvil import start_anvil
with start_anvil(accounts=1) as node:
    print(node.process.pid, node.url, flush=True)
    time.sleep(600)
"""


def answers(url: str) -> bool:
    try:
        requests.post(url, json={}, timeout=5)
    except requests.ConnectionError:
        return False
    return True


def test_options_reach_the_chain() -> None:
    with start_anvil(accounts=3, seed=5, chain_id=4242) as node:
        w3 = Web3(Web3.HTTPProvider(node.url))
        addresses = [Account.from_key(key).address for key in node.keys]
        assert w3.eth.chain_id == node.chain_id == 4242
        assert len(addresses) == 3
        assert [w3.eth.get_balance(each) for each in addresses] == [10_000 * 10**18] * 3
    assert node.process.returncode is not None


def test_the_seed_decides_the_keys() -> None:
    keys = []
    for seed in (1, 1, 2):
        with start_anvil(accounts=1, seed=seed) as node:
            keys.append(node.keys)
    assert keys[0] == keys[1] != keys[2]


def test_two_chains_do_not_meet() -> None:
    with start_anvil() as one, start_anvil() as two:
        assert one.url != two.url


def test_blocks_come_by_time() -> None:
    with start_anvil(accounts=1, block_seconds=0.05) as node:
        w3 = Web3(Web3.HTTPProvider(node.url))
        while w3.eth.block_number < 3:
            pass


def test_it_ends_when_the_block_fails() -> None:
    with pytest.raises(ZeroDivisionError), start_anvil(accounts=1) as node:
        raise ZeroDivisionError
    assert node.process.returncode is not None


@pytest.mark.parametrize(
    "how",
    [
        signal.SIGINT,
        pytest.param(signal.SIGTERM, marks=pytest.mark.skipif(sys.platform != "linux", reason="")),
        pytest.param(signal.SIGKILL, marks=pytest.mark.skipif(sys.platform != "linux", reason="")),
    ],
)
def test_it_ends_with_its_owner(how: signal.Signals) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT / "offchain")},
    )
    assert owner.stdout
    with owner, owner.stdout:
        _, url = owner.stdout.readline().split()
        owner.send_signal(how)
        owner.wait()
        for _ in range(200):  # the kernel may need a moment
            if not answers(url):
                return
            time.sleep(0.05)
    pytest.fail("anvil outlived its owner")


def test_a_refused_option_is_told() -> None:
    with (
        pytest.raises(AnvilFailed, match="nonesuch"),
        start_anvil(hardfork="nonesuch"),
    ):
        pass


def test_a_missing_anvil_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(AnvilMissing, match="make setup"):
        find_anvil(tmp_path)
    binary = tmp_path / "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
    binary.parent.mkdir(parents=True)
    binary.touch()
    assert find_anvil(tmp_path) == binary
