from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d2m.protocol.types import Offer
from tests.support.evm import (
    NOBODY,
    balance,
    event,
    height,
    look,
    mine,
    one_block,
    queue,
    refusal,
    rewound,
    send,
)
from tests.support.offers import A, B, C, listed, make_offer, offer_of
from tests.support.play import BOND, CID, KEY, Market, People, win

UNBONDING = 7200  # a day of 12 s blocks

# Offers


def test_a_seller_offers_data_for_a_bond(market: Market, people: People) -> None:
    registry, seller = market.registry, people.sellers[0]
    receipt = send(registry.offer, [A, B], CID, KEY, sender=seller, value=BOND)
    assert event(receipt, registry.Offered) == {
        "offerId": 1,
        "seller": seller,
        "tags": [A, B],
        "metadataCid": CID,
        "publicKey": KEY,
    }
    assert look(registry.offerCount) == 1
    assert offer_of(market, 1) == Offer(seller, True, 0, BOND, KEY, CID, [A, B])
    assert (listed(market, A), listed(market, B), listed(market, C)) == ([1], [1], [])
    assert look(registry.sellerAt, A, 0, height()) == seller
    assert balance(registry) == BOND


def test_a_seller_makes_several_offers_also_under_one_tag(market: Market, people: People) -> None:
    x, y = people.sellers[:2]
    offers = [make_offer(market, seller, *tags) for seller, tags in [(x, [A]), (y, [A]), (x, [A])]]
    assert listed(market, A) == offers == [1, 2, 3]
    sellers = [look(market.registry.sellerAt, A, index, height()) for index in range(3)]
    assert sellers == [x, y, x]
    assert balance(market.registry) == 3 * BOND


def test_what_an_offer_says_has_limits(market: Market, people: People) -> None:
    registry, seller = market.registry, people.sellers[0]
    many = [bytes([i]) * 32 for i in range(1, 10)]
    assert look(registry.MAX_TAGS) == 8
    send(registry.offer, many[:8], b"\1" * 64, KEY, sender=seller, value=BOND)
    update_is_refused(market, registry.BadTagCount, seller, [], CID, KEY)
    update_is_refused(market, registry.BadTagCount, seller, many, CID, KEY)
    update_is_refused(market, registry.BadCid, seller, [A], b"", KEY)
    update_is_refused(market, registry.BadCid, seller, [A], b"\1" * 65, KEY)
    update_is_refused(market, registry.MissingPublicKey, seller, [A], CID, bytes(32))
    assert offer_of(market, 1).tags == many[:8]


@pytest.mark.parametrize("tags", [[B, A], [A, A], [A, C, B]])
def test_tags_ascend(market: Market, people: People, tags: list[bytes]) -> None:
    make_offer(market, people.sellers[0], A)
    update_is_refused(market, market.registry.TagsNotAscending, people.sellers[0], tags, CID, KEY)


def update_is_refused(market: Market, error: Any, seller: Any, *args: Any) -> None:
    """An update of offer 1, and a new offer of the same words."""
    registry = market.registry
    refusal(error, registry.update, 1, *args, sender=seller)
    refusal(error, registry.offer, *args, sender=seller, value=BOND)


# Changes


def test_an_offer_is_changed(market: Market, people: People) -> None:
    registry, (x, y) = market.registry, people.sellers[:2]
    first, second = make_offer(market, x, A, B), make_offer(market, y, A)
    receipt = send(registry.update, first, [B, C], b"other", b"\1" * 32, sender=x)
    assert event(receipt, registry.Offered) == {
        "offerId": first,
        "seller": x,
        "tags": [B, C],
        "metadataCid": b"other",
        "publicKey": b"\1" * 32,
    }
    assert offer_of(market, first) == Offer(x, True, 0, BOND, b"\1" * 32, b"other", [B, C])
    assert (listed(market, A), listed(market, B), listed(market, C)) == ([second], [first], [first])


def test_an_offer_is_paused_and_resumed(market: Market, people: People) -> None:
    registry, (x, y) = market.registry, people.sellers[:2]
    first, second = make_offer(market, x, A, B), make_offer(market, y, A)
    assert event(send(registry.pause, first, sender=x), registry.OfferPaused) == {"offerId": first}
    assert (listed(market, A), listed(market, B)) == ([second], [])
    refusal(registry.AlreadySo, registry.pause, first, sender=x)
    receipt = send(registry.resume, first, sender=x)
    assert event(receipt, registry.OfferResumed) == {"offerId": first}
    assert (listed(market, A), listed(market, B)) == ([second, first], [first])
    refusal(registry.AlreadySo, registry.resume, first, sender=x)


def test_a_paused_offer_that_is_changed_stays_paused(market: Market, people: People) -> None:
    registry, seller = market.registry, people.sellers[0]
    offer = make_offer(market, seller, A)
    send(registry.pause, offer, sender=seller)
    send(registry.update, offer, [B], CID, KEY, sender=seller)
    assert not offer_of(market, offer).listed
    assert listed(market, A) == listed(market, B) == []
    send(registry.resume, offer, sender=seller)
    assert (listed(market, A), listed(market, B)) == ([], [offer])


@pytest.mark.parametrize("paused", [False, True])
def test_an_offer_that_has_left_is_over(market: Market, people: People, paused: bool) -> None:
    registry, seller = market.registry, people.sellers[0]
    offer = make_offer(market, seller, A, B)
    if paused:
        send(registry.pause, offer, sender=seller)
    receipt = send(registry.leave, offer, sender=seller)
    unlock = receipt.block + UNBONDING
    assert event(receipt, registry.OfferLeft) == {"offerId": offer, "unlockBlock": unlock}
    assert offer_of(market, offer) == Offer(seller, False, receipt.block, BOND, KEY, CID, [A, B])
    assert listed(market, A) == listed(market, B) == []
    everything_is_refused(market, offer, seller)


def test_an_offer_is_its_sellers(market: Market, people: People) -> None:
    offer = make_offer(market, people.sellers[0], A)
    for other in (people.sellers[1], people.stranger, people.deployer):
        everything_is_refused(market, offer, other)
        everything_is_refused(market, offer + 1, other)
        refused = refusal(
            market.registry.NotYourOffer,
            market.registry.withdrawBond,
            offer,
            other.address,
            sender=other,
        )
        assert refused == {"offerId": offer}


def everything_is_refused(market: Market, offer: int, sender: Any) -> None:
    registry = market.registry
    calls = [(each, offer) for each in (registry.pause, registry.resume, registry.leave)]
    for method, *args in [*calls, (registry.update, offer, [A], CID, KEY)]:
        assert refusal(registry.NotYourOffer, method, *args, sender=sender) == {"offerId": offer}


# The past


def test_the_past_stays_as_it_was(market: Market, people: People) -> None:
    registry, (x, y, z) = market.registry, people.sellers[:3]
    before = height()
    blocks = []
    for seller in (x, y, z):
        make_offer(market, seller, A)
        blocks.append(height())
    left = send(registry.leave, 1, sender=x).block
    mine(3)
    moved = send(registry.update, 2, [B], CID, KEY, sender=y).block
    back = send(registry.update, 2, [A], CID, KEY, sender=y).block
    history = {
        before: [],
        blocks[0]: [1],
        blocks[1]: [1, 2],
        blocks[2]: [1, 2, 3],
        left: [3, 2],
        left + 2: [3, 2],
        moved: [3],
        back: [3, 2],
    }
    assert {block: listed(market, A, block) for block in history} == history
    assert look(registry.offerAt, A, 2, left) == 0, "the slot is left over from before"
    assert look(registry.sellerAt, A, 2, left) == NOBODY


def test_within_one_block_only_the_end_counts(market: Market, people: People) -> None:
    registry, (x, y) = market.registry, people.sellers[:2]
    with one_block() as hashes:
        queue(hashes, registry.offer, [A], CID, KEY, sender=x, value=BOND)
        queue(hashes, registry.offer, [A], CID, KEY, sender=y, value=BOND)
        queue(hashes, registry.pause, 1, sender=x)
    assert listed(market, A) == [2]
    assert listed(market, A, height() - 1) == []


MOVES = st.tuples(
    st.sampled_from(["offer", "update", "pause", "resume", "leave"]), st.integers(0, 4)
)
TAGS = st.sets(st.sampled_from([A, B, C]), min_size=1).map(sorted)


@settings(max_examples=40)
@given(moves=st.lists(st.tuples(MOVES, TAGS), max_size=12))
def test_the_lists_are_those_of_the_offers(market: Market, people: People, moves: Any) -> None:
    """Under each tag stand exactly the offers that name it, are not paused and have not left."""
    registry, seller = market.registry, people.sellers[0]
    standing: dict[int, tuple[bool, list[bytes]]] = {}
    with rewound():
        for (move, which), tags in moves:
            offer = 1 + which
            listed_now, old = standing.get(offer, (False, []))
            if move == "offer":
                standing[make_offer(market, seller, *tags)] = (True, tags)
            elif move in ("pause", "resume") and old and listed_now == (move == "pause"):
                send(getattr(registry, move), offer, sender=seller)
                standing[offer] = (not listed_now, old)
            elif move == "update" and old:
                send(registry.update, offer, tags, CID, KEY, sender=seller)
                standing[offer] = (listed_now, tags)
            elif move == "leave" and old:
                send(registry.leave, offer, sender=seller)
                standing[offer] = (False, [])
        for tag in (A, B, C):
            expected = {each for each, (up, tags) in standing.items() if up and tag in tags}
            found = listed(market, tag)
            assert (set(found), len(found)) == (expected, len(expected))


def test_a_jobs_offers_stay_as_they_were_frozen(staffed: Market, people: People) -> None:
    """Whatever sellers do afterwards, the job finds them at the same index."""
    registry, (x, y, z, w) = staffed.registry, people.sellers[:4]
    play = win(staffed, people)
    play.start()
    frozen = look(staffed.jobs.offersOf, play.job_id)
    assert frozen == (tuple(range(1, 9)), tuple(each.address for each in people.sellers))
    send(registry.pause, 1, sender=x)
    send(registry.update, 2, [A], b"other", KEY, sender=y)
    send(registry.leave, 3, sender=z)
    make_offer(staffed, w, play.job.tag)
    mine(3)
    assert listed(staffed, play.job.tag) == [8, 7, 6, 4, 5, 9]
    assert look(staffed.jobs.offersOf, play.job_id) == frozen
    for index, seller in enumerate(people.sellers):
        assert look(staffed.jobs.sellerAt, play.job_id, index) == seller
        assert look(staffed.jobs.offerAt, play.job_id, index) == index + 1
