"""The key ring: a job's keys, encrypted to every member's registered public key.

    header, as of all sealed content | for each public key, ascending: key | nonce | Box(kind, key)

The box is NaCl's authenticated public-key encryption from the job's key pair, whose public half
the request names: who opens one knows that whoever made it had the job key. A ring is a function of
the job key and the members' keys: made again it has the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import NamedTuple

from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey

from d2m.sealing.content import HEADER_BYTES, Purpose, check_lock, header
from d2m.sealing.errors import NoKey, NotSealed, Tampered
from d2m.sealing.keys import KEY_BYTES, Access, JobKey, Lock

FULL, MODELS = b"\1", b"\2"
"""Kinds of entries: one hands over the job key, the other the key of the models."""
BOX_BYTES = Box.NONCE_SIZE + len(FULL) + KEY_BYTES + 16
ENTRY_BYTES = KEY_BYTES + BOX_BYTES
MOST_ENTRIES = 1024 + 256 + 1
"""A full pool, all sellers that a job can have, and the winner."""
RING_LIMIT = HEADER_BYTES + MOST_ENTRIES * ENTRY_BYTES
"""Bytes of the longest ring."""


class Ring(NamedTuple):
    """A key ring, and whom it had to leave out."""

    data: bytes
    unusable: tuple[bytes, ...]
    """Registered keys that nothing can be encrypted to. Their owners shut out only themselves."""


def build_ring(
    key: JobKey, request_id: bytes, readers: Iterable[bytes], trainers: Iterable[bytes]
) -> Ring:
    """The ring that hands the job key to `readers` and the models' key to `trainers`.

    Both are X25519 public keys (32 bytes); a key among both is a reader's. Nodes and the winner
    read, sellers train: they need neither the evaluation set nor one another's updates.
    """
    plain = dict.fromkeys(trainers, MODELS + key.model_key)
    plain |= dict.fromkeys(readers, FULL + key.secret)
    entries, unusable = [], []
    for public, secret in sorted(plain.items()):
        try:
            box = Box(key.pair, PublicKey(public))
        except CryptoError:
            unusable.append(public)
            continue
        entries.append(public + box.encrypt(secret, _nonce(key, public, secret)))
    data = header(Purpose.RING, key.lock(request_id)) + b"".join(entries)
    return Ring(data, tuple(unusable))


def unseal_ring(data: bytes, lock: Lock, own: PrivateKey) -> Access:
    """Access that a ring gives `own`'s owner. Raises SealError, NoKey where it has no entry."""
    check_lock(data, Purpose.RING, lock)
    box = dict(_entries(data)).get(bytes(own.public_key))
    if box is None:
        raise NoKey(
            f"the key ring has no entry for the key {bytes(own.public_key).hex()}: was another key"
            " registered when the job was made?"
        )
    try:
        plain = Box(own, PublicKey(lock.key_id)).decrypt(box)
    except CryptoError:
        raise Tampered("the key ring's entry for this account does not open") from None
    kind, secret = plain[:1], plain[1:]
    if kind == FULL:
        return Access.full(lock, JobKey(secret))
    if kind == MODELS:
        return Access(lock, secret)
    raise NotSealed(f"the key ring's entry for this account is of unknown kind {kind.hex()}")


def _entries(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    if (len(data) - HEADER_BYTES) % ENTRY_BYTES:
        raise NotSealed(f"a key ring of {len(data)} bytes has been cut short")
    for start in range(HEADER_BYTES, len(data), ENTRY_BYTES):
        entry = data[start : start + ENTRY_BYTES]
        yield entry[:KEY_BYTES], entry[KEY_BYTES:]


def _nonce(key: JobKey, public: bytes, secret: bytes) -> bytes:
    """Different for different secrets under one pair of keys, equal for equal ones."""
    return blake2b(public + secret, key=key.secret, digest_size=Box.NONCE_SIZE).digest()
