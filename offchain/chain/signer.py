"""Signers: a small protocol, and the signer of a key file."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, Protocol

from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress

from offchain.chain.errors import BadKeyFile

_READABLE_BY_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Signer(Protocol):
    """An account that can sign transactions; where its key lies is its own affair."""

    @property
    def address(self) -> ChecksumAddress:
        """The account that pays and is ``msg.sender``."""
        ...

    def sign_transaction(self, transaction: dict[str, Any]) -> bytes:
        """The signed transaction in its raw form, ready to be sent."""
        ...

    def sign_text(self, text: str) -> bytes:
        """The EIP-191 signature of a text, 65 bytes; the same text gives the same signature."""
        ...

    def sign_typed(self, message: dict[str, Any]) -> bytes:
        """The EIP-712 signature of a message with its types and domain, 65 bytes."""
        ...


class KeySigner:
    """Signs with a private key held in memory."""

    def __init__(self, account: LocalAccount) -> None:
        self._account = account

    @classmethod
    def load(cls, path: Path) -> KeySigner:
        """Read a key file (hexadecimal, 32 bytes), which nobody but its owner may read."""
        try:
            mode = path.stat().st_mode
            if mode & _READABLE_BY_OTHERS:
                raise BadKeyFile(f"{path} is open to others: run `chmod 600 {path}`")
            return cls(Account.from_key(path.read_text().strip()))
        except FileNotFoundError:
            raise BadKeyFile(f"{path} is not there: name a key file") from None
        except (ValueError, TypeError):  # the library's text may hold part of the key
            raise BadKeyFile(f"{path} holds no private key: write 32 bytes in hex") from None

    @property
    def address(self) -> ChecksumAddress:
        """The account of the key."""
        return self._account.address

    def sign_transaction(self, transaction: dict[str, Any]) -> bytes:
        """The raw signed transaction."""
        return bytes(self._account.sign_transaction(transaction).raw_transaction)

    def sign_text(self, text: str) -> bytes:
        """The EIP-191 signature (deterministic, RFC 6979)."""
        return bytes(self._account.sign_message(encode_defunct(text=text)).signature)

    def sign_typed(self, message: dict[str, Any]) -> bytes:
        """The EIP-712 signature (deterministic, RFC 6979)."""
        signable = encode_typed_data(full_message=message)
        return bytes(self._account.sign_message(signable).signature)


def write_key_file(path: Path, key: bytes) -> None:
    """Write a new key file that only its owner can read; an existing one is never overwritten."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BadKeyFile(f"{path} exists: move it away or name another file") from None
    with os.fdopen(handle, "w") as file:
        file.write(f"0x{key.hex()}\n")
