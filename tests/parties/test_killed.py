"""Real processes, killed with -9 at every point and started again: nothing is lost but time."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from web3.types import RPCEndpoint

from d2m.data.files import write_samples
from d2m.demo.play import WITHDRAW_ALL
from d2m.protocol.types import JobState
from tests.support import world as worlds
from tests.support.http import free_port, get
from tests.support.keys import key_options
from tests.support.money import withdrawn
from tests.support.turns import committed_in, is_voting, view
from tests.support.world import BLOCK_SECONDS, RULES, TAG, World, world

NODES = ("honest",) * 5
SELLERS = ("honest",) * 2
EVERYBODY = RULES._replace(rounds=1, base=len(NODES) - 1)
ANY_WAIT = 300.0
"""Seconds; a process loads PyTorch first."""
SMALL_FILES = 512
"""Bytes: smaller than an update."""
NODE, SELLER = 20, 10
"""Accounts of the parties that are processes."""
OTHER_NODES = tuple(f"node {number}" for number in range(1, len(NODES)))
OTHERS = ("buyer 0", "buyer 1", "seller 1", *OTHER_NODES)


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(worlds, "NODES", NODES)
    monkeypatch.setattr(worlds, "SELLERS", SELLERS)
    with world(tmp_path) as staffed:
        staffed.record.write(tmp_path / "deployment.json")
        staffed.register()
        staffed.open(EVERYBODY)
        yield staffed


def wait_until(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + ANY_WAIT
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(BLOCK_SECONDS)


@contextmanager
def life(market: World, role: str, account: int, *more: str, **options: Any) -> Iterator[Any]:
    """One life of a party's process, which ends with kill -9 unless it has ended before."""
    command = [
        *(sys.executable, "-m", "d2m.demo.party", role, "--rpc", market.anvil.url),
        *key_options(market.folder, account, market.anvil.keys[account]),
        *("--deployment", str(market.folder / "deployment.json")),
        *("--store", str(market.folder / "store"), "--patience", "2", *WITHDRAW_ALL, *more),
    ]
    with (market.folder / f"{account}.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def rpc(market: World, method: str, *parameters: Any) -> Any:
    provider = market.chain(0).w3.provider
    return provider.make_request(RPCEndpoint(method), list(parameters)).get("result")


def is_waiting(market: World) -> bool:
    """Whether a transaction waits in the pool, where nothing is mined."""
    return int(rpc(market, "txpool_status")["pending"], 16) > 0


def mine_again(market: World) -> None:
    rpc(market, "evm_setIntervalMining", 1)


def revealed(market: World) -> int:
    return view(market).mini_round.revealed


@pytest.mark.slow
def test_a_node_that_is_killed_at_every_point_is_paid_and_not_slashed(market: World) -> None:
    market.look_until(lambda: is_voting(market), ("buyer 0", "buyer 1", "seller 0", "seller 1"))
    market.mine_to(view(market).poll.seed_block + 2)
    node = market.node(0)

    rpc(market, "evm_setIntervalMining", 0)
    with life(market, "cone", NODE):
        wait_until(lambda: is_waiting(market))
    assert committed_in(market, node) == []  # killed before its commitment was mined
    mine_again(market)
    with life(market, "cone", NODE):
        wait_until(lambda: committed_in(market, node))
    assert revealed(market) == 0  # killed between commitment and reveal
    market.look_until(lambda: revealed(market) == len(OTHER_NODES), OTHER_NODES)
    with life(market, "cone", NODE):
        wait_until(lambda: revealed(market) > len(OTHER_NODES))
    # Killed after its reveal: the others go on, and the job ends without it.
    market.look_until(lambda: market.job().state == JobState.SETTLED, OTHERS)
    assert withdrawn(market, NODE) == 0
    with life(market, "cone", NODE, "--jobs", "1") as last:
        assert last.wait(ANY_WAIT) == 0

    assert len(committed_in(market, node)) == 1
    assert withdrawn(market, NODE) > 0
    assert market.chain(0).logs("ConePool", "NodeSlashed") == []


@pytest.mark.slow
def test_a_seller_that_is_killed_or_has_no_disk_left_posts_and_is_paid(market: World) -> None:
    data = market.folder / "own.npz"
    write_samples(data, market.samples[0].inputs, market.samples[0].labels)
    offering = ("--data", str(data), "--tag", TAG, "--offer", str(market.offer(0)))
    market.look_until(
        lambda: market.contracts.jobs.count() == 1 and market.job().state == JobState.COLLECTING,
        ["buyer 0", "buyer 1"],
    )
    index = market.contracts.jobs.offers(1).ids.index(market.offer(0))

    def posted() -> bool:
        return index in market.contracts.jobs.updates(1, 1)

    full = {"preexec_fn": lambda: limit_files(0, SMALL_FILES)}
    port = free_port()
    with life(market, "seller", SELLER, *offering, "--metrics", f"127.0.0.1:{port}", **full) as it:
        wait_until(lambda: get(port, "/healthz")[0] == 503)
        _status, why = get(port, "/healthz")
        assert why.startswith("disk: [Errno 27]")
        assert "free space" in why
        assert it.poll() is None
        assert not posted()
        assert 'd2m_problem{kind="disk"} 1.0' in get(port, "/metrics")[1]
        rpc(market, "evm_setIntervalMining", 0)
        limit_files(it.pid, resource.RLIM_INFINITY)
        rpc(market, "anvil_mine", 1)
        wait_until(lambda: is_waiting(market))
    rpc(market, "anvil_dropAllTransactions")
    assert not posted()  # killed after training, and what it sent is lost
    mine_again(market)
    with life(market, "seller", SELLER, *offering, "--metrics", f"127.0.0.1:{port}"):
        wait_until(posted)
        wait_until(lambda: 'd2m_duties_total{duty="posted"} 1.0' in get(port, "/metrics")[1])
        assert get(port, "/healthz") == (200, "ok\n")
    nodes = tuple(f"node {number}" for number in range(len(NODES)))
    others = ("buyer 0", "buyer 1", "seller 1", *nodes)
    market.look_until(lambda: market.job().state == JobState.SETTLED, others)
    assert withdrawn(market, SELLER) == 0
    with life(market, "seller", SELLER, *offering, "--jobs", "1") as last:
        assert last.wait(ANY_WAIT) == 0
    assert withdrawn(market, SELLER) > 0

    def paid() -> int:
        return sum(withdrawn(market, account) for account in (SELLER, SELLER + 1))

    pot = market.contracts.situation(1).pots.seller_pot
    market.look_until(lambda: paid() == pot, ["seller 1"])


def limit_files(pid: int, size: int) -> None:
    """Let a process (0: this one) write no file larger than `size` bytes, as a full disk does."""
    _soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
