"""A node that syncs, or whose head is older than its chain explains, is called behind."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

import pytest
from web3 import Web3
from web3.types import RPCEndpoint

from d2m.chain.errors import NodeBehind
from d2m.chain.heads import Head, HeadWatch
from d2m.chain.lag import (
    FLOOR_SECONDS,
    SAMPLE_BLOCKS,
    SYNC_BLOCKS,
    SYNC_SECONDS,
    NodeState,
    age_fault,
    habit_of,
    syncing_fault,
)
from d2m.chain.provider import NamedErrorProvider
from d2m.chain.reverts import ErrorLibrary
from d2m.clients.anvil import Anvil, start_anvil
from tests.support.relay import Ask, relay

HOUR = 3600.0
GAPS = SAMPLE_BLOCKS


def stamps(gaps: Sequence[int]) -> list[int]:
    return list(accumulate(gaps, initial=1_700_000_000))


ETHEREUM = stamps([12] * 20 + [24, 12, 36] + [12] * 9)
"""Slots of 12 s, of which some are missed; no block is empty."""
SECONDS = stamps([1] * GAPS)
HUMAN = stamps(random.Random(1).choices(range(1, 900), k=GAPS))
"""Whenever somebody sent something."""
BURST = stamps([1, 1, 2, 1, 1, 1, 3, 1] * 4)
"""A market's parties on a chain that mines each transaction at once."""
HOURLY = stamps([3600, 3601] * (GAPS // 2))


@pytest.mark.parametrize(
    ("timestamps", "empty", "age", "behind"),
    [
        (ETHEREUM, 0, 17 * 60, True),
        (ETHEREUM, 0, FLOOR_SECONDS, False),
        (SECONDS, 5, 17 * 60, True),  # anvil --block-time 1, geth --dev.period 1
        (SECONDS, 0, 17 * 60, False),  # nobody can tell whether there was anything to mine
        (HUMAN, 0, 100 * HOUR, False),
        (BURST, 0, HOUR, False),
        (HOURLY, 3, 2 * HOUR, False),
        (HOURLY, 3, 24 * HOUR, True),
        ([1_700_000_000], 1, HOUR, False),
        ([], 0, HOUR, False),
        ([0, 12, 24], 0, HOUR, False),  # two gaps lie on many grids
    ],
)
def test_a_head_is_old_by_its_chains_habit(
    timestamps: list[int], empty: int, age: float, behind: bool
) -> None:
    assert bool(age_fault(age, habit_of(timestamps, empty))) == behind


def test_it_says_how_old_the_head_is_and_what_that_may_mean() -> None:
    fault = age_fault(17 * 60, habit_of(ETHEREUM, 0))
    assert fault.startswith("its latest block is 17 minutes old, and blocks came every 13.1 s:")


@pytest.mark.parametrize(
    ("answer", "behind"),
    [
        (False, False),
        (None, False),
        (True, True),
        ({"currentBlock": "0x10", "highestBlock": "0x100"}, True),
        ({"currentBlock": 16, "highestBlock": 256}, True),
        # geth while it indexes transactions has every block
        ({"currentBlock": "0x9", "highestBlock": "0x9", "txIndexRemainingBlocks": "0x9"}, False),
        ({"currentBlock": 100, "highestBlock": 100 + SYNC_BLOCKS}, False),
        ({"stages": []}, True),
    ],
)  # fmt: skip
def test_what_a_node_says_of_itself(answer: Any, behind: bool) -> None:
    assert bool(syncing_fault(answer)) == behind


class Clock:
    """A machine's clock, so many seconds ahead."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@contextmanager
def watched(
    node: Anvil, answer: Callable[[Ask, str, list[Any]], dict[str, Any]]
) -> Iterator[tuple[NodeState, Clock, Callable[[], Head]]]:
    with relay(node.url, answer) as url:
        w3, clock = Web3(NamedErrorProvider(url, ErrorLibrary(()))), Clock()
        heads = HeadWatch(w3)
        yield NodeState(w3, clock), clock, lambda: heads.next()[0]


def test_a_node_that_syncs_is_behind_until_it_has_synced(node: Anvil) -> None:
    syncing: Any = {"currentBlock": "0x1", "highestBlock": "0x1000"}

    def answer(ask: Ask, method: str, params: list[Any]) -> dict[str, Any]:
        if method == "eth_syncing":
            return {"jsonrpc": "2.0", "result": syncing}
        return ask(method, params)

    with watched(node, answer) as (state, clock, head):
        with pytest.raises(NodeBehind, match="it is at block 1 of 4096"):
            state.check(head())
        syncing = False
        with pytest.raises(NodeBehind):  # it is not asked so soon
            state.check(head())
        clock.ahead = SYNC_SECONDS
        state.check(head())


class Counted:
    """The node's own answers, counted."""

    asked = 0

    def __call__(self, ask: Ask, method: str, params: list[Any]) -> dict[str, Any]:
        self.asked += 1
        return ask(method, params)


def test_a_chain_that_mines_by_the_clock_and_stops_is_behind() -> None:
    with start_anvil(accounts=1, block_seconds=1) as node:
        counted = Counted()
        with watched(node, counted) as (state, clock, head):
            mine(node, 40)
            now = head()
            state.check(now)
            clock.ahead = FLOOR_SECONDS + 60
            with pytest.raises(NodeBehind, match="minutes old"):
                state.check(now)
            counted.asked = 0
            for _ in range(20):
                with pytest.raises(NodeBehind):
                    state.check(now)
            assert counted.asked == 0  # one head is judged once
            clock.ahead = 0
            state.check(head())


def test_a_chain_that_mines_only_transactions_may_rest(node: Anvil) -> None:
    """anvil without a block time."""
    with watched(node, Counted()) as (state, clock, head):
        w3 = Web3(Web3.HTTPProvider(node.url))
        [sender, *_] = w3.eth.accounts
        for _ in range(SAMPLE_BLOCKS + 1):
            w3.eth.wait_for_transaction_receipt(
                w3.eth.send_transaction({"from": sender, "to": sender})
            )
        clock.ahead = 100 * HOUR
        state.check(head())


def test_of_a_chain_without_blocks_nothing_is_known() -> None:
    with (
        start_anvil(accounts=1) as node,
        watched(node, Counted()) as (state, clock, head),
    ):
        clock.ahead = 100 * HOUR
        assert head().number == 0
        state.check(head())


def mine(node: Anvil, blocks: int) -> None:
    provider = NamedErrorProvider(node.url, ErrorLibrary(()))
    provider.make_request(RPCEndpoint("anvil_mine"), [hex(blocks)])
