"""Secrets that a party derives from its account, so that the account's key is all it must keep."""

from __future__ import annotations

from eth_utils.crypto import keccak
from nacl.public import PrivateKey

from d2m.chain.signer import Signer


def encryption_key(signer: Signer) -> PrivateKey:
    """The X25519 key whose public half the party registers, for content sealed to it."""
    return PrivateKey(keccak(signer.sign_text("D2M encryption key v1")))


def request_secret(signer: Signer, chain_id: int, house: str) -> bytes:
    """The secret behind the keys of an opener's jobs: it can always make them again."""
    return keccak(signer.sign_text(f"D2M job keys v1, chain {chain_id}, auction house {house}"))


def salt_secret(signer: Signer, chain_id: int, yoda: str) -> bytes:
    """The secret behind a node's vote salts: a node that was killed still reveals."""
    return keccak(signer.sign_text(f"D2M vote salts v1, chain {chain_id}, YODA {yoda}"))


def bid_secret(signer: Signer, chain_id: int, house: str) -> bytes:
    """The secret behind a buyer's sealed bids: a buyer that was killed still reveals."""
    return keccak(signer.sign_text(f"D2M bid salts v1, chain {chain_id}, auction house {house}"))
