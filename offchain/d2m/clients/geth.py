"""A chain of real geth, by mainnet's rules of today or by Sepolia's, on loopback.

geth is an execution client: what decides about blocks is outside of it. Here `Geth` decides, over
geth's own socket: when a block comes, what is in it and in which order, and which branch is the
chain. So a re-organisation is one to geth, too: its pool takes back what the lost blocks held.
"""

from __future__ import annotations

import json
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from eth_account import Account
from web3 import IPCProvider
from web3.types import RPCEndpoint

from d2m.clients.anvil import die_with_parent, stop
from d2m.clients.binaries import ClientFailed, find_client

GENESIS = Path(__file__).with_name("genesis.json")
"""Mainnet's rules since Osaka, the system contracts and the deployment proxy, nobody's ether."""
PROXY = "4e59b44847b379578588920ca78fbf26c0b4956c"
"""The deployment proxy, as the genesis file writes its address."""
CHAIN_ID = 20251211
ACCOUNT_ETHER = 10_000
START_SECONDS = 60
_CACHE_MB = 64
"""A chain of a test fits in it; geth reserves files of the disk by it, 1.2 GB by default."""
DURABLE = ("--state.scheme", "hash", "--gcmode", "archive")
"""Without these geth keeps the state of all blocks since its last orderly end in memory: killed
after 400 blocks it had lost all 400, with these one to six. The first two go to `geth init`."""
NOBODY = "0x" + "00" * 20
ZERO = "0x" + "00" * 32


class Rules(Enum):
    """Rules that a chain runs by; the value is the name of Ethereum's latest upgrade there."""

    MAINNET = "osaka"
    SEPOLIA = "amsterdam"


def genesis(rules: Rules, keys: Sequence[bytes], *, chain_id: int = CHAIN_ID) -> dict[str, Any]:
    """The first block; each key's account has `ACCOUNT_ETHER` ether."""
    first: dict[str, Any] = json.loads(GENESIS.read_text(encoding="utf-8"))
    first["config"]["chainId"] = chain_id
    for key in keys:
        first["alloc"][Account.from_key(key).address] = {"balance": hex(ACCOUNT_ETHER * 10**18)}
    if rules is Rules.SEPOLIA:
        first["config"]["amsterdamTime"] = 0
        first["slotNumber"] = "0x0"
    return first


@dataclass
class Geth:
    """A running geth that makes a block when it is told to, or by itself (`keep_mining`)."""

    url: str
    chain_id: int
    keys: tuple[bytes, ...] = field(repr=False)
    """Private keys of the accounts that have ether."""
    rules: Rules
    process: subprocess.Popen[bytes] = field(repr=False)
    socket: Path
    _random: random.Random = field(default_factory=lambda: random.Random(0), repr=False)
    _making: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _provider: IPCProvider = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._provider = IPCProvider(self.socket, timeout=START_SECONDS)

    def control(self, method: str, *parameters: Any) -> Any:
        """One request over geth's own socket, where it takes every method."""
        answer = self._provider.make_request(RPCEndpoint(method), list(parameters))
        if "error" in answer:
            raise ClientFailed(f"geth refused {method}: {answer['error']}")
        return answer["result"]

    def head(self) -> dict[str, Any]:
        """The latest block."""
        return dict(self.control("eth_getBlockByNumber", "latest", False))

    def mine(
        self, blocks: int = 1, transactions: Sequence[str] | None = None, **attributes: Any
    ) -> None:
        """Make blocks: of what waits in the pool, or of these raw transactions in this order.

        `attributes` replace those of the payload (a timestamp, withdrawals). A transaction that
        cannot be in a block there is an error of geth's.
        """
        for _ in range(blocks):
            with self._making:
                made_with = self._attributes() | attributes
                self.control("testing_commitBlockV1", made_with, transactions, None)

    def raw_transactions(self, number: int) -> list[str]:
        """Transactions of a block, as they were sent, in order."""
        block = self.control("eth_getBlockByNumber", hex(number), False)
        return [self.control("eth_getRawTransactionByHash", each) for each in block["transactions"]]

    def rewind(self, depth: int) -> None:
        """Take the last blocks back; geth puts what they held into its pool again."""
        with self._making:
            number = int(self.head()["number"], 16) - depth
            target = self.control("eth_getBlockByNumber", hex(number), False)["hash"]
            self._choose(target)

    def reorganise(self, depth: int, blocks: Sequence[Sequence[str]] | None = None) -> None:
        """Replace the last `depth` blocks by others, so that the chain is one longer.

        `blocks` gives the raw transactions of the new ones; None: empty ones, what was lost waits
        in geth's pool.
        """
        with self._making:
            self.rewind(depth)
            for transactions in [[]] * (depth + 1) if blocks is None else blocks:
                self.mine(transactions=list(transactions))

    def forget(self, depth: int) -> None:
        """Take the last blocks back with all that they held, as a node that lost them (kill -9)."""
        with self._making:
            if depth:
                self.control("debug_setHead", hex(int(self.head()["number"], 16) - depth))

    @contextmanager
    def keep_mining(self, seconds: float) -> Iterator[None]:
        """Make a block every so many seconds; time stamps are whole, so the clock may run ahead."""
        stopped = threading.Event()
        failures: list[Exception] = []

        def make() -> None:
            try:
                while not stopped.wait(seconds):
                    self.mine()
            except Exception as error:  # told by the context, this is a thread's end
                failures.append(error)

        thread = threading.Thread(target=make)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join()
        if failures:
            raise failures[0]

    def _attributes(self) -> dict[str, Any]:
        """Attributes that the next block is made with."""
        head = self.head()
        attributes = {
            "timestamp": hex(max(int(time.time()), int(head["timestamp"], 16) + 1)),
            "prevRandao": f"0x{self._random.getrandbits(256):064x}",
            "suggestedFeeRecipient": NOBODY,
            "withdrawals": [],
            "parentBeaconBlockRoot": ZERO,
        }
        if self.rules is Rules.SEPOLIA:
            attributes["slotNumber"] = hex(int(head["slotNumber"], 16) + 1)
        return attributes

    def _choose(self, block_hash: str) -> None:
        """Have geth take a block for the chain's head."""
        state = {"headBlockHash": block_hash, "safeBlockHash": ZERO, "finalizedBlockHash": ZERO}
        status = self.control("engine_forkchoiceUpdatedV3", state, None)["payloadStatus"]
        if status["status"] != "VALID":
            raise ClientFailed(f"geth did not take the head {block_hash}: {status}")


@contextmanager
def start_geth(
    rules: Rules,
    *,
    accounts: int = 10,
    keys: Sequence[bytes] = (),
    block_seconds: float | None = None,
    chain_id: int = CHAIN_ID,
    options: Sequence[str] = (),
    first_block: dict[str, Any] | None = None,
    folder: Path | None = None,
    port: int = 0,
    is_durable: bool = False,
) -> Iterator[Geth]:
    """Run geth until the ``with`` block ends, however it ends.

    The accounts with ether are those of `keys`; where none are given, `accounts` many of its own.
    A block every `block_seconds`, or only when told to (None). `options` are geth's own, added to
    its command; `first_block` takes the place of `genesis`. A `folder` outlives the run: geth goes
    on with the chain that is in it. `is_durable`: every block goes to disk, so that kill -9 takes
    few of the last (`DURABLE`).
    """
    keys = tuple(keys or (number.to_bytes(32, "big") for number in range(1, accounts + 1)))
    with tempfile.TemporaryDirectory(prefix="geth-") as temporary:
        data = Path(temporary, "data") if folder is None else folder
        if not data.is_dir():
            first = first_block or genesis(rules, keys, chain_id=chain_id)
            _initialise(data, first, DURABLE[:2] if is_durable else ())
        port = port or free_port()
        url, ipc = f"http://127.0.0.1:{port}", Path(temporary, "ipc")
        command = _command(data, ipc, port, free_port(), chain_id)
        command += [*(DURABLE if is_durable else ()), *options]
        log = Path(temporary, "log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the parties first, the chain goes last
                preexec_fn=die_with_parent,
            )
        try:
            _wait_for(process, ipc, url, log)
            geth = Geth(url, chain_id, keys, rules, process, ipc)
            geth._choose(geth.head()["hash"])  # from here on it counts as in sync
            if block_seconds is None:
                yield geth
            else:
                with geth.keep_mining(block_seconds):
                    yield geth
        finally:
            stop(process)


def free_port() -> int:
    """A port of loopback that nobody listens at now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _initialise(data: Path, first_block: dict[str, Any], options: Sequence[str]) -> None:
    data.mkdir(parents=True)
    file = data / "genesis.json"
    file.write_text(json.dumps(first_block), encoding="utf-8")
    done = subprocess.run(
        [find_client("geth"), "init", "--datadir", data, *options, file],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        shutil.rmtree(data)
        raise ClientFailed(f"geth does not take the genesis file: {done.stderr[-2000:]}")


def _command(data: Path, ipc: Path, port: int, engine_port: int, chain_id: int) -> list[str]:
    """The client alone, without peers."""
    return [
        *(str(find_client("geth")), "--datadir", str(data), "--networkid", str(chain_id)),
        *("--syncmode", "full", "--nodiscover", "--maxpeers", "0", "--port", "0"),
        *("--ipcpath", str(ipc), "--verbosity", "2"),
        *("--http", "--http.addr", "127.0.0.1", "--http.port", str(port)),
        *("--http.api", "eth,net,web3", "--authrpc.port", str(engine_port)),
        *("--rpc.allow-unprotected-txs", "--miner.gaslimit", str(60_000_000)),
        *("--cache", str(_CACHE_MB)),
    ]


def _wait_for(process: subprocess.Popen[bytes], ipc: Path, url: str, log: Path) -> None:
    """Until it answers on both ways."""
    deadline = time.monotonic() + START_SECONDS
    host, port = url.removeprefix("http://").split(":")
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with socket.create_connection((host, int(port)), timeout=1):
                if ipc.exists():
                    return
        except OSError:
            time.sleep(0.05)
    raise ClientFailed(f"geth did not start: {log.read_text(errors='replace')[-2000:]}")
