"""A market and a whole job on three chains, so that not only anvil is believed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from eth_account import Account
from eth_utils.crypto import keccak

from d2m.chain.client import Chain
from d2m.chain.contracts.market import Market
from d2m.chain.deployment.record import Deployment
from d2m.clients.anvil import Anvil
from d2m.clients.geth import Geth
from d2m.data.datasets import load
from d2m.data.files import write_samples
from d2m.data.partition import dirichlet
from d2m.demo.play import WITHDRAW_ALL
from d2m.protocol.types import ETHER, JobState
from tests.scripts.conftest import ACCOUNT, EXAMPLE, ape_run
from tests.support.keys import key_options
from tests.support.world import TAG, artifacts
from tools.chaos.options import small_spec

SELLERS, NODES = 2, 5
BUYER, FIRST_SELLER, FIRST_NODE = 1, 2, 10
"""Accounts of the parties."""
WINDOW_BLOCKS = 1000
"""Longer than any machine needs: windows end early when all have acted; the auction's is skipped
once there is a bid."""
JOB_SECONDS = 600
"""A test gives up on a job that does not end; eight processes load PyTorch first."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(chain_node: Anvil | Geth, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the record of the market lies that the script has deployed on the chain."""
    folder = tmp_path_factory.mktemp("market")
    network = ("--network", f"ethereum:local:{chain_node.url}")
    options = ("--yes", "--parameters", str(EXAMPLE), "--out", str(folder))
    done = ape_run("deploy", "--account", ACCOUNT, *network, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_script_deploys_a_market_that_the_check_finds_right(
    chain_node: Anvil | Geth, folder: Path
) -> None:
    network = ("--network", f"ethereum:local:{chain_node.url}")
    checked = ape_run("market", "check", *network, "--deployment", str(folder))
    assert checked.returncode == 0, checked.stdout + checked.stderr


class Processes:
    """The parties' commands, each a process with a key file of its own."""

    def __init__(self, node: Anvil | Geth, folder: Path) -> None:
        self._node = node
        self._folder = folder
        self.record = Deployment.read(folder, node.chain_id)

    @property
    def contracts(self) -> Market:
        """Fresh reads."""
        return Market(Chain(self._node.url, self.record, artifacts()))

    def command(self, role: str, account: int, *more: str) -> list[str]:
        return [
            *(sys.executable, "-m", "d2m.demo.party", role, "--rpc", self._node.url),
            *key_options(self._folder, account, self._node.keys[account]),
            *("--deployment", str(self._folder), "--store", str(self._folder / "store"), *more),
        ]

    @contextmanager
    def running(self, role: str, account: int, *more: str) -> Iterator[subprocess.Popen[bytes]]:
        """A serving party; its log lies in the folder."""
        with (self._folder / f"{role}-{account}.log").open("wb") as log:
            process = subprocess.Popen(
                self.command(role, account, *WITHDRAW_ALL, *more), stdout=log, stderr=log
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def open(self) -> int:
        """Open an auction by the command; its id."""
        data, spec = load("digits"), self._folder / "job.json"
        spec.write_bytes(small_spec(keccak(text="processes")).to_bytes())
        evaluation = self._folder / "evaluation.npz"
        write_samples(evaluation, data.evaluation_inputs, data.evaluation_labels)
        asked = ("--tag", TAG, "--spec", str(spec), "--evaluation", str(evaluation))
        sizes = (
            "--target",
            "1.0",
            "--rounds",
            "2",
            "--base",
            "3",
            "--auction-blocks",
            str(WINDOW_BLOCKS),
        )
        windows = ("--window-blocks", str(WINDOW_BLOCKS), "--reserve", "0.1 ether")
        opening = self.command("open", BUYER, *asked, *sizes, *windows)
        done = subprocess.run(opening, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return int(done.stdout)

    def logs(self) -> str:
        """The last lines of every party."""
        files = sorted(self._folder.glob("*.log"))
        return "\n".join(f"{each.name}: {each.read_text()[-600:]}" for each in files)


def test_a_whole_job_through_the_processes(chain_node: Anvil | Geth, folder: Path) -> None:
    parties = Processes(chain_node, folder)
    data = load("digits")
    parts = dirichlet(data.train_labels, SELLERS, 0.5, 1)
    with ExitStack() as lives:
        for number, part in enumerate(parts):
            file = folder / f"{number}.npz"
            write_samples(file, data.train_inputs[part], data.train_labels[part])
            more = ("--data", str(file), "--tag", TAG, "--jobs", "1")
            lives.enter_context(parties.running("seller", FIRST_SELLER + number, *more))
        for number in range(NODES):
            lives.enter_context(parties.running("cone", FIRST_NODE + number, "--jobs", "1"))
        wait_until(parties, lambda: registered(parties) == (SELLERS, NODES))
        auction, delivered = parties.open(), folder / "delivered"
        bid = ("--auction", str(auction), "--limit", "1 ether", "--folder", str(delivered))
        buyer = lives.enter_context(parties.running("buyer", BUYER, *bid))
        wait_until(parties, lambda: bool(parties.contracts.auctions.auction(auction).highest_bid))
        chain_node.mine(WINDOW_BLOCKS)
        wait_until(parties, lambda: buyer.poll() is not None)
        assert buyer.returncode == 0, parties.logs()
        wait_until(parties, lambda: not owed(parties, chain_node))
    view = parties.contracts.situation(1)
    assert (view.job.state, view.job.accepted_rounds) == (JobState.SETTLED, 2)
    assert json.loads((delivered / "delivery.json").read_text())["hash_matches"]
    assert not parties.contracts.chain.logs("ConePool", "NodeSlashed")


def registered(parties: Processes) -> tuple[int, int]:
    """How many offers and seats there are."""
    chain = parties.contracts.chain
    return len(chain.logs("SellerRegistry", "Offered")), len(chain.logs("ConePool", "NodeJoined"))


def owed(parties: Processes, node: Anvil | Geth) -> int:
    """What the parties have not yet claimed or withdrawn of the job, in wei."""
    contracts = parties.contracts
    accounts = [BUYER, *range(FIRST_SELLER, FIRST_SELLER + SELLERS)]
    accounts += range(FIRST_NODE, FIRST_NODE + NODES)
    addresses = [Account.from_key(node.keys[number]).address for number in accounts]
    pots = contracts.situation(1).pots
    unclaimed = pots.seller_pot - pots.seller_paid + pots.right_votes - pots.paid_votes
    return unclaimed + sum(sum(contracts.lens.credits(each, [ETHER])) for each in addresses)


def wait_until(parties: Processes, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + JOB_SECONDS
    while not holds():
        assert time.monotonic() < deadline, parties.logs()
        time.sleep(0.5)
