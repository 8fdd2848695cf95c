"""Fetching by CID what the chain vouches for by content hash."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog
from eth_utils.crypto import keccak

from offchain.store.cid import Cid
from offchain.store.errors import NOT_DELIVERED, WrongContent
from offchain.store.local import Store

FETCHES_AT_ONCE = 16
"""Updates asked for together: who waits for absent ones alone may miss the window to vote."""

log = structlog.get_logger()


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


def fetch_delivered(
    store: Store, named: Sequence[tuple[bytes, bytes]], *, limit: int
) -> list[bytes | None]:
    """Contents by (binary CID, content hash), several at once; None where one was not delivered.

    Raises what says nothing of the author: that this store cannot be reached, or is damaged.
    """

    def delivered(item: tuple[bytes, bytes]) -> bytes | None:
        cid, expected_hash = item
        try:
            return fetch_verified(store, Cid(cid), expected_hash, limit=limit)
        except NOT_DELIVERED as error:
            log.warning("not delivered", cid="0x" + cid.hex(), why=str(error))
            return None

    with ThreadPoolExecutor(FETCHES_AT_ONCE) as pool:
        return list(pool.map(delivered, named))
