from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from web3.types import RPCEndpoint

from d2m.chain.artifacts import Artifact, load_artifacts
from d2m.chain.client import Chain
from d2m.chain.deployment.record import Deployment
from d2m.chain.signer import KeySigner
from d2m.chain.transactions import Receipt
from d2m.clients.anvil import Anvil, start_anvil

MakeChain = Callable[..., Chain]


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    """A chain that mines each transaction at once."""
    with start_anvil(accounts=4, seed=7) as anvil:
        yield anvil


@pytest.fixture(scope="session")
def artifacts() -> dict[str, Artifact]:
    return load_artifacts(Path(__file__).with_name("probe") / "probe.json")


@pytest.fixture(scope="module")
def deployment(node: Anvil, artifacts: dict[str, Artifact]) -> Deployment:
    signer = KeySigner(Account.from_key(node.keys[0]))
    deployer = Chain(node.url, Deployment(node.chain_id, 0, {}), artifacts, signer)
    address, receipt = deployer.deploy("Probe", deployer.address)
    return Deployment(node.chain_id, receipt.block, {"Probe": address})


@pytest.fixture
def receipts() -> list[Receipt]:
    """What the clients of ``make_chain`` report."""
    return []


@pytest.fixture
def make_chain(
    node: Anvil,
    artifacts: dict[str, Artifact],
    deployment: Deployment,
    receipts: list[Receipt],
) -> MakeChain:
    """A party: by default the first account on the module's node."""

    def make(account: int = 0, where: Deployment = deployment, **options: Any) -> Chain:
        signer = KeySigner(Account.from_key(node.keys[account]))
        options = {"on_receipt": receipts.append, "poll_seconds": 0.02, **options}
        return Chain(node.url, where, artifacts, signer, **options)

    return make


@pytest.fixture
def chain(make_chain: MakeChain) -> Chain:
    return make_chain()


def rpc(chain: Chain, method: str, *parameters: Any) -> Any:
    return chain.w3.provider.make_request(RPCEndpoint(method), list(parameters))["result"]


class Pool:
    """The transactions that wait while nothing is mined."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    def wait_for(self, count: int) -> None:
        for _ in range(1_000):
            if int(rpc(self._chain, "txpool_status")["pending"], 16) >= count:
                return
            time.sleep(0.01)
        raise AssertionError(f"{count} transactions never met in the pool")

    def mine_once_it_has(self, count: int) -> threading.Thread:
        def mine() -> None:
            self.wait_for(count)
            rpc(self._chain, "anvil_mine", 1)

        thread = threading.Thread(target=mine)
        thread.start()
        return thread


@pytest.fixture
def pool(make_chain: MakeChain) -> Iterator[Pool]:
    """Until the test ends, the node mines only when told."""
    controller = make_chain()
    rpc(controller, "evm_setAutomine", False)
    yield Pool(controller)
    rpc(controller, "anvil_dropAllTransactions")
    rpc(controller, "evm_setAutomine", True)
