"""An Ape account as the market's signer, and the session of a wallet-driven command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ape
import click
from ape.api import AccountAPI, ProviderAPI
from ape.cli import ConnectedProviderCommand, account_option
from eth_account.messages import SignableMessage, encode_defunct, encode_typed_data
from eth_typing import ChecksumAddress
from eth_utils.address import to_checksum_address

from offchain.parties.commands import Session, connect


class ApeSigner:
    """Signs with an Ape account: a key file, a hardware wallet, a test account."""

    def __init__(self, account: AccountAPI, provider: ProviderAPI) -> None:
        self._account = account
        self._provider = provider

    @property
    def address(self) -> ChecksumAddress:
        """The account's address."""
        return to_checksum_address(str(self._account.address))

    def sign_transaction(self, transaction: dict[str, Any]) -> bytes:
        """The raw signed transaction. Raises ClickException when the wallet declines."""
        # A creation goes to nobody; Ape takes an empty address for the zero address.
        named = {key: value for key, value in transaction.items() if key != "to" or value}
        ecosystem = self._provider.network.ecosystem
        signed = self._account.sign_transaction(ecosystem.create_transaction(**named))
        if signed is None:
            raise click.ClickException("the wallet declined to sign: nothing was sent")
        return bytes(signed.serialize_transaction())

    def sign_text(self, text: str) -> bytes:
        """The EIP-191 signature. Raises ClickException when the wallet declines."""
        return self._sign(encode_defunct(text=text))

    def sign_typed(self, message: dict[str, Any]) -> bytes:
        """The EIP-712 signature. Raises ClickException when the wallet declines."""
        return self._sign(encode_typed_data(full_message=message))

    def _sign(self, message: SignableMessage) -> bytes:
        signature = self._account.sign_message(message)
        if signature is None:
            raise click.ClickException("the wallet declined to sign: nothing was sent")
        return bytes(signature.encode_rsv())


def rpc_url(provider: ProviderAPI) -> str:
    """The HTTP address of the connected node."""
    url = getattr(provider, "http_uri", None) or getattr(provider, "uri", None)
    if not url:
        raise click.ClickException(f"{provider.name} has no HTTP address: name another network")
    return str(url)


def open_session(account: AccountAPI, options: dict[str, Any]) -> Session:
    """Take the place options out of `options` and connect with the account's signer."""
    provider = ape.networks.provider
    signer = ApeSigner(account, provider)
    deployment: Path = options.pop("deployment")
    store, ipfs = options.pop("store"), options.pop("ipfs")
    return connect(rpc_url(provider), deployment, store, ipfs, signer, options.pop("max_fee"))


def wallet_command(function: Callable[..., Any]) -> click.Command:
    """A command with `--network` and `--account`."""
    with_account: Any = account_option()
    with_network: Any = click.command(cls=ConnectedProviderCommand)
    command: click.Command = with_network(with_account(function))
    return command


def sign_unattended(account: AccountAPI) -> None:
    """Ask for the passphrase once, so that a serving process can sign without asking again."""
    unattended = getattr(account, "set_autosign", None)
    if unattended is not None:
        unattended(True)
