"""Geth as the chain of a chaos run: replaced blocks, and blocks lost with its process."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account
from eth_utils.address import to_checksum_address

from d2m.chain.artifacts import load_artifacts
from d2m.chain.client import Chain
from d2m.chain.deployment.record import Deployment
from d2m.chain.signer import KeySigner
from d2m.chain.transactions import RawCall
from d2m.clients.geth import Rules
from tools.chaos.chain_node import UNWRITTEN, Fate, GethNode, shuffled, spread

NOBODY = to_checksum_address("0x" + "0d" * 20)


by_both_rules = pytest.mark.parametrize("market", list(Rules), indirect=True)


def signed(key: int, nonce: int) -> str:
    account = Account.from_key(key.to_bytes(32, "big"))
    fields = {"to": NOBODY, "value": 1, "gas": 21_000, "gasPrice": 1, "chainId": 1}
    return str(account.sign_transaction({**fields, "nonce": nonce}).raw_transaction.to_0x_hex())


def test_another_order_keeps_that_of_each_account() -> None:
    sent = [signed(key, nonce) for nonce in range(4) for key in (1, 2, 3)]
    other = shuffled(sent, random.Random(1))
    assert other != sent
    assert sorted(other) == sorted(sent)
    for key in (1, 2, 3):
        own = [signed(key, nonce) for nonce in range(4)]
        assert [each for each in other if each in own] == own


def test_transactions_are_spread_over_all_blocks_in_order() -> None:
    assert spread(["a", "b", "c", "d", "e"], 3) == [["a", "b"], ["c", "d"], ["e"]]
    assert spread([], 2) == [[], []]


class Market:
    """A node, and a sender of ether."""

    def __init__(self, node: GethNode) -> None:
        self.node = node
        deployment = Deployment(node.chain_id, 0, {})
        self.chain = Chain(
            node.url, deployment, load_artifacts(), KeySigner(Account.from_key(node.keys[0]))
        )

    def pay(self) -> int:
        """One wei to nobody; the block in which it is mined."""
        return int(self.chain.send(RawCall(NOBODY, b""), value=1).block)

    @property
    def paid(self) -> int:
        return int(self.chain.balance(NOBODY))

    def wait_for_block(self, number: int) -> None:
        while self.chain.block_number() < number:
            time.sleep(0.1)


@pytest.fixture
def market(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Market]:
    node = GethNode(tmp_path / "chain", 3, 1, request.param)
    try:
        node.start()
        yield Market(node)
    finally:
        node.end()


@pytest.mark.clients
@by_both_rules
def test_what_replaced_blocks_held_has_its_fate(market: Market) -> None:
    chain, node = market.chain, market.node
    for fate in Fate:
        at, paid = market.pay(), market.paid
        lost = chain.w3.eth.get_block(at)["hash"]
        replaced = node.reorganise(chain.block_number() - at + 2, fate, random.Random(1))
        assert replaced.first < at <= replaced.last
        market.wait_for_block(replaced.last + 3)
        assert chain.w3.eth.get_block(at)["hash"] != lost
        assert market.paid == paid - (fate is Fate.DROPPED)
        chain.forget_nonce()


@pytest.mark.clients
@by_both_rules
def test_a_killed_node_comes_back_without_its_last_blocks(market: Market) -> None:
    chain, node = market.chain, market.node
    node.floor = market.pay()
    known = chain.w3.eth.get_block(node.floor)["hash"]
    market.pay()
    market.wait_for_block(node.floor + UNWRITTEN + 1)  # which geth may lose by itself
    replaced = node.kill(30)
    assert replaced.first == node.floor + 1
    url = node.url
    node.start()
    assert node.url == url
    assert chain.w3.eth.get_block(node.floor)["hash"] == known
    assert market.paid == 1
