"""Real IPFS nodes on loopback, each a process with a repository of its own."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from scripts._setup.ipfs_node import NODE

from offchain.store.ipfs import IpfsStore, Patience

STOP_SECONDS = 30
SHORT = Patience(find=2.0, pause=0.05)
"""For tests in which content is absent, and those that are asked do answer."""


@dataclass
class DevNode:
    """One running node."""

    process: subprocess.Popen[str]
    rpc: str
    """The multiaddr that `--ipfs` takes."""
    swarm: list[str]
    """Where other nodes reach it."""

    @property
    def port(self) -> int:
        return int(self.rpc.split("/")[4])

    def store(self, patience: Patience = SHORT) -> IpfsStore:
        return IpfsStore(self.rpc, patience=patience)

    def ask(self, command: str, data: bytes | None = None, **options: str) -> requests.Response:
        """A request to the RPC, without the client under test; `data` goes along as a file."""
        url = f"http://127.0.0.1:{self.port}/api/v0/{command}"
        files = None if data is None else {"data": ("data", data, "application/octet-stream")}
        return requests.post(url, params=options, files=files, timeout=60)

    def connect(self, other: DevNode) -> None:
        self.ask("swarm/connect", arg=other.swarm[0]).raise_for_status()

    def is_pinned(self, cid: object) -> bool:
        return self.ask("pin/ls", arg=str(cid), type="recursive").ok


@contextmanager
def ipfs_node(repository: Path, port: int = 0) -> Iterator[DevNode]:
    """A node that runs until the block is left; its repository stays."""
    if not (NODE / "node_modules").is_dir():
        pytest.fail("the IPFS node of the tests is not installed: scripts/_setup/setup.sh ipfs")
    command = ["node", str(NODE / "devnode.mjs"), str(repository), str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = process.stdout.readline()
            assert ready, "the node did not start"
            yield DevNode(process, **json.loads(ready))
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
