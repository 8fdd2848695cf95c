"""Network namespaces of this machine: processes inside are cut off from it by one link."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

_NAME = "d2m-chaos-{}"
"""Of a namespace and of its link on this machine's side, which has at most 15 characters."""
_NETWORK = "198.18.{}.{}"
"""Addresses set apart for trials, which no real network uses (RFC 2544)."""


class NamespacesRefused(RuntimeError):
    """This machine gives no network namespaces; the message says what is needed."""


@dataclass(frozen=True)
class Namespace:
    """A network namespace with one link to this machine."""

    number: int

    @property
    def host(self) -> str:
        """This machine's address on the link."""
        return _NETWORK.format(self.number, 1)

    @property
    def prefix(self) -> list[str]:
        """What goes before a command that runs inside. The process is the command's own."""
        return ["ip", "netns", "exec", self._name]

    def part(self) -> None:
        """From now on nothing passes, in either direction; nobody is told."""
        _ip("link", "set", self._name, "down")

    def join(self) -> None:
        """Packets pass again; connections that lasted go on."""
        _ip("link", "set", self._name, "up")

    @property
    def _name(self) -> str:
        return _NAME.format(self.number)

    def _add(self) -> None:
        name = self._name
        _ip("netns", "add", name)
        _ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("address", "add", f"{self.host}/30", "dev", name)
        _ip("-n", name, "address", "add", f"{_NETWORK.format(self.number, 2)}/30", "dev", "eth0")
        for place in (("-n", name, "link", "set", "lo"), ("-n", name, "link", "set", "eth0")):
            _ip(*place, "up")
        self.join()

    def _remove(self) -> None:
        """Remove it and its link, wherever they came from."""
        for what in (("link", "delete", self._name), ("netns", "delete", self._name)):
            with suppress(NamespacesRefused):
                _ip(*what)


@contextmanager
def namespaces(count: int) -> Iterator[list[Namespace]]:
    """So many, while the context lasts. Raises NamespacesRefused."""
    with ExitStack() as life:
        found = [Namespace(number) for number in range(count)]
        for each in found:
            each._remove()  # what a killed run left
            life.callback(each._remove)
            each._add()
        yield found


def _ip(*arguments: str) -> None:
    try:
        subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise NamespacesRefused("network namespaces need Linux and iproute2's `ip`") from error
    except subprocess.CalledProcessError as error:
        why = error.stderr.strip().partition("\n")[0]
        raise NamespacesRefused(
            f"network namespaces need root: ip {' '.join(arguments)}: {why}"
        ) from error
