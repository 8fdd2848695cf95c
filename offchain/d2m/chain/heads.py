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
    """Remembers the last head that was asked for, and the blocks seen since in receipts.

    While the chain holds a block, it holds all before it: whatever was read at it stands. The
    receipts matter where a block is replaced by its sibling before the head is asked for again: the
    parent of both is still there, what the first one held is not.
    """

    def __init__(self, w3: Web3) -> None:
        self._w3 = w3
        self._seen: list[tuple[int, bytes]] = []

    def saw(self, number: int, block_hash: bytes) -> None:
        """Take note of a block from which something is believed."""
        self._seen.append((number, block_hash))

    def next(self) -> tuple[Head, bool]:
        """The head now, and whether a block seen before is gone.

        A node that knows less than the one asked before (behind a load balancer) counts as one
        that lost blocks: that costs reading again, and nothing else.
        """
        block = self._w3.eth.get_block("latest")
        head = Head(
            block["number"], bytes(block["hash"]), bytes(block["parentHash"]), block["timestamp"]
        )
        seen, self._seen = set(self._seen), [(head.number, head.hash)]
        return head, not all(self._holds(head, *each) for each in seen)

    def _holds(self, head: Head, number: int, block_hash: bytes) -> bool:
        if block_hash in (head.hash, head.parent):
            return True
        if head.number <= number:
            return False
        try:
            return bytes(self._w3.eth.get_block(number)["hash"]) == block_hash
        except BlockNotFound:
            return False
