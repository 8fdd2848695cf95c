"""A job over three hosts, by the commands of docs/deploy.md, as they stand there.

Each host is a network namespace with the address that the document gives it, a checkout and a home
folder of its own. What the document has a person do by hand, between the commands, is `HAND`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Interface
from pathlib import Path

import pytest

from d2m.clients.anvil import die_with_parent
from d2m.clients.binaries import PROJECT
from d2m.data.datasets import load
from d2m.data.files import write_samples
from tests.clients.typed import PASSPHRASE, Checkout, converse, left_to_do, spawn, wait_for
from tools.chaos.namespaces import Namespace, NamespacesRefused, namespaces

DOCUMENT = PROJECT / "docs" / "deploy.md"
SECTION = "## Three machines, from nothing to a model"
BLOCK = re.compile(
    r"^On \*\*(?P<where>[^*]+)\*\*(?P<alone>, in a terminal of its own)?:"
    r"\n\n```sh\n(?P<text>.*?)```$",
    re.MULTILINE | re.DOTALL,
)
EVERYWHERE = "all three machines"
CHAIN, SELLING, NODES = ADDRESSES = ("10.0.0.5", "10.0.0.6", "10.0.0.7")
SHELLS = ("bash", "bash", "zsh" if shutil.which("zsh") else "bash")
NAMES = ("me", "s0", "c0", "c1", "c2", "c3", "c4")
SECRETS = {f"APE_ACCOUNTS_{name}_PASSPHRASE": PASSPHRASE for name in NAMES}
READY = {
    "geth --dev": ("HTTP server started", 1),
    "ipfs daemon": ("Daemon is ready", 1),
    "seller serve": ("offered", 1),
    "cone serve": ("staked", 5),
}
"""What a command that stays says, and how often, before the next one is typed."""
SETTING = ("export ",)
"""Lines that hold for all later commands of a terminal."""
pytestmark = [pytest.mark.slow, pytest.mark.clients, pytest.mark.ipfs]


@dataclass(frozen=True)
class Block:
    """Commands of the document."""

    where: str
    stays: bool
    text: str


def blocks() -> list[Block]:
    section = DOCUMENT.read_text().split(SECTION + "\n")[1].split("\n## ")[0]
    found = [Block(m["where"], bool(m["alone"]), m["text"]) for m in BLOCK.finditer(section)]
    assert len(found) == section.count("```sh"), "a block stands under no address"
    return found


@dataclass
class Host:
    """A machine of the document."""

    place: Namespace
    checkout: Checkout
    shell: str
    settings: list[str] = field(default_factory=list)
    started: list[tuple[subprocess.Popen[bytes], Path]] = field(default_factory=list)

    def type(self, text: str) -> str:
        """Type commands at a terminal, and answer what they ask, to their end; what they say."""
        terminal = spawn(self._shell(text), self.checkout, **SECRETS)
        _ended, said = converse(terminal)
        terminal.close()
        assert terminal.exitstatus == 0, f"{text}\n{said}"
        self.settings += [line for line in text.splitlines() if line.startswith(SETTING)]
        return said

    def start(self, text: str) -> None:
        """Type a command that stays, and wait until it is ready."""
        log = self.checkout.folder / f"{len(self.started)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                self._shell(text),
                cwd=self.checkout.path,
                env={**self.checkout.environment, **SECRETS},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        self.started.append((process, log))
        [(word, times)] = [ready for command, ready in READY.items() if command in text]
        wait_for(lambda: log.read_text().count(word) >= times, lambda: f"{text}\n{log.read_text()}")

    def logs(self) -> str:
        """What the commands that stay have said."""
        return "".join(log.read_text() for _process, log in self.started)

    def end(self) -> None:
        for process, _log in reversed(self.started):
            os.killpg(process.pid, signal.SIGTERM)
        for process, _log in self.started:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _shell(self, text: str) -> list[str]:
        commands = "\n".join([*self.settings, left_to_do(text)])
        return [*self.place.prefix, self.shell, "-euc", commands]


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[dict[str, Host]]:
    try:
        with namespaces([IPv4Interface(f"{each}/24") for each in ADDRESSES]) as places:
            found = {
                address: Host(place, Checkout(tmp_path / address), shell)
                for address, place, shell in zip(ADDRESSES, places, SHELLS, strict=True)
            }
            try:
                yield found
            finally:
                for host in found.values():
                    host.end()
    except NamespacesRefused as error:
        pytest.skip(str(error))


def give_to_all(hosts: dict[str, Host], file: str) -> None:
    """Carry a file of the chain's machine to the others."""
    for host in hosts.values():
        target = host.checkout.path / file
        target.parent.mkdir(parents=True, exist_ok=True)
        if host is not hosts[CHAIN]:
            shutil.copy(hosts[CHAIN].checkout.path / file, target)


def write_accounts(hosts: dict[str, Host], said: dict[str, str]) -> None:
    found = re.findall(r"0x[0-9a-fA-F]{40}\b", "".join(said.values()))
    assert len(set(found)) == len(NAMES)
    (hosts[CHAIN].checkout.path / "accounts.txt").write_text("\n".join(found))


def write_peers(hosts: dict[str, Host], said: dict[str, str]) -> None:
    ids = {address: text.split()[-1] for address, text in said.items()}
    entries = [{"ID": peer, "Addrs": [f"/ip4/{address}/tcp/4001"]} for address, peer in ids.items()]
    for host in hosts.values():
        (host.checkout.path / "peers.json").write_text(json.dumps(entries))


def see_two_peers(hosts: dict[str, Host], _said: dict[str, str]) -> None:
    def counts() -> dict[str, int]:
        return {at: host.type("ipfs swarm peers").count("/p2p/") for at, host in hosts.items()}

    wait_for(lambda: set(counts().values()) == {2}, lambda: f"peers by host: {counts()}")


def write_data(hosts: dict[str, Host], _said: dict[str, str]) -> None:
    data = load("digits")
    seller, buyer = hosts[SELLING].checkout.path, hosts[CHAIN].checkout.path
    write_samples(seller / "own.npz", data.train_inputs, data.train_labels)
    write_samples(buyer / "evaluation.npz", data.evaluation_inputs, data.evaluation_labels)


HAND: dict[str, Callable[[dict[str, Host], dict[str, str]], None]] = {
    "ape accounts generate $N": write_accounts,
    "> swarm.key": lambda hosts, _said: give_to_all(hosts, "swarm.key"),
    "ipfs id": write_peers,
    "ipfs swarm peers": see_two_peers,
    "ape run deploy": lambda hosts, _said: give_to_all(hosts, "build/deployments/4242.json"),
    "market check": write_data,
}
"""What a person does after such commands, as the document says; from what all hosts have said."""


def test_three_machines_come_from_nothing_to_a_model(hosts: dict[str, Host]) -> None:
    generated: dict[str, str] = {}
    for block in blocks():
        places = ADDRESSES if block.where == EVERYWHERE else (block.where,)
        said = {}
        for address in places:
            if block.stays:
                hosts[address].start(block.text)
            else:
                said[address] = hosts[address].type(block.text)
        if "accounts generate" in block.text:
            generated |= said
            said = generated
        for command, act in HAND.items():
            if command in block.text:
                act(hosts, said)
        check(block, said)
    buyer = hosts[CHAIN].checkout.path
    delivery = json.loads((buyer / "delivered" / "delivery.json").read_text())
    assert delivery["hash_matches"]
    assert delivery["rounds"] == 1
    assert (buyer / "job.car").stat().st_size > 10_000
    for address in (SELLING, NODES):
        assert '"withdrew"' in hosts[address].logs()


def check(block: Block, said: dict[str, str]) -> None:
    """What the document says that one sees."""
    told = "".join(said.values())
    if block.text.startswith("ape run market status") and "--account" in block.text:
        assert re.search(r"^seat +[0-4]\b", told, re.MULTILINE)
        assert re.search(r"^stake +1 ether", told, re.MULTILINE)
    if "--job 1" in block.text:
        assert "settled" in told
        assert told.count("peer 12D3KooW") == 2
        assert "update of round 1 by 0x" in told
