"""A chain of another client than anvil: EthereumJS, whose EVM, pool and RPC are its own.

It is an execution client as on Ethereum, without a consensus client: the test says through the
engine API when a block is to be made.
"""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from eth_account import Account

from offchain.chain.fees import FEE_HISTORY_BLOCKS
from scripts._setup.evm_client import CLIENT
from tests.clients.corrected import relay

CHAIN_ID = 20251211
BALANCE = 10**22
GAS_LIMIT = 30_000_000
BASE_FEE = 10**9
BLOCK_SECONDS = 0.5
"""Between blocks. Their time stamps are whole seconds, so the chain's clock runs ahead."""
START_SECONDS = 60
ZERO = "0x" + "00" * 32
NOBODY = "0x" + "00" * 20
FORKS = (
    "homestead eip150 eip155 eip158 byzantium constantinople petersburg istanbul berlin london"
    " mergeNetsplit"
)
"""Before the merge; all from the first block on."""


class ClientFailed(Exception):
    """The client did not start, or refused a block."""


@dataclass
class EthereumJs:
    """A running client; its accounts are those of the keys."""

    node: str
    """Its RPC as it is."""
    engine: str
    keys: tuple[bytes, ...]
    chain_id: int = CHAIN_ID
    url: str = ""
    """Its RPC with two answers mended (`corrected.py`): what a party takes."""
    stopped: threading.Event = field(default_factory=threading.Event)
    failed: Exception | None = None
    _session: requests.Session = field(default_factory=requests.Session)
    _making: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._session.trust_env = False  # no proxy for loopback

    def rpc(self, method: str, *parameters: Any, url: str = "") -> Any:
        """One request's result."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        answer = self._session.post(url or self.node, json=request, timeout=60).json()
        if "error" in answer:
            raise ClientFailed(f"{method}: {answer['error']}")
        return answer["result"]

    def mine(self, blocks: int = 1) -> None:
        """Have blocks made of what waits."""
        for _ in range(blocks):
            with self._making:
                self._make_block()

    def mine_until_stopped(self) -> None:
        """A block every `BLOCK_SECONDS`."""
        try:
            while not self.stopped.wait(BLOCK_SECONDS):
                self.mine()
        except Exception as error:  # told by the fixture, this is a thread's end
            self.failed = error

    def _make_block(self) -> None:
        head = self.rpc("eth_getBlockByNumber", "latest", False)
        attributes = {
            "timestamp": hex(max(int(time.time()), int(head["timestamp"], 16) + 1)),
            "prevRandao": ZERO,
            "suggestedFeeRecipient": NOBODY,
            "withdrawals": [],
            "parentBeaconBlockRoot": ZERO,
        }
        begun = self._fork_choice(head["hash"], attributes)
        payload = self.rpc("engine_getPayloadV3", begun["payloadId"], url=self.engine)
        made = payload["executionPayload"]
        status = self.rpc("engine_newPayloadV3", made, [], ZERO, url=self.engine)
        if status["status"] != "VALID":
            raise ClientFailed(str(status))
        self._fork_choice(made["blockHash"], None)

    def _fork_choice(self, head: str, attributes: dict[str, Any] | None) -> Any:
        state = {"headBlockHash": head, "safeBlockHash": head, "finalizedBlockHash": ZERO}
        return self.rpc("engine_forkchoiceUpdatedV3", state, attributes, url=self.engine)


def genesis(keys: tuple[bytes, ...]) -> dict[str, Any]:
    """The first block, in geth's form: Cancun, some rich accounts, nothing else."""
    return {
        "config": {
            "chainId": CHAIN_ID,
            **{f"{fork}Block": 0 for fork in FORKS.split()},
            "terminalTotalDifficulty": 0,
            "terminalTotalDifficultyPassed": True,
            "shanghaiTime": 0,
            "cancunTime": 0,
        },
        "nonce": "0x0",
        "timestamp": "0x0",
        "extraData": "0x",
        "gasLimit": hex(GAS_LIMIT),
        "difficulty": "0x0",
        "mixHash": ZERO,
        "coinbase": NOBODY,
        "number": "0x0",
        "gasUsed": "0x0",
        "parentHash": ZERO,
        "baseFeePerGas": hex(BASE_FEE),
        "excessBlobGas": "0x0",
        "blobGasUsed": "0x0",
        "alloc": {Account.from_key(key).address[2:]: {"balance": hex(BALANCE)} for key in keys},
    }


@contextmanager
def start_ethereumjs(folder: Path, accounts: int) -> Iterator[EthereumJs]:
    """Run the client, which makes blocks, until the context ends."""
    keys = tuple(number.to_bytes(32, "big") for number in range(1, accounts + 1))
    (folder / "genesis.json").write_text(json.dumps(genesis(keys)))
    ports = free_ports(2)
    client = EthereumJs(*(f"http://127.0.0.1:{port}" for port in ports), keys)
    log = folder / "ethereumjs.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command(folder, *ports), stdout=output, stderr=output, cwd=folder
        )
    thread = threading.Thread(target=client.mine_until_stopped)
    try:
        wait_for(client, process, log)
        client.mine(FEE_HISTORY_BLOCKS)  # of a shorter history it tells nothing
        thread.start()
        with relay(client.node) as url:
            client.url = url
            yield client
        if client.failed:
            raise client.failed
    finally:
        client.stopped.set()
        if thread.ident:
            thread.join()
        process.kill()
        process.wait()


def command(folder: Path, rpc_port: int, engine_port: int) -> list[str]:
    """The client alone on loopback, without peers."""
    return [
        *("node", str(CLIENT / "node_modules" / "@ethereumjs" / "client" / "dist/esm/bin/cli.js")),
        *("--gethGenesis", str(folder / "genesis.json"), "--dataDir", str(folder / "data")),
        *("--rpc", "--rpcAddr", "127.0.0.1", "--rpcPort", str(rpc_port)),
        *("--rpcEngine", "--rpcEngineAddr", "127.0.0.1", "--rpcEnginePort", str(engine_port)),
        *("--rpcEngineAuth=false", "--isSingleNode", "--sync", "none", "--logFile=false"),
        *("--maxPeers", "0", "--minPeers", "0", "--discDns=false", "--discV4=false"),
        *("--port", "0", "--saveReceipts"),
    ]


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens at now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def wait_for(client: EthereumJs, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until the client answers."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            client.rpc("eth_chainId")
            client.rpc("engine_exchangeCapabilities", [], url=client.engine)
            return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise ClientFailed(f"EthereumJS did not start: {log.read_text()[-2000:]}")
