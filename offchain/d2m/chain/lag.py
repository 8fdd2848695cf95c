"""Whether a node is in step with its chain: what it says of itself, and how old its head is."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, cast

from web3 import Web3
from web3.exceptions import BlockNotFound
from web3.types import BlockData

from d2m.chain.errors import ChainError, NodeBehind
from d2m.chain.heads import Head

SYNC_SECONDS = 30.0
"""Between two questions whether the node syncs."""
SYNC_BLOCKS = 8
"""Behind what it knows of: a node that is told of a block is always a moment late."""
FLOOR_SECONDS = 180
"""Age of a head that is never a fault: 15 slots of Ethereum, which misses one in a hundred."""
SPACINGS = 15
"""Mean spacings of the last blocks that a head may be old, where that is more."""
SAMPLE_BLOCKS = 32
"""From which a chain's habits are told."""

GRID_GAPS = 16
"""From which a grid is believed: so many gaps are all even by chance once in 65,536."""


class Habit(NamedTuple):
    """How a chain makes its blocks, as its last ones tell."""

    spacing: float
    """Seconds from one block to the next, on average."""
    is_scheduled: bool
    """Whether blocks come by the clock, and not only when there is a transaction."""


def habit_of(timestamps: Sequence[int], empty: int) -> Habit:
    """The habit behind blocks in a row, by their time stamps (seconds) and how many were empty.

    A block without a transaction was made by the clock. So were blocks whose time stamps all lie on
    a grid of two seconds or more, as the slots of Ethereum, Gnosis and many rollups do. On any
    other chain, such as anvil without a block time, a long rest says nothing about the node.
    """
    gaps = [later - earlier for earlier, later in pairwise(timestamps)]
    if not gaps:
        return Habit(math.inf, False)
    return Habit(sum(gaps) / len(gaps), bool(empty) or _on_a_grid(gaps))


def _on_a_grid(gaps: Sequence[int]) -> bool:
    return len(gaps) >= GRID_GAPS and math.gcd(*gaps) >= 2


def syncing_fault(answer: Any) -> str:
    """Fault of a node that is behind, by its `eth_syncing`; empty where it is not.

    geth also calls itself syncing while it indexes, and has every block.
    """
    if not isinstance(answer, Mapping):
        return "the node says that it syncs" if answer else ""
    try:
        current, highest = (_number(answer[name]) for name in ("currentBlock", "highestBlock"))
    except (KeyError, TypeError, ValueError):
        return "the node says that it syncs"
    if current + SYNC_BLOCKS >= highest:
        return ""
    return f"the node syncs: it is at block {current} of {highest}"


def age_fault(age: float, habit: Habit) -> str:
    """Fault of a head that is `age` seconds old; empty where there is none."""
    if not habit.is_scheduled or age <= max(FLOOR_SECONDS, SPACINGS * habit.spacing):
        return ""
    return (
        f"its latest block is {age / 60:.0f} minutes old, and blocks came every"
        f" {habit.spacing:.3g} s: the node has stopped, or lost its peers, or the chain stands"
        " still, or this machine's clock is wrong"
    )


class NodeState:
    """Watches one node. A process goes on with one that is behind: its head may be the chain's."""

    def __init__(self, w3: Web3, now: Callable[[], float] = time.time) -> None:
        """`now` gives seconds since 1970."""
        self._w3 = w3
        self._now = now
        self._asked = -math.inf
        self._syncing = ""
        self._judged: tuple[bytes, Habit] | None = None

    def check(self, head: Head) -> None:
        """Raises NodeBehind where the node syncs or `head` is older than its chain explains.

        Costs a request in `SYNC_SECONDS`, and for a head that is old one batch.
        """
        now = self._now()
        if now - self._asked >= SYNC_SECONDS:
            self._asked = now
            self._syncing = syncing_fault(self._w3.eth.syncing)
        fault = self._syncing or self._age_fault(now - head.timestamp, head)
        if fault:
            raise NodeBehind(fault)

    def _age_fault(self, age: float, head: Head) -> str:
        if age <= FLOOR_SECONDS:
            return ""
        if self._judged is None or self._judged[0] != head.hash:
            self._judged = head.hash, self._habit(head)
        return age_fault(age, self._judged[1])

    def _habit(self, head: Head) -> Habit:
        """That of the blocks up to `head`, without block 0, which has any time stamp."""
        numbers = range(max(1, head.number - SAMPLE_BLOCKS), head.number + 1)
        if not numbers:  # a chain that begins, or began anew
            return Habit(math.inf, False)
        try:
            with self._w3.batch_requests() as batch:
                for number in numbers:
                    batch.add(self._w3.eth.get_block(number))
                blocks = cast(list[BlockData], batch.execute())
        except (ChainError, BlockNotFound):  # a node that keeps so few blocks: nothing is known
            return Habit(math.inf, False)
        stamps = [block["timestamp"] for block in blocks]
        return habit_of(stamps, sum(not block["transactions"] for block in blocks))


def _number(value: Any) -> int:
    """Convert a quantity in web3's form or in JSON's."""
    return int(value, 16) if isinstance(value, str) else int(value)
