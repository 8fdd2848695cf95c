"""Network namespaces of this machine: processes inside are cut off from it by one link."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

_OWN_NAME = re.compile(r"d2m-(\d+)-\d+")
"""Of a namespace and of its link on this machine's side: the run's process, then a number. A link's
name has at most 15 characters."""
_FIRST_ADDRESS = IPv4Address("198.18.0.0")
"""Of the addresses set apart for trials, which no real network uses (RFC 2544)."""
_RUNS = 512
"""So many times 256 of them there are: runs side by side mostly have different ones."""


class NamespacesRefused(RuntimeError):
    """This machine gives no network namespaces; the message says what is needed."""


@dataclass(frozen=True)
class Namespace:
    """A network namespace with one link to this machine."""

    run: int
    """Process id of the run that it belongs to."""
    number: int

    @property
    def name(self) -> str:
        """As `ip netns` lists it."""
        return f"d2m-{self.run}-{self.number}"

    @property
    def host(self) -> str:
        """This machine's address on the link."""
        return str(self._network + 1)

    @property
    def prefix(self) -> list[str]:
        """What goes before a command that runs inside. The process is the command's own."""
        return ["ip", "netns", "exec", self.name]

    def part(self) -> None:
        """From now on nothing passes, in either direction; nobody is told."""
        _ip("link", "set", self.name, "down")

    def join(self) -> None:
        """Packets pass again; connections that lasted go on."""
        _ip("link", "set", self.name, "up")

    def add(self) -> None:
        """Make it, and its link."""
        name = self.name
        _ip("netns", "add", name)
        _ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("address", "add", f"{self.host}/30", "dev", name)
        _ip("-n", name, "address", "add", f"{self._network + 2}/30", "dev", "eth0")
        for place in (("-n", name, "link", "set", "lo"), ("-n", name, "link", "set", "eth0")):
            _ip(*place, "up")
        self.join()

    @property
    def _network(self) -> IPv4Address:
        return _FIRST_ADDRESS + self.run % _RUNS * 256 + self.number * 4


@contextmanager
def namespaces(count: int) -> Iterator[list[Namespace]]:
    """So many, while the context lasts. Raises NamespacesRefused."""
    _remove_leftovers()
    with ExitStack() as life:
        found = [Namespace(os.getpid(), number) for number in range(count)]
        for each in found:
            life.callback(_remove, each.name)
            each.add()
        yield found


def _remove_leftovers() -> None:
    """Of runs that were killed."""
    for line in _ip("netns", "list").splitlines():
        name = line.partition(" ")[0]
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
