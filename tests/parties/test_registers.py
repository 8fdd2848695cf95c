"""Offers and seats: made once, found again, changed, paused, left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from eth_utils.crypto import keccak
from web3.types import RPCEndpoint

from d2m.chain.contracts.market import Market
from d2m.chain.errors import Reverted
from d2m.chain.remedies import explained
from d2m.errors import PartyError
from d2m.parties.seller import offers
from tests.support.world import BOND, NODES, STAKE, TAG, World, world

KEY = keccak(b"public key")
UNBONDING, SHORT = bytes.fromhex("611c20"), bytes.fromhex("610190")
"""PUSH2 of 7,200 blocks, which take a local chain a minute, and of 400."""
FRIEND = 5
"""The account of somebody whom others trust with their money."""


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Bonds and stakes are unbound after 400 blocks."""
    with world(tmp_path_factory.mktemp("registers")) as found:
        w3 = found.chain(0).w3
        for name in ("SellerRegistry", "ConePool"):
            address = found.deployment.contracts[name]
            code = w3.eth.get_code(address)
            assert UNBONDING in code
            shortened = code.replace(UNBONDING, SHORT).hex()
            w3.provider.make_request(RPCEndpoint("anvil_setCode"), [address, "0x" + shortened])
        yield found


class Account:
    """A seller's account, and what it would offer."""

    def __init__(self, market: World, account: int) -> None:
        self.market = Market(market.chain(account))
        self.store = market.store

    def offer(self, text: bytes = b"first", tag: str = TAG, offer_id: int | None = None) -> int:
        return offers.ensure_offered(self.market, self.store, [tag], text, KEY, offer_id)


def test_an_offer_is_made_once_and_found_again(market: World) -> None:
    account = Account(market, 10)
    first = account.offer()
    assert account.offer() == first
    assert list(offers.standing_offers(account.market)) == [first]
    assert offers.standing_offers(account.market)[first].bond == BOND


def test_other_data_are_another_offer_unless_one_is_named(market: World) -> None:
    account = Account(market, 11)
    first, second = account.offer(), account.offer(b"second")
    assert first != second
    assert account.offer(b"third", "weather", offer_id=second) == second
    standing = offers.standing_offers(account.market)
    assert sorted(standing) == [first, second]
    assert standing[second].metadata_cid == account.store.put(b"third").binary
    with pytest.raises(PartyError, match=rf"yours: {first}, {second}"):
        account.offer(offer_id=999)


def test_a_paused_offer_is_resumed_by_serving_it(market: World) -> None:
    account = Account(market, 12)
    offer_id = account.offer()
    offers.pause(account.market, offer_id)
    assert not offers.standing_offers(account.market)[offer_id].listed
    with pytest.raises(Reverted) as refused:
        offers.pause(account.market, offer_id)
    assert "already" in explained(refused.value)
    assert account.offer() == offer_id
    assert offers.standing_offers(account.market)[offer_id].listed
    offers.pause(account.market, offer_id)
    offers.resume(account.market, offer_id)
    assert offers.standing_offers(account.market)[offer_id].listed


def test_the_bond_of_an_offer_comes_back_a_day_after_it_left(market: World) -> None:
    account = Account(market, 13)
    offer_id = account.offer()
    block = offers.leave(account.market, offer_id)
    with pytest.raises(Reverted) as refused:
        account.market.registry.withdraw_bond(offer_id)
    assert f"until block {block}" in explained(refused.value)
    market.mine_to(block)
    friend = market.signer(FRIEND).address
    before = account.market.chain.balance(friend)
    assert account.market.registry.withdraw_bond(offer_id, friend) == BOND
    assert account.market.chain.balance(friend) == before + BOND
    # Its last jobs can still be served; the same data without a name are a new offer.
    assert account.offer(offer_id=offer_id) == offer_id
    assert offers.standing_offers(account.market) == {}
    assert account.offer() != offer_id


def test_an_offer_of_somebody_else_is_not_touched(market: World) -> None:
    offer_id = Account(market, 14).offer()
    with pytest.raises(Reverted) as refused:
        offers.leave(Account(market, 15).market, offer_id)
    assert f"offer {offer_id} is not this account's" in explained(refused.value)


def test_a_stake_comes_back_a_day_after_its_node_left(market: World) -> None:
    number = NODES.index("honest")
    node, contracts = market.node(number), Market(market.chain(20 + number))
    for _twice in range(2):
        node.join()
    assert contracts.pool.node(contracts.chain.address).stake == STAKE
    with pytest.raises(Reverted) as refused:
        contracts.pool.withdraw_stake()
    assert "`leave` first" in explained(refused.value)
    block = contracts.pool.leave()
    with pytest.raises(Reverted) as refused:
        contracts.pool.withdraw_stake()
    assert f"until block {block}" in explained(refused.value)
    market.mine_to(block)
    friend = market.signer(FRIEND).address
    before = contracts.chain.balance(friend)
    assert contracts.pool.withdraw_stake(friend) == STAKE
    assert contracts.chain.balance(friend) == before + STAKE
