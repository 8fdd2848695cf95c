"""Kubo, the IPFS node, in a private swarm: each node a child process with its own repository."""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from d2m.clients.anvil import die_with_parent
from d2m.clients.binaries import ClientFailed, find_client

LOOPBACK = "127.0.0.1"
START_SECONDS = 120
"""Slow and busy machines included; it takes about 1 s."""
STOP_SECONDS = 30
ASK_SECONDS = 60
_LOOK_AGAIN_SECONDS = 0.05
_PORTS = range(20_000, 32_000)
"""Below those that systems give to outgoing connections: one stays free until the daemon starts."""
_READY = "Daemon is ready"
_ENVIRONMENT = {"LIBP2P_FORCE_PNET": "1", "IPFS_TELEMETRY": "off"}
"""Without a swarm key a node shall not start at all, rather than join the public network."""
_PRIVATE: dict[str, Any] = {
    "Bootstrap": [],
    "AutoConf.Enabled": False,
    "AutoTLS.Enabled": False,
    "Discovery.MDNS.Enabled": False,
    "DNS.Resolvers": {},
    "Routing.Type": "dht",
    "Routing.DelegatedRouters": [],
    "Ipns.DelegatedPublishers": [],
    "Swarm.Transports.Network.Websocket": False,
    "Addresses.Gateway": None,
}
"""Nothing outside the swarm is asked for anything; `auto` values fail where AutoConf is off."""


def make_swarm_key() -> str:
    """The text of a new `swarm.key`: nodes that have the same one talk to each other alone."""
    return f"/key/swarm/psk/1.0.0/\n/base16/\n{secrets.token_hex(32)}\n"


@dataclass
class Kubo:
    """One node. It may be killed and started again: repository, identity and ports stay."""

    repository: Path
    swarm_key: str = field(repr=False)
    host: str = LOOPBACK
    """Where it listens, for peers and for its RPC."""
    swarm_port: int = 0
    """0: a free one, chosen once."""
    rpc_port: int = 0
    config: Mapping[str, Any] = field(default_factory=dict)
    """Settings beside those of a private node, by dotted name: `Import.UnixFSDAGLayout`."""
    prefix: Sequence[str] = ()
    """Words before the command, such as to run it in a network namespace."""
    process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        """Make the repository unless it is there from an earlier life."""
        if not self._config_file.exists():
            self.repository.mkdir(parents=True, exist_ok=True)
            self.command("init", "--empty-repo")
            (self.repository / "swarm.key").write_text(self.swarm_key)
        addresses = self._settings()["Addresses"]
        if not self.swarm_port:
            self.swarm_port = _port_of(addresses["Swarm"], self.host)
        if not self.rpc_port:
            self.rpc_port = _port_of([addresses["API"]], self.host)
        self.configure(
            {
                **_PRIVATE,
                "Addresses.Swarm": [f"/ip4/{self.host}/tcp/{self.swarm_port}"],
                "Addresses.API": self.rpc,
                **self.config,
            }
        )

    # --- where it is

    @property
    def rpc(self) -> str:
        """The multiaddr of its RPC, as `--ipfs` takes it."""
        return f"/ip4/{self.host}/tcp/{self.rpc_port}"

    @property
    def peer_id(self) -> str:
        """Its identity."""
        return str(self._settings()["Identity"]["PeerID"])

    @property
    def address(self) -> str:
        """Where peers reach it."""
        return f"/ip4/{self.host}/tcp/{self.swarm_port}/p2p/{self.peer_id}"

    @property
    def log(self) -> Path:
        """File of the daemon's output."""
        return self.repository / "daemon.log"

    # --- its life

    def start(self, *arguments: str) -> None:
        """Run the daemon, with `arguments` too, until it is ready. Raises ClientFailed."""
        said = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [*self.prefix, str(find_client("ipfs")), "daemon", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,
                env=self._environment,
            )
        self._wait_until_ready(said)

    def stop(self) -> None:
        """End the daemon as its operator does; nothing happens where it does not run."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def kill(self) -> None:
        """Kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Write settings by dotted name; a daemon that runs heeds them from its next start on."""
        found = self._settings()
        for name, value in settings.items():
            *path, last = name.split(".")
            place = found
            for part in path:
                place = place.setdefault(part, {})
            place[last] = value
        self._config_file.write_text(json.dumps(found, indent=2))

    # --- asking it

    def ask(
        self, command: str, data: bytes | None = None, **options: str | Sequence[str]
    ) -> requests.Response:
        """A request to the RPC, without the market's client; `data` goes along as a file."""
        url = f"http://{self.host}:{self.rpc_port}/api/v0/{command}"
        files = None if data is None else {"data": ("data", data, "application/octet-stream")}
        with requests.Session() as session:
            session.trust_env = False  # no proxy for a node of one's own
            return session.post(url, params=options, files=files, timeout=ASK_SECONDS)

    def command(self, *arguments: str) -> str:
        """Run `ipfs` on its repository, through the daemon where one runs; its output.

        Raises ClientFailed.
        """
        done = subprocess.run(
            [*self.prefix, str(find_client("ipfs")), *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=ASK_SECONDS,
        )
        if done.returncode:
            raise ClientFailed(f"ipfs {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def connect(self, other: Kubo) -> None:
        """Connect to another node. Raises ClientFailed."""
        self._ask("swarm/connect", arg=other.address)

    def disconnect(self, other: Kubo) -> None:
        """End all connections to another node. Raises ClientFailed."""
        self._ask("swarm/disconnect", arg=f"/p2p/{other.peer_id}")

    def peers(self) -> set[str]:
        """Identities of the nodes that it is connected to."""
        return {each["Peer"] for each in self._ask("swarm/peers").get("Peers") or ()}

    def pins(self, kind: str = "recursive") -> dict[str, str]:
        """Names of the pins by CID, empty where one has none."""
        keys = self._ask("pin/ls", type=kind, names="true").get("Keys") or {}
        return {cid: entry.get("Name", "") for cid, entry in keys.items()}

    def is_pinned(self, cid: object) -> bool:
        """Whether it keeps a content of its own accord."""
        return self.ask("pin/ls", arg=str(cid), type="recursive").ok

    def holds(self, cid: object) -> bool:
        """Whether the block lies in its repository; nobody else is asked."""
        return self.ask("block/stat", arg=str(cid), offline="true").ok

    # --- internal

    def _ask(self, command: str, **options: str) -> dict[str, Any]:
        answer = self.ask(command, None, **options)
        if not answer.ok:
            raise ClientFailed(f"{command} {options}: {answer.text.strip()}")
        found = answer.json()
        assert isinstance(found, dict)
        return found

    @property
    def _config_file(self) -> Path:
        return self.repository / "config"

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, **_ENVIRONMENT, "IPFS_PATH": str(self.repository)}

    def _settings(self) -> dict[str, Any]:
        found = json.loads(self._config_file.read_text())
        assert isinstance(found, dict)
        return found

    def _wait_until_ready(self, said: int) -> None:
        """Wait for the line that says so, `said` bytes into the log."""
        assert self.process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            if _READY in self._log_from(said):
                return
            time.sleep(_LOOK_AGAIN_SECONDS)
        self.kill()
        last = self._log_from(said).strip().splitlines()[-1:] or ["nothing"]
        raise ClientFailed(f"ipfs daemon did not start; it said: {last[0]}")

    def _log_from(self, said: int) -> str:
        return self.log.read_bytes()[said:].decode(errors="replace")


@contextmanager
def kubo_swarm(folder: Path, count: int = 3, *, peered: bool = True) -> Iterator[list[Kubo]]:
    """So many nodes on loopback with one swarm key, until the context ends, however it ends.

    `peered`: each holds a connection to every other one and renews it (`Peering.Peers`); else
    none is connected to any. Repositories are `folder`/0, /1 and so on.
    """
    key = make_swarm_key()
    nodes = [Kubo(folder / str(number), key) for number in range(count)]
    if peered:
        peer(nodes)
    with running(nodes):
        if peered:
            connect_all(nodes)
        yield nodes


@contextmanager
def running(nodes: Sequence[Kubo]) -> Iterator[None]:
    """Start nodes, and stop them in the end."""
    with ExitStack() as life:
        for node in nodes:
            life.callback(node.stop)
            node.start()
        yield


def peer(nodes: Sequence[Kubo]) -> None:
    """Have each node hold a connection to every other one, from its next start on."""
    for node in nodes:
        others = [each for each in nodes if each is not node]
        entries = [
            {"ID": each.peer_id, "Addrs": [f"/ip4/{each.host}/tcp/{each.swarm_port}"]}
            for each in others
        ]
        node.configure({"Peering.Peers": entries})


def connect_all(nodes: Sequence[Kubo]) -> None:
    """Connect each to all before it: two that dial each other at once may end up deaf."""
    for number, node in enumerate(nodes):
        for earlier in nodes[:number]:
            node.connect(earlier)


def _port_of(addresses: Sequence[str], host: str) -> int:
    """The TCP port of an earlier life on this host; a free one where there was none."""
    for address in addresses:
        _, _, at, kind, port, *rest = address.split("/")
        if at == host and kind == "tcp" and not rest and int(port) not in (4001, 5001):
            return int(port)
    while True:
        free = random.choice(_PORTS)
        with suppress(OSError), socket.create_server((host, free)):
            return free
