"""Sites: a third of the parties each, with their own way to the chain's and the IPFS node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from offchain.chaos.namespaces import Namespace, namespaces
from offchain.chaos.options import ChaosOptions
from offchain.chaos.proxy import LOOPBACK, Proxy, proxied

SITES = 3
"""Parties are spread over them in turns, so that cutting one off divides the market."""


@dataclass(frozen=True)
class Site:
    """A place of parties."""

    number: int
    chain: Proxy
    """Before the chain's node."""
    store: Proxy | None
    """Before the IPFS node, where the run has one."""
    namespace: Namespace | None
    """In which its processes run, where the run has namespaces."""

    @property
    def prefix(self) -> list[str]:
        """What goes before a command that runs here."""
        return self.namespace.prefix if self.namespace else []


@contextmanager
def sites(options: ChaosOptions, chain_url: str) -> Iterator[list[Site]]:
    """All sites of a run, while the context lasts. Raises NamespacesRefused."""
    with ExitStack() as life:
        spaces: list[Namespace] | list[None] = [None] * SITES
        if options.namespaces:
            spaces = life.enter_context(namespaces(SITES))
        found = []
        for number, space in enumerate(spaces):
            host, seed = space.host if space else LOOPBACK, options.seed * SITES + number
            chain = life.enter_context(proxied(chain_url, seed, host))
            store = None
            if options.ipfs:
                store = life.enter_context(proxied(options.ipfs_url, seed, host))
            found.append(Site(number, chain, store, space))
        yield found
