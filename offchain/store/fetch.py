"""Fetching by CID what the chain vouches for by content hash."""

from __future__ import annotations

from eth_utils.crypto import keccak

from offchain.store.cid import Cid
from offchain.store.errors import WrongContent
from offchain.store.local import Store


def content_hash(content: bytes) -> bytes:
    """keccak256 of the content, 32 bytes: what the chain stores beside the CID."""
    return keccak(content)


def fetch_verified(store: Store, cid: Cid, expected_hash: bytes, *, limit: int) -> bytes:
    """The content of ``cid`` (at most ``limit`` bytes), if keccak256 of it is ``expected_hash``.

    A CID is only a locator: its author may have posted one that belongs to other content.
    Raises the store's errors and ``WrongContent``.
    """
    content = store.get(cid, limit=limit)
    found = content_hash(content)
    if found != expected_hash:
        raise WrongContent(
            f"{cid} holds content with hash 0x{found.hex()}, the chain says"
            f" 0x{expected_hash.hex()}: treat it as not delivered"
        )
    return content
