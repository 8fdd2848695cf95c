"""The chain takes back what it said: parties do again what was taken away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from web3.types import RPCEndpoint

from offchain.chain.client import Chain
from offchain.chain.heads import HeadWatch
from offchain.chain.records import JobState, JobView, Phase
from offchain.market.genesis import BLOCK_HASHES
from offchain.parties.cone import ConeNode
from offchain.parties.party import Party
from tests.parties.world import MOST_LOOKS, NODES, RULES, SELLERS, World, world

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
    return market.ledger.situation(1)


def is_voting(market: World) -> bool:
    """Whether a mini-round takes votes. A block passes with every look."""
    mine(market.chain(0))
    return bool(market.ledger.job_count() and view(market).poll.phase == Phase.VOTING)


def is_collecting(market: World) -> bool:
    """Whether the job takes updates. A block passes with every look."""
    mine(market.chain(0))
    return market.ledger.job_count() == 1 and market.job().state == JobState.COLLECTING


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


@pytest.mark.slow  # half a minute and more: several jobs, or one played twice
def test_a_commitment_that_was_taken_back_is_made_again(tmp_path: Path) -> None:
    with voting(tmp_path) as (market, node):
        turn_until(node, lambda: bool(committed_in(market, node)))
        [first] = committed_in(market, node)
        reorganise(node.chain, first)
        assert committed_in(market, node) == []
        turn_until(node, lambda: bool(committed_in(market, node)))
        provider = node.chain.w3.provider
        provider.make_request(RPCEndpoint("evm_setIntervalMining"), [1])
        market.play()
        assert market.job().state == JobState.SETTLED
        losers = [log["args"]["node"] for log in market.chain(0).logs("ConePool", "NodeSlashed")]
        assert node.chain.address not in losers


def test_another_seed_gives_another_vote_and_nothing_is_computed_twice(tmp_path: Path) -> None:
    with voting(tmp_path, random_seed=BLOCK_HASHES) as (market, node):
        turn_until(node, lambda: bool(committed_in(market, node)))
        poll, seed = view(market).poll, market.ledger.seed(1, 1, 1)
        before = node._vote(1, poll)
        # From the block that named the seed's on: its own would be the same again if it was empty.
        reorganise(node.chain, poll.seed_block - 1)
        market.look_until(lambda: is_voting(market), SELLING)
        assert market.ledger.seed(1, 1, 1) != seed
        turn_until(node, lambda: bool(committed_in(market, node)))
        after = node._vote(1, view(market).poll)
        assert before is not None
        assert after is not None
        assert before.audit != after.audit
        assert node.ledger.seed(1, 1, 1) == market.ledger.seed(1, 1, 1)


def test_a_node_waits_until_the_seed_is_settled(tmp_path: Path) -> None:
    with voting(tmp_path) as (market, node):
        settled = view(market).poll.seed_block + 2
        turn_until(node, lambda: bool(committed_in(market, node)))
        assert committed_in(market, node)[0] > settled


def test_a_seller_posts_again_what_was_taken_back(tmp_path: Path) -> None:
    with world(tmp_path) as market:
        market.register()
        market.open(EVERYBODY)
        stop_the_clock(market)
        market.look_until(lambda: is_collecting(market), ["buyer 1"])
        sampled = next(n for n in range(len(SELLERS)) if market.job().sample >> n & 1)
        seller = market.seller(sampled)
        turn_until(seller, lambda: bool(market.ledger.updates(1, 1)))
        [posted] = market.chain(0).logs("Jobs", "UpdatePosted")
        reorganise(seller.chain, posted["blockNumber"])
        assert market.ledger.updates(1, 1) == {}
        turn_until(seller, lambda: bool(market.ledger.updates(1, 1)))
        assert market.ledger.updates(1, 1)[sampled].content_hash == posted["args"]["contentHash"]


def test_heads(tmp_path: Path) -> None:
    with world(tmp_path) as market:
        chain = market.chain(0)
        stop_the_clock(market)
        watch = HeadWatch(chain.w3)
        assert not watch.next()[1]
        assert not watch.next()[1]  # the same
        market.mine_to(chain.block_number() + 1)
        assert not watch.next()[1]  # its child
        market.mine_to(chain.block_number() + 5)
        head, gone = watch.next()
        assert not gone  # a descendant
        reorganise(chain, head.number)
        assert watch.next()[1]  # a sibling
        market.mine_to(chain.block_number() + 3)
        assert not watch.next()[1]
        reorganise(chain, chain.block_number() - 1)
        market.mine_to(chain.block_number() + 4)
        assert watch.next()[1]  # gone, and already built upon
        chain.w3.provider.make_request(RPCEndpoint("anvil_rollback"), [2])
        assert watch.next()[1]  # shorter than it was
