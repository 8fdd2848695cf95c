"""Sealed content: read by its members, at its place, unaltered, and by nobody else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import PrivateKey

from d2m.sealing.content import (
    HEADER_BYTES,
    OVERHEAD,
    UPDATE_OVERHEAD,
    MarketId,
    Post,
    Purpose,
    read_lock,
    seal_evaluation,
    seal_model,
    seal_update,
    unseal_evaluation,
    unseal_model,
    unseal_update,
)
from d2m.sealing.errors import NoKey, NotSealed, OtherRequest, Tampered, Unreadable, WrongKey
from d2m.sealing.keys import Access, JobKey

REQUEST, OTHER_REQUEST = keccak(b"request"), keccak(b"other request")
KEY = JobKey.made_by(b"secret", REQUEST)
LOCK = KEY.lock(REQUEST)
ACCESS = Access.full(LOCK, KEY)
MODELS_ONLY = Access(LOCK, KEY.model_key)
MARKET = MarketId(31337, "0x" + "11" * 20, "0x" + "22" * 20)
OPENER, SELLER, OTHER = ("0x" + pair * 20 for pair in ("33", "44", "55"))
OWN = PrivateKey(keccak(b"seller"))
POST = Post(job_id=7, round=3, seller=SELLER, offer_index=2)

texts = st.binary(max_size=300)


@dataclass(frozen=True)
class Kind:
    """One kind of content, how it is sealed and opened, and how much longer that makes it."""

    purpose: Purpose
    seal: Callable[[bytes], bytes]
    open: Callable[[Access, bytes], bytes]
    overhead: int


KINDS = [
    Kind(
        Purpose.EVALUATION,
        lambda plain: seal_evaluation(MARKET, OPENER, REQUEST, KEY, plain),
        lambda access, sealed: unseal_evaluation(MARKET, OPENER, access, sealed),
        OVERHEAD,
    ),
    Kind(
        Purpose.UPDATE,
        lambda plain: seal_update(MARKET, POST, OWN, LOCK, plain),
        lambda access, sealed: unseal_update(MARKET, POST, access, sealed),
        UPDATE_OVERHEAD,
    ),
    Kind(
        Purpose.MODEL,
        lambda plain: seal_model(MARKET, 7, 3, ACCESS, plain),
        lambda access, sealed: unseal_model(MARKET, 7, 3, access, sealed),
        OVERHEAD,
    ),
]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.purpose.name.lower())


@every_kind
@given(plain=texts)
def test_what_is_sealed_opens_again_and_always_to_the_same_bytes(kind: Kind, plain: bytes) -> None:
    sealed = kind.seal(plain)
    assert kind.open(ACCESS, sealed) == plain
    assert kind.seal(plain) == sealed
    assert len(sealed) == len(plain) + kind.overhead
    assert read_lock(sealed, kind.purpose) == LOCK


@every_kind
@given(plain=texts, place=st.integers(min_value=0), bit=st.integers(0, 7))
def test_one_flipped_bit_anywhere_is_refused(
    kind: Kind, plain: bytes, place: int, bit: int
) -> None:
    sealed = bytearray(kind.seal(plain))
    sealed[place % len(sealed)] ^= 1 << bit
    with pytest.raises(Unreadable):
        kind.open(ACCESS, bytes(sealed))


@every_kind
@given(plain=texts, cut=st.integers(min_value=0), more=st.binary(min_size=1, max_size=40))
def test_cut_short_and_lengthened(kind: Kind, plain: bytes, cut: int, more: bytes) -> None:
    sealed = kind.seal(plain)
    for wrong in (sealed[: cut % len(sealed)], sealed + more):
        with pytest.raises(Unreadable):
            kind.open(ACCESS, wrong)


@every_kind
@given(rubbish=st.binary(max_size=400))
def test_anything_else_is_refused(kind: Kind, rubbish: bytes) -> None:
    with pytest.raises(NotSealed):
        kind.open(ACCESS, rubbish)


@every_kind
@given(secret=st.binary(min_size=1, max_size=64))
def test_another_key_is_refused(kind: Kind, secret: bytes) -> None:
    other = JobKey.made_by(b"x" + secret, REQUEST)
    access = Access.full(other.lock(REQUEST), other)
    with pytest.raises(WrongKey, match=f"{kind.purpose.text} was sealed under key"):
        kind.open(access, kind.seal(b"text"))


@every_kind
def test_another_request_is_named(kind: Kind) -> None:
    access = Access.full(KEY.lock(OTHER_REQUEST), KEY)
    with pytest.raises(OtherRequest, match=REQUEST.hex()):
        kind.open(access, kind.seal(b"text"))


@every_kind
def test_another_kind_is_refused(kind: Kind) -> None:
    for other in KINDS:
        if other is not kind:
            with pytest.raises(NotSealed, match=f"in place of the {kind.purpose.text}"):
                kind.open(ACCESS, other.seal(b"text"))


@every_kind
def test_another_version_is_refused(kind: Kind) -> None:
    sealed = bytearray(kind.seal(b"text"))
    sealed[4] = 2
    with pytest.raises(NotSealed, match="by version 2, this reads 1"):
        kind.open(ACCESS, bytes(sealed))


@every_kind
def test_a_clear_header_swapped_for_another_key_does_not_open(kind: Kind) -> None:
    """As somebody would who passes another job's content off as this job's."""
    sealed = kind.seal(b"text")
    other = JobKey.made_by(b"other", OTHER_REQUEST)
    lock = other.lock(OTHER_REQUEST)
    swapped = sealed[:6] + lock.request_id + lock.key_id + sealed[HEADER_BYTES:]
    with pytest.raises(Tampered):
        kind.open(Access.full(lock, other), swapped)


# --- places

OTHER_MARKETS = [
    MARKET._replace(chain_id=1),
    MARKET._replace(house=OTHER, jobs=OTHER),
]


@pytest.mark.parametrize("market", OTHER_MARKETS, ids=["chain", "contract"])
def test_another_market_is_another_place(market: MarketId) -> None:
    evaluation, update, model = (kind.seal(b"text") for kind in KINDS)
    with pytest.raises(Tampered):
        unseal_evaluation(market, OPENER, ACCESS, evaluation)
    with pytest.raises(Tampered):
        unseal_update(market, POST, ACCESS, update)
    with pytest.raises(Tampered):
        unseal_model(market, 7, 3, ACCESS, model)


def test_an_evaluation_set_cannot_be_taken_over_by_another_opener() -> None:
    with pytest.raises(Tampered):
        unseal_evaluation(MARKET, OTHER, ACCESS, KINDS[0].seal(b"text"))


@pytest.mark.parametrize(
    "change", [{"job_id": 8}, {"round": 4}, {"seller": OTHER}, {"offer_index": 0}], ids=str
)
def test_an_update_cannot_be_posted_elsewhere_or_by_another(change: dict[str, Any]) -> None:
    with pytest.raises(Tampered, match="sealed for another place"):
        unseal_update(MARKET, POST._replace(**change), ACCESS, KINDS[1].seal(b"text"))


@pytest.mark.parametrize("place", [(8, 3), (7, 2)])
def test_a_model_belongs_to_one_round(place: tuple[int, int]) -> None:
    with pytest.raises(Tampered):
        unseal_model(MARKET, *place, ACCESS, KINDS[2].seal(b"text"))


# --- who reads what


def test_a_seller_reads_models_and_nothing_else() -> None:
    evaluation, update, model = (kind.seal(b"text") for kind in KINDS)
    assert unseal_model(MARKET, 7, 3, MODELS_ONLY, model) == b"text"
    with pytest.raises(NoKey, match="key of the models only"):
        unseal_evaluation(MARKET, OPENER, MODELS_ONLY, evaluation)
    with pytest.raises(NoKey, match="key of the models only"):
        unseal_update(MARKET, POST, MODELS_ONLY, update)


def test_an_update_says_nothing_without_a_key_of_either_end() -> None:
    """A seller that has the models' key and the clear header still seals under other bytes."""
    other = PrivateKey(keccak(b"other seller"))
    assert seal_update(MARKET, POST, other, LOCK, b"text")[-20:] != KINDS[1].seal(b"text")[-20:]


@pytest.mark.parametrize("weak", [bytes(32), b"\1" + bytes(31)], ids=["zero", "one"])
def test_a_key_of_low_order_in_an_update_is_refused(weak: bytes) -> None:
    sealed = KINDS[1].seal(b"text")
    forged = sealed[:HEADER_BYTES] + weak + sealed[HEADER_BYTES + 32 :]
    with pytest.raises(WrongKey, match="no usable X25519 key"):
        unseal_update(MARKET, POST, ACCESS, forged)


def test_a_job_key_shows_nothing_of_itself() -> None:
    shown = repr(KEY) + repr(ACCESS)
    assert KEY.secret.hex() not in shown
    assert repr(KEY.secret)[2:-1] not in shown


def test_requests_of_one_opener_have_keys_of_their_own() -> None:
    other = JobKey.made_by(b"secret", OTHER_REQUEST)
    assert JobKey.made_by(b"secret", REQUEST) == KEY
    assert len({KEY.secret, other.secret, KEY.key_id, other.key_id}) == 4
