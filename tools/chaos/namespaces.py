"""Network namespaces of this machine as hosts of a network: each hangs on it by one link."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

_OWN_NAME = re.compile(r"d2m-(\d+)(-\d+)?")
"""Name of a run's bridge, and with a number that of a namespace and of its link on this machine's
side: the run's process comes first. A link's name has at most 15 characters."""
_FIRST_ADDRESS = IPv4Address("198.18.0.0")
"""First of the addresses set apart for trials, which no real network uses (RFC 2544)."""
_RUNS = 512
"""So many times 256 of them there are: runs side by side mostly have different ones."""


class NamespacesRefused(RuntimeError):
    """This machine gives no network namespaces; the message says what is needed."""


@dataclass(frozen=True)
class Namespace:
    """A network namespace with an address of its own."""

    run: int
    """Process id of the run that it belongs to."""
    number: int
    at: IPv4Interface
    """Its address, with the size of its network."""

    @property
    def name(self) -> str:
        """As `ip netns` lists it."""
        return f"{_bridge(self.run)}-{self.number}"

    @property
    def address(self) -> str:
        """Where the others in the network reach it."""
        return str(self.at.ip)

    @property
    def prefix(self) -> list[str]:
        """Words before a command that runs inside. The process is the command's own."""
        return ["ip", "netns", "exec", self.name]

    def part(self) -> None:
        """From now on nothing passes, in either direction; nobody is told."""
        _ip("link", "set", self.name, "down")

    def join(self) -> None:
        """Packets pass again; connections that lasted go on."""
        _ip("link", "set", self.name, "up")

    def add(self) -> None:
        """Make it, and its link to the run's bridge."""
        name = self.name
        _ip("netns", "add", name)
        _ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", name, "master", _bridge(self.run))
        _ip("-n", name, "address", "add", str(self.at), "dev", "eth0")
        for place in (("-n", name, "link", "set", "lo"), ("-n", name, "link", "set", "eth0")):
            _ip(*place, "up")
        self.join()


def trial_network(count: int) -> tuple[IPv4Interface, list[IPv4Interface]]:
    """Addresses of a network of this process's own: this machine's, and so many others."""
    network = _FIRST_ADDRESS + os.getpid() % _RUNS * 256
    first, *others = (IPv4Interface(f"{network + 1 + each}/24") for each in range(count + 1))
    return first, others


@contextmanager
def namespaces(
    addresses: Sequence[IPv4Interface], here: IPv4Interface | None = None
) -> Iterator[list[Namespace]]:
    """One for each address, in one network, while the context lasts. Raises NamespacesRefused.

    `here`: the address that this machine itself has in it; without one it is outside.
    """
    _remove_leftovers()
    run = os.getpid()
    with ExitStack() as life:
        found = [Namespace(run, number, at) for number, at in enumerate(addresses)]
        life.callback(_remove, _bridge(run))
        _ip("link", "add", _bridge(run), "type", "bridge")
        _ip("link", "set", _bridge(run), "up")
        if here is not None:
            _ip("address", "add", str(here), "dev", _bridge(run))
        for each in found:
            life.callback(_remove, each.name)
            each.add()
        yield found


def _bridge(run: int) -> str:
    return f"d2m-{run}"


def _remove_leftovers() -> None:
    """Remove the namespaces and bridges of runs that were killed."""
    spaces = [line.partition(" ")[0] for line in _ip("netns", "list").splitlines()]
    links = [
        line.split()[0] for line in _ip("-brief", "link", "show", "type", "bridge").splitlines()
    ]
    for name in [*spaces, *links]:
        known = _OWN_NAME.fullmatch(name)
        if known and not Path("/proc", known[1]).exists():
            _remove(name)


def _remove(name: str) -> None:
    for what in ("link", "netns"):
        with suppress(NamespacesRefused):  # half of it may be there
            _ip(what, "delete", name)


def _ip(*arguments: str) -> str:
    try:
        done = subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise NamespacesRefused("network namespaces need Linux and iproute2's `ip`") from error
    except subprocess.CalledProcessError as error:
        why = error.stderr.strip().partition("\n")[0]
        raise NamespacesRefused(
            f"network namespaces need root: ip {' '.join(arguments)}: {why}"
        ) from error
    return done.stdout
