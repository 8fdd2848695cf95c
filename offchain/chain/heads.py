"""Following the head of the chain, and noticing when it was re-organised."""

from __future__ import annotations

from typing import NamedTuple

from web3 import Web3
from web3.exceptions import BlockNotFound


class Head(NamedTuple):
    """A block at the head of the chain."""

    number: int
    hash: bytes
    parent: bytes
    timestamp: int
    """Seconds since 1970."""


class HeadWatch:
    """Remembers the last head that was asked for.

    While the chain holds that block, it holds all before it: whatever was read at it stands.
    """

    def __init__(self, w3: Web3) -> None:
        self._w3 = w3
        self._last: Head | None = None

    def next(self) -> tuple[Head, bool]:
        """The head now, and whether the last one is gone.

        A node that knows less than the one asked before (behind a load balancer) counts as one
        that lost blocks: that costs reading again, and nothing else.
        """
        block = self._w3.eth.get_block("latest")
        head = Head(
            block["number"], bytes(block["hash"]), bytes(block["parentHash"]), block["timestamp"]
        )
        last, self._last = self._last, head
        return head, last is not None and not self._holds(head, last)

    def _holds(self, head: Head, last: Head) -> bool:
        if last.hash in (head.hash, head.parent):
            return True
        if head.number <= last.number:
            return False
        try:
            return bytes(self._w3.eth.get_block(last.number)["hash"]) == last.hash
        except BlockNotFound:
            return False
