"""The market's commands with any account of Ape: a key file, a hardware wallet, a test account."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

import ape
import click
from ape.api import AccountAPI, ProviderAPI
from ape.cli import account_option
from ape.exceptions import AccountsError
from ape.logging import ClickHandler, LogLevel
from eth_account.messages import encode_defunct
from eth_typing import ChecksumAddress
from eth_utils.address import is_address, to_checksum_address

from d2m.chain.signer import Signer
from d2m.cli.access import Function, asking_options, calling, json_option
from d2m.cli.options.common import combined, max_fee_option
from scripts._network import NodeCommand


class ApeSigner:
    """Signs with an Ape account: a key file, a hardware wallet, a test account."""

    def __init__(self, account: AccountAPI, provider: ProviderAPI) -> None:
        self._account = account
        self._provider = provider
        self._is_ready = False

    @property
    def address(self) -> ChecksumAddress:
        """The account's address."""
        return to_checksum_address(str(self._account.address))

    def sign_transaction(self, transaction: dict[str, Any]) -> bytes:
        """The raw signed transaction. Raises ClickException when the wallet declines."""
        # A creation goes to nobody; Ape takes an empty address for the zero address.
        named = {key: value for key, value in transaction.items() if key != "to" or value}
        self._prepare()
        ecosystem = self._provider.network.ecosystem
        signed = self._account.sign_transaction(ecosystem.create_transaction(**named))
        if signed is None:
            raise click.ClickException("the wallet declined to sign: nothing was sent")
        return bytes(signed.serialize_transaction())

    def sign_text(self, text: str) -> bytes:
        """The EIP-191 signature. Raises ClickException when the wallet declines."""
        self._prepare()
        signature = self._account.sign_message(encode_defunct(text=text))
        if signature is None:
            raise click.ClickException("the wallet declined to sign: nothing was sent")
        return bytes(signature.encode_rsv())

    def _prepare(self) -> None:
        """Ask for the passphrase once: what is signed was shown and agreed to before."""
        if self._is_ready:
            return
        try:
            sign_unattended(self._account)
        except AccountsError as error:
            raise click.ClickException(f"the account stays locked: {error}") from error
        self._is_ready = True


def rpc_url(provider: ProviderAPI) -> str:
    """The HTTP address of the connected node."""
    url = getattr(provider, "http_uri", None) or getattr(provider, "uri", None)
    if not url:
        raise click.ClickException(f"{provider.name} has no HTTP address: name another network")
    return str(url)


def _keep_output_clean(_ctx: click.Context, _param: click.Parameter, as_json: bool) -> bool:
    """Have Ape's own notices go to standard error, before it connects."""
    for handler in logging.getLogger("ape").handlers if as_json else ():
        if isinstance(handler, ClickHandler):
            handler.echo_kwargs = {level.name.lower(): {"err": True} for level in LogLevel}
    return as_json


class Account(click.ParamType):
    """An address, or the name of an Ape account."""

    name = "account"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> ChecksumAddress:
        """The address; the account stays locked."""
        if is_address(value):
            return to_checksum_address(value)
        if value not in ape.accounts.aliases:
            self.fail(f"{value!r} is no address and no account: see `ape accounts list`", param)
        return to_checksum_address(str(ape.accounts.load(value).address))


class ApeAccess:
    """Commands of `ape run`: `--network` and `--account`."""

    program = "ape run"
    address: click.ParamType = Account()
    json = staticmethod(json_option(is_eager=True, callback=_keep_output_clean))

    def reading(self, function: Function) -> click.Command:
        """A command that reads a node."""

        @wraps(function)
        def called(**options: Any) -> None:
            function(rpc_url(ape.networks.provider), **options)

        return click.command(cls=NodeCommand)(called)

    def signing(self, function: Function, *, asks: bool = True) -> click.Command:
        """A command that signs with an account of Ape."""
        options = combined(max_fee_option, asking_options(self.json) if asks else self.json)
        with_account: Callable[[Function], Function] = account_option()
        called = options(calling(function, _reached))
        return click.command(cls=NodeCommand)(with_account(called))


def _reached(options: dict[str, Any]) -> tuple[str, Callable[[], Signer]]:
    account, provider = options.pop("account"), ape.networks.provider
    return rpc_url(provider), lambda: ApeSigner(account, provider)


def sign_unattended(account: AccountAPI) -> None:
    """Ask for the passphrase once, so that a serving process can sign without asking again."""
    unattended = getattr(account, "set_autosign", None)
    if unattended is not None and getattr(account, "locked", True):
        unattended(True)
