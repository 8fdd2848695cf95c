"""The job key and what follows from it: HKDF-SHA256, X25519."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey

from d2m.sealing.errors import NoKey, WrongKey

KEY_BYTES = 32
"""Length of every key, public or private, and of a request's id."""
CIPHER_KEY_BYTES = 64
"""Length of a key of AES-256-SIV: half for the tag, half for the text."""
DOMAIN = b"D2M sealing v1 "
"""Separates what is derived here from every other use of the same keys."""


class Lock(NamedTuple):
    """Ids of a request and of its key, in the clear: 32 bytes each."""

    request_id: bytes
    """Drawn by the opener, so that no two requests share a key."""
    key_id: bytes
    """The public half of the job key: it binds everybody to one key, and updates go to it."""


@dataclass(frozen=True, repr=False)
class JobKey:
    """Reads everything of a job. Its representation shows nothing of it."""

    secret: bytes
    """32 bytes."""

    @classmethod
    def made_by(cls, secret: bytes, request_id: bytes) -> JobKey:
        """The key of a request whose opener has `secret`: found again whenever it is needed."""
        return cls(derive(secret, b"job key" + request_id))

    @cached_property
    def pair(self) -> PrivateKey:
        """The job's X25519 key pair."""
        return PrivateKey(derive(self.secret, b"key pair"))

    @property
    def key_id(self) -> bytes:
        """The public half, 32 bytes."""
        return bytes(self.pair.public_key)

    @property
    def evaluation_key(self) -> bytes:
        """32 bytes, behind the evaluation set's seal."""
        return derive(self.secret, b"evaluation")

    @property
    def model_key(self) -> bytes:
        """32 bytes, behind the models' seals: all that sellers are given."""
        return derive(self.secret, b"model")

    def lock(self, request_id: bytes) -> Lock:
        """Lock that a request under this key states in the clear."""
        return Lock(request_id, self.key_id)

    def update_key(self, seller: bytes) -> bytes:
        """32 bytes, behind the updates of the seller with this public key. Raises WrongKey."""
        return derive(shared_secret(self.pair, seller), b"update" + self.key_id + seller)


@dataclass(frozen=True, repr=False)
class Access:
    """Access of a member to a job: all with the job key, without it the models."""

    lock: Lock
    model_key: bytes
    job_key: JobKey | None = None

    @classmethod
    def full(cls, lock: Lock, key: JobKey) -> Access:
        """With the job key. Raises WrongKey where it is not the one that the request names."""
        if key.key_id != lock.key_id:
            raise WrongKey(
                f"the key has id {key.key_id.hex()}, the request names {lock.key_id.hex()}:"
                " it is another job's"
            )
        return cls(lock, key.model_key, key)

    def full_key(self) -> JobKey:
        """The job key. Raises NoKey where only models may be read."""
        if self.job_key is None:
            raise NoKey("this account is given the key of the models only, as sellers are")
        return self.job_key


def update_key(own: PrivateKey, lock: Lock) -> bytes:
    """A seller's side of `JobKey.update_key`. Raises WrongKey."""
    public = bytes(own.public_key)
    return derive(shared_secret(own, lock.key_id), b"update" + lock.key_id + public)


def derive(secret: bytes, purpose: bytes, length: int = KEY_BYTES) -> bytes:
    """`length` bytes for one purpose, from which nothing about `secret` can be learnt."""
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=DOMAIN + purpose).derive(secret)


def shared_secret(own: PrivateKey, other: bytes) -> bytes:
    """Secret that two key pairs share, 32 bytes. Raises WrongKey for what is no usable key."""
    try:
        return Box(own, PublicKey(other)).shared_key()
    except CryptoError as error:
        raise WrongKey(f"{other.hex()} is no usable X25519 key: register another") from error
