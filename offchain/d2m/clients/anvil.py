"""A local chain for demos and tests: anvil as a child process."""

from __future__ import annotations

import ctypes
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

PROJECT = Path(__file__).parents[3]
STATES_KEPT = 100
"""Blocks whose state can still be asked for; older states would be written to the user's disk."""
ACCOUNT_ETHER = 10_000
START_SECONDS = 30  # slow machines included; it takes about 0.1 s
STOP_SECONDS = 60
"""Writing the state of a long chain included; without that it takes about 0.1 s."""
_LISTENING = re.compile(r"Listening on 127\.0\.0\.1:(\d+)")
_LOOK_AGAIN_SECONDS = 0.02
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class AnvilMissing(Exception):
    """There is no anvil binary."""


class AnvilFailed(Exception):
    """Anvil did not start."""


@dataclass(frozen=True)
class Anvil:
    """A running local chain."""

    url: str
    chain_id: int
    keys: tuple[bytes, ...] = field(repr=False)  # private keys of the funded accounts
    process: subprocess.Popen[bytes] = field(repr=False)

    def mine(self, blocks: int = 1) -> None:
        """Have so many blocks made at once, the first of what waits."""
        _rpc(self.url, "anvil_mine", [hex(blocks)])


def find_anvil(project: Path = PROJECT) -> Path:
    """The binary in the project's npm packages (the pinned one), beside this Python, or on PATH."""
    packaged = sorted((project / "node_modules" / "@foundry-rs").glob("anvil-*/bin/anvil"))
    on_path = shutil.which("anvil")
    others = [Path(sys.executable).with_name("anvil"), *([Path(on_path)] if on_path else [])]
    for candidate in [*packaged, *others]:
        if candidate.is_file():
            return candidate
    raise AnvilMissing("anvil, the local chain, is not installed: run `make setup` (or `npm ci`)")


@contextmanager
def start_anvil(
    *,
    accounts: int = 10,
    seed: int = 0,
    block_seconds: float | None = None,
    chain_id: int = 31337,
    hardfork: str = "prague",
    port: int = 0,
    state: Path | None = None,
) -> Iterator[Anvil]:
    """Run anvil on a free loopback port until the ``with`` block ends, however it ends.

    ``accounts`` funded with 10,000 ether each, their keys derived from ``seed``; a block every
    ``block_seconds`` (fractions allowed), or one for each transaction when None. ``port`` 0: a
    free one. A chain with a ``state`` file begins with what is in it, and is written there at its
    end; what was not mined by then is gone.
    """
    with tempfile.TemporaryDirectory(prefix="anvil-") as folder:
        log, config = Path(folder, "log"), Path(folder, "config.json")
        command = [
            *(str(find_anvil()), "--host", "127.0.0.1", "--port", str(port)),
            *("--accounts", str(accounts), "--balance", str(ACCOUNT_ETHER)),
            *("--mnemonic-seed-unsafe", str(seed), "--chain-id", str(chain_id)),
            *("--hardfork", hardfork, "--config-out", str(config)),
            *("--prune-history", str(STATES_KEPT)),
            *(() if block_seconds is None else ("--block-time", str(block_seconds))),
            *(() if state is None else ("--state", str(state))),
        ]
        process = _spawn(command, log)
        try:
            url = f"http://127.0.0.1:{_wait_for_port(process, log)}"
            _rpc(url, "anvil_setLoggingEnabled", [False])  # the log is not read any further
            keys = json.loads(config.read_text())["private_keys"]
            yield Anvil(url, chain_id, tuple(bytes.fromhex(key[2:]) for key in keys), process)
        finally:
            stop(process)


def _spawn(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the parties first, the chain goes last
            preexec_fn=die_with_parent,
        )


def die_with_parent() -> None:
    """In a child: let the kernel end it even where its parent is killed and cannot."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait_for_port(process: subprocess.Popen[bytes], log: Path) -> int:
    """The port that the system gave to anvil, once it listens there."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        found = _LISTENING.search(log.read_text(errors="replace"))
        if found:
            return int(found.group(1))
        if process.poll() is not None:
            break
        time.sleep(_LOOK_AGAIN_SECONDS)
    said = log.read_text(errors="replace").strip().splitlines()[-1:] or ["nothing"]
    raise AnvilFailed(f"anvil did not start; it said: {said[0]}")


def _rpc(url: str, method: str, parameters: list[object]) -> None:
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
    with requests.Session() as session:
        session.trust_env = False  # no proxy for loopback
        session.post(url, json=request, timeout=START_SECONDS).raise_for_status()


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a client that may have to write down its chain; kill it where that takes too long."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
