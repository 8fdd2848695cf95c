"""Key rings: each member finds its own key, others and strangers find nothing."""

from __future__ import annotations

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st
from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey

from d2m.sealing.content import HEADER_BYTES, MAGIC
from d2m.sealing.errors import (
    NoKey,
    NotSealed,
    OtherRequest,
    SealError,
    Tampered,
    WrongKey,
)
from d2m.sealing.keys import Access, JobKey
from d2m.sealing.ring import ENTRY_BYTES, MOST_ENTRIES, RING_LIMIT, build_ring, unseal_ring

REQUEST = keccak(b"request")
KEY = JobKey.made_by(b"secret", REQUEST)
LOCK = KEY.lock(REQUEST)
NODE, SELLER, STRANGER = (PrivateKey(keccak(name)) for name in (b"node", b"seller", b"stranger"))


def public(key: PrivateKey) -> bytes:
    return bytes(key.public_key)


def ring(key: JobKey = KEY) -> bytes:
    return build_ring(key, REQUEST, [public(NODE)], [public(SELLER)]).data


def test_nodes_are_given_the_job_key_and_sellers_that_of_the_models() -> None:
    assert unseal_ring(ring(), LOCK, NODE) == Access.full(LOCK, KEY)
    assert unseal_ring(ring(), LOCK, SELLER) == Access(LOCK, KEY.model_key)


@given(order=st.permutations([keccak(bytes([i])) for i in range(6)]))
def test_a_ring_depends_on_its_members_and_not_on_their_order(order: list[bytes]) -> None:
    keys = [public(PrivateKey(each)) for each in order]
    made = build_ring(KEY, REQUEST, keys, [*keys[:2], *keys[:1]])
    assert made == build_ring(KEY, REQUEST, sorted(keys), [])
    assert len(made.data) == HEADER_BYTES + 6 * ENTRY_BYTES


def test_a_seller_that_is_a_node_too_reads_as_a_node() -> None:
    data = build_ring(KEY, REQUEST, [public(NODE)], [public(NODE)]).data
    assert unseal_ring(data, LOCK, NODE).job_key == KEY


def test_a_stranger_finds_nothing_in_it() -> None:
    with pytest.raises(NoKey, match="no entry for the key"):
        unseal_ring(ring(), LOCK, STRANGER)
    entries = ring()[HEADER_BYTES:]
    for start in range(0, len(entries), ENTRY_BYTES):
        box = entries[start + 32 : start + ENTRY_BYTES]
        with pytest.raises(CryptoError):
            Box(STRANGER, PublicKey(LOCK.key_id)).decrypt(box)
    assert KEY.secret not in ring()
    assert KEY.model_key not in ring()


@given(place=st.integers(min_value=0), bit=st.integers(0, 7))
def test_one_flipped_bit_is_seen_by_whom_it_concerns(place: int, bit: int) -> None:
    changed = bytearray(ring())
    changed[place % len(changed)] ^= 1 << bit
    refused = 0
    for member in (NODE, SELLER):
        try:
            assert unseal_ring(bytes(changed), LOCK, member) == unseal_ring(ring(), LOCK, member)
        except SealError:
            refused += 1
    assert refused


def test_a_ring_by_somebody_without_the_job_key_does_not_open() -> None:
    """It names the right request and key, and holds another key for the right member."""
    made_up = JobKey.made_by(b"made up", REQUEST)
    forged = ring()[:HEADER_BYTES] + ring(made_up)[HEADER_BYTES:]
    with pytest.raises(Tampered):
        unseal_ring(forged, LOCK, NODE)


def test_a_ring_of_another_key_or_request() -> None:
    other = JobKey.made_by(b"other", REQUEST)
    with pytest.raises(WrongKey, match="key ring was sealed under key"):
        unseal_ring(ring(other), LOCK, NODE)
    with pytest.raises(OtherRequest):
        unseal_ring(ring(), KEY.lock(keccak(b"other")), NODE)


def test_an_opener_that_hands_out_another_key_than_it_named_is_found_out() -> None:
    data = bytearray(ring())
    start = HEADER_BYTES + ENTRY_BYTES * (public(NODE) > public(SELLER))
    box = Box(KEY.pair, NODE.public_key).encrypt(b"\1" + keccak(b"wrong"), bytes(24))
    data[start + 32 : start + ENTRY_BYTES] = box
    with pytest.raises(WrongKey, match="the request names"):
        unseal_ring(bytes(data), LOCK, NODE)


def test_an_entry_of_a_kind_that_is_not_known() -> None:
    box = Box(KEY.pair, NODE.public_key).encrypt(b"\7" + KEY.secret, bytes(24))
    with pytest.raises(NotSealed, match="unknown kind 07"):
        unseal_ring(ring()[:HEADER_BYTES] + public(NODE) + box, LOCK, NODE)


@pytest.mark.parametrize("weak", [bytes(32), b"\1" + bytes(31)], ids=["zero", "one"])
def test_a_member_with_an_unusable_key_shuts_out_only_itself(weak: bytes) -> None:
    made = build_ring(KEY, REQUEST, [public(NODE), weak], [])
    assert made.unusable == (weak,)
    assert unseal_ring(made.data, LOCK, NODE).job_key == KEY


@pytest.mark.parametrize(
    "rubbish",
    [b"", b"rubbish", MAGIC, b"\x80\x04\x95pickle", ring()[:-1], ring() + b"\0"],
    ids=["nothing", "text", "magic", "pickle", "cut", "longer"],
)
def test_rubbish_is_no_ring(rubbish: bytes) -> None:
    with pytest.raises(NotSealed):
        unseal_ring(rubbish, LOCK, NODE)


def test_the_largest_ring_is_within_the_limit() -> None:
    readers = [public(PrivateKey(keccak(bytes([i, 1])))) for i in range(8)]
    size = len(build_ring(KEY, REQUEST, readers, []).data)
    assert size == HEADER_BYTES + 8 * ENTRY_BYTES
    assert RING_LIMIT == HEADER_BYTES + MOST_ENTRIES * ENTRY_BYTES
