"""A market whose clock a test stops: parties serve block by block, and the chain is reorganised."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from web3.types import RPCEndpoint

from d2m.chain.client import Chain
from d2m.parties.cone.node import ConeNode
from d2m.parties.daemon import Party
from d2m.protocol.types import JobState, JobView, Phase
from tests.support.world import MOST_LOOKS, NODES, RULES, SELLERS, World, world

EVERYBODY = RULES._replace(rounds=1, base=len(NODES) - 1)
"""A first execution set of all nodes."""
SELLING = ("buyer 0", "buyer 1", *(f"seller {number}" for number in range(len(SELLERS))))


def reorganise(chain: Chain, from_block: int) -> None:
    """Replace `from_block` and all that follow by empty blocks."""
    depth = chain.block_number() - from_block + 1
    chain.w3.provider.make_request(RPCEndpoint("anvil_reorg"), [depth, []])


def stop_the_clock(market: World) -> None:
    """From now on blocks come with transactions, and when a test asks for one."""
    provider = market.chain(0).w3.provider
    provider.make_request(RPCEndpoint("evm_setIntervalMining"), [0])
    provider.make_request(RPCEndpoint("evm_setAutomine"), [True])


def mine(chain: Chain) -> None:
    """One block."""
    chain.w3.provider.make_request(RPCEndpoint("anvil_mine"), ["0x1"])


def turn_until(party: Party, done: Callable[[], bool]) -> None:
    """Let a party serve by itself, block by block."""
    for _ in range(MOST_LOOKS):
        mine(party.chain)
        party._turn(lambda: False)
        if done():
            return
    raise AssertionError("the party stands still")


def view(market: World) -> JobView:
    return market.contracts.situation(1)


def is_voting(market: World) -> bool:
    """Whether a mini-round takes votes. A block passes with every look."""
    mine(market.chain(0))
    return bool(market.contracts.jobs.count() and view(market).poll.phase == Phase.VOTING)


def is_collecting(market: World) -> bool:
    """Whether the job takes updates. A block passes with every look."""
    mine(market.chain(0))
    return market.contracts.jobs.count() == 1 and market.job().state == JobState.COLLECTING


@contextmanager
def voting(folder: Path, **options: Any) -> Iterator[tuple[World, ConeNode]]:
    """A market whose first mini-round takes votes, the clock stopped, and one of its nodes."""
    with world(folder, **options) as market:
        market.register()
        market.open(EVERYBODY)
        stop_the_clock(market)
        market.look_until(lambda: is_voting(market), SELLING)
        yield market, market.node(0)


def committed_in(market: World, party: Party) -> list[int]:
    """The blocks in which a node has committed."""
    wanted = {"node": party.chain.address}
    logs = market.chain(0).logs("Yoda", "Committed", argument_filters=wanted)
    return [log["blockNumber"] for log in logs]
