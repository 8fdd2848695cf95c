"""Sealed evaluation sets, updates and models.

    magic "D2MS", version, purpose | request id | key id | (updates: seller's key) | AES-SIV

Everything before the cipher text is in the clear and bound to it, and so is where the content
belongs: chain, contract, job, round, and for an update its seller and offer. Equal inputs give
equal bytes.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from eth_abi.abi import encode
from nacl.public import PrivateKey

from d2m.sealing.errors import NotSealed, OtherRequest, Tampered, WrongKey
from d2m.sealing.keys import (
    CIPHER_KEY_BYTES,
    KEY_BYTES,
    Access,
    JobKey,
    Lock,
    derive,
    update_key,
)

MAGIC, VERSION = b"D2MS", 1
HEADER_BYTES = len(MAGIC) + 2 + 2 * KEY_BYTES
TAG_BYTES = 16
OVERHEAD = HEADER_BYTES + TAG_BYTES
"""Bytes by which a sealed evaluation set or model is longer than the plain one."""
UPDATE_OVERHEAD = OVERHEAD + KEY_BYTES
"""The same of an update."""


class Purpose(IntEnum):
    """Kind of sealed content."""

    EVALUATION = 1
    UPDATE = 2
    MODEL = 3
    RING = 4

    @property
    def text(self) -> str:
        """In a sentence."""
        return ("", "evaluation set", "update", "model", "key ring")[self]


class MarketId(NamedTuple):
    """One deployment on one chain."""

    chain_id: int
    house: str
    """Address of the auction house: a request is sealed before its job exists."""
    jobs: str
    """Address of the job contract."""


class Post(NamedTuple):
    """The one place where an update may stand."""

    job_id: int
    round: int
    seller: str
    """Address."""
    offer_index: int
    """Index of the seller's offer among the job's."""


def header(purpose: Purpose, lock: Lock) -> bytes:
    """Header in the clear before everything sealed under a request's key."""
    return MAGIC + bytes([VERSION, purpose]) + lock.request_id + lock.key_id


def read_lock(data: bytes, purpose: Purpose) -> Lock:
    """Read the lock that sealed content of one kind states in the clear. Raises NotSealed."""
    if len(data) < HEADER_BYTES or data[: len(MAGIC)] != MAGIC:
        raise NotSealed(f"these {len(data)} bytes are no sealed {purpose.text}")
    version, found = data[len(MAGIC) : len(MAGIC) + 2]
    if version != VERSION:
        raise NotSealed(f"a {purpose.text} sealed by version {version}, this reads {VERSION}")
    if found != purpose:
        raise NotSealed(f"sealed content of kind {found} in place of the {purpose.text}")
    first = len(MAGIC) + 2
    return Lock(data[first : first + KEY_BYTES], data[first + KEY_BYTES : HEADER_BYTES])


def check_lock(data: bytes, purpose: Purpose, lock: Lock) -> None:
    """Raises NotSealed, OtherRequest or WrongKey unless `data` is sealed under this lock."""
    found = read_lock(data, purpose)
    if found.request_id != lock.request_id:
        raise OtherRequest(
            f"the {purpose.text} was sealed for request {found.request_id.hex()}, not for"
            f" {lock.request_id.hex()}"
        )
    if found.key_id != lock.key_id:
        raise WrongKey(
            f"the {purpose.text} was sealed under key {found.key_id.hex()}, the request names"
            f" {lock.key_id.hex()}"
        )


# --- evaluation sets


def seal_evaluation(
    market: MarketId, opener: str, request_id: bytes, key: JobKey, plain: bytes
) -> bytes:
    """Seal the evaluation set of a request that `opener` (an address) is about to open."""
    clear = header(Purpose.EVALUATION, key.lock(request_id))
    return clear + _seal(key.evaluation_key, clear, _of_request(market, opener), plain)


def unseal_evaluation(market: MarketId, opener: str, access: Access, sealed: bytes) -> bytes:
    """The evaluation set. Raises Unreadable, and NoKey where only models may be read."""
    check_lock(sealed, Purpose.EVALUATION, access.lock)
    key = access.full_key().evaluation_key
    return _open(key, sealed, HEADER_BYTES, _of_request(market, opener), Purpose.EVALUATION)


# --- updates


def seal_update(market: MarketId, post: Post, own: PrivateKey, lock: Lock, plain: bytes) -> bytes:
    """Seal a seller's update, for the holders of the job key, from the seller's key `own`."""
    clear = header(Purpose.UPDATE, lock) + bytes(own.public_key)
    return clear + _seal(update_key(own, lock), clear, _of_post(market, post), plain)


def unseal_update(market: MarketId, post: Post, access: Access, sealed: bytes) -> bytes:
    """The update posted there. Raises Unreadable, and NoKey where only models may be read.

    The seller's key comes with the update: that the update is the seller's is shown by who posted
    it on chain. So nodes need not agree on when a seller changed the key that it has registered.
    """
    check_lock(sealed, Purpose.UPDATE, access.lock)
    start = HEADER_BYTES + KEY_BYTES
    if len(sealed) < start:
        raise NotSealed(f"a sealed update of {len(sealed)} bytes has been cut short")
    key = access.full_key().update_key(sealed[HEADER_BYTES:start])
    return _open(key, sealed, start, _of_post(market, post), Purpose.UPDATE)


# --- models


def seal_model(
    market: MarketId, job_id: int, round_number: int, access: Access, plain: bytes
) -> bytes:
    """Seal the model that a round gave."""
    clear = header(Purpose.MODEL, access.lock)
    return clear + _seal(access.model_key, clear, _of_round(market, job_id, round_number), plain)


def unseal_model(
    market: MarketId, job_id: int, round_number: int, access: Access, sealed: bytes
) -> bytes:
    """The model that a round gave. Raises Unreadable."""
    check_lock(sealed, Purpose.MODEL, access.lock)
    place = _of_round(market, job_id, round_number)
    return _open(access.model_key, sealed, HEADER_BYTES, place, Purpose.MODEL)


# --- inside


def _of_request(market: MarketId, opener: str) -> bytes:
    return encode(["uint256", "address", "address"], [market.chain_id, market.house, opener])


def _of_round(market: MarketId, job_id: int, round_number: int) -> bytes:
    types = ["uint256", "address", "uint256", "uint256"]
    return encode(types, [market.chain_id, market.jobs, job_id, round_number])


def _of_post(market: MarketId, post: Post) -> bytes:
    place = _of_round(market, post.job_id, post.round)
    return place + encode(["address", "uint256"], [post.seller, post.offer_index])


def _seal(key: bytes, clear: bytes, place: bytes, plain: bytes) -> bytes:
    return _cipher(key).encrypt(plain, [clear, place])


def _open(key: bytes, sealed: bytes, start: int, place: bytes, purpose: Purpose) -> bytes:
    try:
        return _cipher(key).decrypt(sealed[start:], [sealed[:start], place])
    except InvalidTag:
        raise Tampered(
            f"the {purpose.text} does not open here: it was altered, or sealed for another place"
        ) from None


def _cipher(key: bytes) -> AESSIV:
    return AESSIV(derive(key, b"AES-256-SIV", CIPHER_KEY_BYTES))
