"""Signers: a small protocol, and those of a key in memory and of an encrypted key file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress
from eth_utils.address import is_address, to_checksum_address

from d2m.chain.errors import BadKeyFile


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


class KeySigner:
    """Signs with a private key held in memory."""

    def __init__(self, account: LocalAccount) -> None:
        self._account = account

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


class KeyFileSigner:
    """Signs with an encrypted key file (V3 JSON), which is opened at the first signature."""

    def __init__(self, path: Path, passphrase: Callable[[], str]) -> None:
        """`passphrase` is asked once. Raises BadKeyFile where the file is none."""
        self._path = path
        self._passphrase = passphrase
        self._content = _read_key_file(path)

    @property
    def address(self) -> ChecksumAddress:
        """The account of the key, which the file names; a file that does not is opened for it."""
        named = self._content.get("address")
        return to_checksum_address(named) if named else self._opened.address

    def sign_transaction(self, transaction: dict[str, Any]) -> bytes:
        """The raw signed transaction. Raises BadKeyFile for a wrong passphrase."""
        return self._opened.sign_transaction(transaction)

    def sign_text(self, text: str) -> bytes:
        """The EIP-191 signature. Raises BadKeyFile for a wrong passphrase."""
        return self._opened.sign_text(text)

    @cached_property
    def _opened(self) -> KeySigner:
        try:
            key = Account.decrypt(self._content, self._passphrase())
        except (ValueError, TypeError, KeyError, NotImplementedError):
            # The library's text may hold part of what it read.
            raise BadKeyFile(f"{self._path} does not open: see passphrase and file") from None
        return KeySigner(Account.from_key(key))


def _read_key_file(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        raise BadKeyFile(f"{path} is not there: name a key file") from None
    except OSError as error:
        raise BadKeyFile(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        content = None
    if not _is_key_file(content):
        raise BadKeyFile(
            f"{path} is no encrypted key file (V3 JSON): `ape accounts import` makes one of a key"
        )
    return dict(content)


def _is_key_file(content: Any) -> bool:
    if not isinstance(content, dict) or not {"crypto", "Crypto"} & set(content):
        return False
    return "address" not in content or is_address(content["address"])


def write_key_file(path: Path, key: bytes, passphrase: str, *, work: int | None = None) -> None:
    """Write a new encrypted key file (V3 JSON) that only its owner can read.

    An existing one is never overwritten. `work` is scrypt's n, a power of two; without it that of
    the library, about a second to open. Raises BadKeyFile.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BadKeyFile(f"{path} exists: move it away or name another file") from None
    with os.fdopen(handle, "w") as file:
        json.dump(Account.encrypt(key, passphrase, iterations=work), file)
