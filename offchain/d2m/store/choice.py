"""Which store a party uses."""

from __future__ import annotations

import os
from pathlib import Path

from d2m.store.errors import InvalidChoice
from d2m.store.ipfs import IpfsStore
from d2m.store.local import LocalStore, Store

NODE_VARIABLE = "D2M_IPFS"
"""Names the IPFS node of all commands on a machine."""


def open_store(folder: Path | None, node: str | None) -> Store:
    """The store that was named: an IPFS node by its RPC's address, or a folder.

    Where neither is, the node that `D2M_IPFS` names. Raises ``InvalidChoice``.
    """
    if folder is not None and node:
        raise InvalidChoice("two stores are named: give --ipfs or --store, not both")
    if folder is not None:
        return LocalStore(folder)
    node = node or os.environ.get(NODE_VARIABLE)
    if node:
        return IpfsStore(node)
    raise InvalidChoice(
        f"no store is named: give --ipfs with the address of an IPFS node (or set {NODE_VARIABLE}),"
        " or --store with a folder"
    )
