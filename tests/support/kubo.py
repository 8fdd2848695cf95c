"""Stores on real Kubo nodes."""

from __future__ import annotations

from d2m.clients.kubo import Kubo
from d2m.store.ipfs import IpfsStore
from d2m.store.ipfs_node import Patience

SHORT = Patience(find=2.0, deaf=0.5, pause=0.05)
"""For tests in which content is absent, and those that are asked do answer."""


def store_on(node: Kubo, patience: Patience = SHORT) -> IpfsStore:
    """The store that a node is."""
    return IpfsStore(node.rpc, patience=patience)
