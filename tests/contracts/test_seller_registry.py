from __future__ import annotations

import pytest

from offchain.chain.records import tag_of
from tests.contracts.evm import (
    NOBODY,
    event,
    height,
    look,
    mine,
    one_block,
    queue,
    refusal,
    send,
)
from tests.contracts.play import CID, KEY, Market, People

A, B, C = tag_of("a"), tag_of("b"), tag_of("c")


def listed(market: Market, tag: bytes, block: int | None = None) -> list[str]:
    """The list of a tag, now or at the end of an earlier block."""
    at = height() if block is None else block
    count = look(market.registry.countAt, tag, at)
    return [look(market.registry.sellerAt, tag, index, at) for index in range(count)]


def test_a_seller_registers(market: Market, people: People) -> None:
    registry, seller = market.registry, people.sellers[0]
    receipt = send(registry.register, [A, B], CID, KEY, sender=seller)
    assert event(receipt, registry.SellerRegistered) == {
        "seller": seller,
        "tags": [A, B],
        "metadataCid": CID,
        "publicKey": KEY,
    }
    stored = registry.sellerOf(seller)
    assert (stored.publicKey, stored.metadataCid, stored.tags) == (KEY, CID, [A, B])
    assert listed(market, A) == listed(market, B) == [seller]
    assert listed(market, C) == []


def test_a_registration_is_replaced(market: Market, people: People) -> None:
    registry, (first, second) = market.registry, people.sellers[:2]
    send(registry.register, [A, B], CID, KEY, sender=first)
    send(registry.register, [A], CID, KEY, sender=second)
    send(registry.register, [B, C], b"other", b"\1" * 32, sender=first)
    assert (listed(market, A), listed(market, B), listed(market, C)) == ([second], [first], [first])
    stored = registry.sellerOf(first)
    assert (stored.publicKey, stored.metadataCid) == (b"\1" * 32, b"other")


def test_a_seller_leaves_every_list(market: Market, people: People) -> None:
    registry, seller = market.registry, people.sellers[0]
    send(registry.register, [A, B], CID, KEY, sender=seller)
    receipt = send(registry.leave, sender=seller)
    assert event(receipt, registry.SellerLeft) == {"seller": seller}
    assert listed(market, A) == listed(market, B) == []
    assert registry.sellerOf(seller).tags == []
    refusal(registry.NotRegistered, registry.leave, sender=seller)
    send(registry.register, [A], CID, KEY, sender=seller)
    assert listed(market, A) == [seller]


def test_the_past_stays_as_it_was(market: Market, people: People) -> None:
    registry, (x, y, z) = market.registry, people.sellers[:3]
    before = height()
    blocks = [send(registry.register, [A], CID, KEY, sender=each).block for each in (x, y, z)]
    left = send(registry.leave, sender=x).block
    mine(3)
    moved = send(registry.register, [B], CID, KEY, sender=y).block
    back = send(registry.register, [A], CID, KEY, sender=x).block
    history = {
        before: [],
        blocks[0]: [x],
        blocks[1]: [x, y],
        blocks[2]: [x, y, z],
        left: [z, y],
        left + 2: [z, y],
        moved: [z],
        back: [z, x],
    }
    assert {block: listed(market, A, block) for block in history} == history
    assert look(registry.sellerAt, A, 2, back) == NOBODY
    assert look(registry.sellerAt, A, 2, left) == NOBODY, "the slot is left over from before"


def test_within_one_block_only_the_end_counts(market: Market, people: People) -> None:
    registry, (x, y) = market.registry, people.sellers[:2]
    with one_block() as hashes:
        queue(hashes, registry.register, [A], CID, KEY, sender=x)
        queue(hashes, registry.register, [A], CID, KEY, sender=y)
        queue(hashes, registry.leave, sender=x)
    assert listed(market, A) == [y]
    assert listed(market, A, height() - 1) == []


def test_limits(market: Market, people: People) -> None:
    registry, seller = market.registry, people.sellers[0]
    register = registry.register
    many = [bytes([i]) * 32 for i in range(1, 10)]
    assert refusal(registry.BadTagCount, register, [], CID, KEY, sender=seller) == {"count": 0}
    assert refusal(registry.BadTagCount, register, many, CID, KEY, sender=seller) == {"count": 9}
    assert look(registry.MAX_TAGS) == 8
    send(register, many[:8], b"\1" * 64, KEY, sender=seller)
    for cid in (b"", b"\1" * 65):
        refusal(registry.BadCid, register, [A], cid, KEY, sender=seller)
    refusal(registry.MissingPublicKey, register, [A], CID, bytes(32), sender=seller)


@pytest.mark.parametrize("tags", [[B, A], [A, A], [A, C, B]])
def test_tags_ascend(market: Market, people: People, tags: list[bytes]) -> None:
    registry = market.registry
    refusal(registry.TagsNotAscending, registry.register, tags, CID, KEY, sender=people.sellers[0])
