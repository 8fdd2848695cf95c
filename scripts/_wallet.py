"""An Ape account as the market's signer, and the session of a wallet-driven command."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ape
import click
from ape.api import AccountAPI, ProviderAPI
from ape.cli import account_option
from ape.exceptions import AccountsError
from ape.logging import ClickHandler, LogLevel
from eth_account.messages import SignableMessage, encode_defunct, encode_typed_data
from eth_typing import ChecksumAddress
from eth_utils.address import to_checksum_address

from offchain.parties.commands import Session, connect, one_line_errors
from offchain.parties.logs import log_as_json
from offchain.parties.options import combined, place_options
from offchain.parties.wallet import Manner, Wallet
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
        return self._sign(encode_defunct(text=text))

    def sign_typed(self, message: dict[str, Any]) -> bytes:
        """The EIP-712 signature. Raises ClickException when the wallet declines."""
        return self._sign(encode_typed_data(full_message=message))

    def _sign(self, message: SignableMessage) -> bytes:
        self._prepare()
        signature = self._account.sign_message(message)
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


@contextmanager
def opened(
    account: AccountAPI, options: dict[str, Any], *, serves: bool = False
) -> Iterator[tuple[Session, Wallet]]:
    """The session and wallet of a command, whose place and asking options leave `options`.

    An error that a user can mend ends the command with one line.
    """
    wallet = wallet_of(options, serves=serves)
    provider = ape.networks.provider
    deployment: Path = options.pop("deployment")
    store, ipfs, max_fee = (options.pop(name) for name in ("store", "ipfs", "max_fee"))
    with one_line_errors(wallet):
        signer = ApeSigner(account, provider)
        url = rpc_url(provider)
        yield connect(url, deployment, store, ipfs, signer, max_fee, wallet), wallet


def wallet_of(options: dict[str, Any], *, serves: bool = False) -> Wallet:
    """The wallet of a command, whose asking options leave `options`.

    Commands that do not serve log warnings only. Raises UsageError where nobody could be asked.
    """
    as_json = options.pop("as_json")
    log_as_json(
        logging.INFO if serves else logging.WARNING,
        sys.stdout if serves and not as_json else sys.stderr,
    )
    if "yes" not in options:  # a command that only reads
        return Wallet(Manner(as_json=as_json))
    manner = Manner(options.pop("yes"), options.pop("dry_run"), as_json, sys.stdin.isatty())
    if not (manner.yes or manner.dry_run or (manner.terminal and not as_json)):
        why = "--json asks nothing" if as_json else "there is no terminal to ask on"
        raise click.UsageError(f"{why}: add --yes to sign, or --dry-run to look first")
    return Wallet(manner)


def wallet_command(function: Callable[..., Any]) -> click.Command:
    """A command with `--network` and `--account`."""
    with_account: Any = account_option()
    with_network: Any = click.command(cls=NodeCommand)
    command: click.Command = with_network(with_account(function))
    return command


def _keep_output_clean(_ctx: click.Context, _param: click.Parameter, as_json: bool) -> bool:
    """Have Ape's own notices go to standard error, before it connects."""
    for handler in logging.getLogger("ape").handlers if as_json else ():
        if isinstance(handler, ClickHandler):
            handler.echo_kwargs = {level.name.lower(): {"err": True} for level in LogLevel}
    return as_json


json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    is_eager=True,
    callback=_keep_output_clean,
    help="One JSON object for each transaction and answer; notices go to standard error.",
)
asking_options = combined(
    click.option("--yes", "-y", is_flag=True, help="Sign without asking."),
    click.option("--dry-run", is_flag=True, help="Show what would be sent first; send nothing."),
    json_option,
)


def sending_command(function: Callable[..., Any]) -> click.Command:
    """A command that shows what it signs, and asks: with a network, an account and a place."""
    return wallet_command(place_options(asking_options(function)))


def reading_command(function: Callable[..., Any]) -> click.Command:
    """A command that signs nothing: with a network, an account and a place."""
    return wallet_command(place_options(json_option(function)))


def sign_unattended(account: AccountAPI) -> None:
    """Ask for the passphrase once, so that a serving process can sign without asking again."""
    unattended = getattr(account, "set_autosign", None)
    if unattended is not None and getattr(account, "locked", True):
        unattended(True)
