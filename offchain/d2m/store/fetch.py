"""Fetching by CID what the chain vouches for by content hash."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from eth_utils.crypto import keccak

from d2m.store.cid import Cid
from d2m.store.errors import ABSENT, MALFORMED, NotYet, WrongContent
from d2m.store.local import OWN_NAME, Store


class Delivery(NamedTuple):
    """Outcome of one content that somebody was to deliver."""

    data: bytes | None
    """None where it is malformed or absent."""
    why: str = ""
    """Fault of the content."""
    is_absent: bool = False
    """Whether it cannot be had now: it may be malformed, or there a second later."""
    is_sought: bool = False
    """Whether it is being searched for the first time, so that nobody knows whether it is there."""


def content_hash(content: bytes) -> bytes:
    """keccak256 of the content, 32 bytes: what the chain stores beside the CID."""
    return keccak(content)


def fetch_verified(
    store: Store, cid: Cid, expected_hash: bytes, *, limit: int, name: str = OWN_NAME
) -> bytes:
    """The content of ``cid`` (at most ``limit`` bytes), if keccak256 of it is ``expected_hash``.

    A CID is only a locator: its author may have posted one that belongs to other content.
    Raises the store's errors and ``WrongContent``.
    """
    content = store.get(cid, limit=limit, name=name)
    found = content_hash(content)
    if found != expected_hash:
        raise WrongContent(
            f"{cid} holds content with hash 0x{found.hex()}, the chain says"
            f" 0x{expected_hash.hex()}: treat it as not delivered"
        )
    return content


def fetch_deliveries(
    store: Store, named: Sequence[tuple[bytes, bytes]], *, limit: int, name: str = OWN_NAME
) -> list[Delivery]:
    """Fetch the contents of these (binary CID, content hash); the outcomes in their order.

    Raises what says nothing of an author: that the own store cannot be reached, or is damaged.
    """
    found = []
    for cid, expected_hash in named:
        try:
            data = fetch_verified(store, Cid(cid), expected_hash, limit=limit, name=name)
            found.append(Delivery(data))
        except MALFORMED as error:
            found.append(Delivery(None, str(error)))
        except ABSENT as error:
            found.append(Delivery(None, str(error), True, isinstance(error, NotYet)))
    return found
