"""Sites: a third of the parties each, with their own way to the chain and their own IPFS node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from d2m.clients.kubo import Kubo, connect_all, make_swarm_key, peer, running
from tools.chaos.namespaces import Namespace, namespaces, trial_network
from tools.chaos.options import ChaosOptions
from tools.chaos.proxy import LOOPBACK, Proxy, proxied

SITES = 3
"""Parties are spread over them in turns, so that cutting one off divides the market."""
SWARM_PORT, RPC_PORT = 4001, 5001
"""Ports of an IPFS node that has a namespace's address for itself."""


@dataclass(frozen=True)
class Site:
    """A place of parties."""

    number: int
    chain: Proxy
    """Before the chain's node."""
    kubo: Kubo | None
    """The IPFS node of all its parties, where the run has them."""
    namespace: Namespace | None
    """In which its processes run, where the run has namespaces."""

    @property
    def prefix(self) -> list[str]:
        """Words before a command that runs here."""
        return self.namespace.prefix if self.namespace else []


@contextmanager
def sites(options: ChaosOptions, chain_url: str, folder: Path) -> Iterator[list[Site]]:
    """All sites of a run, while the context lasts; `folder` is for their IPFS nodes.

    Raises NamespacesRefused.
    """
    with ExitStack() as life:
        spaces: list[Namespace] | list[None] = [None] * SITES
        host = LOOPBACK
        if options.namespaces:
            here, addresses = trial_network(SITES)
            spaces, host = life.enter_context(namespaces(addresses, here)), str(here.ip)
        nodes: list[Kubo] | list[None] = [None] * SITES
        if options.kubo:
            nodes = life.enter_context(_swarm(spaces, folder))
        found = []
        for number, (space, node) in enumerate(zip(spaces, nodes, strict=True)):
            proxy = proxied(chain_url, options.seed * SITES + number, host)
            found.append(Site(number, life.enter_context(proxy), node, space))
        yield found


@contextmanager
def _swarm(spaces: list[Namespace] | list[None], folder: Path) -> Iterator[list[Kubo]]:
    """Connected IPFS nodes, one a site."""
    key = make_swarm_key()
    nodes = [_node(folder / str(number), key, space) for number, space in enumerate(spaces)]
    peer(nodes)
    with running(nodes):
        connect_all(nodes)
        yield nodes


def _node(repository: Path, key: str, space: Namespace | None) -> Kubo:
    if space is None:
        return Kubo(repository, key)
    at = (space.address, SWARM_PORT, RPC_PORT)
    return Kubo(repository, key, *at, prefix=space.prefix)
