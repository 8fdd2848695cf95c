"""How a command reaches a node and an account: with a key file, or through Ape.

The commands are the same either way; an `Access` gives each its options and what they come to.
"""

from __future__ import annotations

import logging
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Protocol

import click
from eth_typing import ChecksumAddress
from eth_utils.address import is_address, to_checksum_address

from d2m.chain.errors import BadKeyFile
from d2m.chain.signer import KeyFileSigner, Signer
from d2m.cli.confirmation import Confirmation, Mode
from d2m.cli.options.common import Place, combined, existing_file, max_fee_option
from d2m.cli.session import Session, connect, one_line_errors
from d2m.cli.types import NodeAddress
from d2m.errors import UserError
from d2m.parties.logs import log_as_json

Function = Callable[..., None]


class Access(Protocol):
    """Makes commands of functions. An error that a user can mend ends a command with one line."""

    program: str
    """The words that a person types before the group's name."""
    address: click.ParamType
    """An account, for commands that only look at it: an address, or a name."""

    @property
    def json(self) -> Callable[[Function], Function]:
        """`--json`, which a function gets as `as_json`."""
        ...

    def reading(self, function: Function) -> click.Command:
        """A command that reads a node; the function gets `rpc`, its HTTP address."""
        ...

    def signing(self, function: Function, *, asks: bool = True) -> click.Command:
        """A command of an account; the function gets a `Caller` first.

        `asks`: whether it sends, and therefore shows what it signs.
        """
        ...


@dataclass(frozen=True)
class Caller:
    """The account that runs a command, its node, and how it wants to be asked."""

    rpc: str
    connected: Callable[[], Signer]
    mode: Mode
    max_fee: int | None
    """In wei per gas."""

    @contextmanager
    def confirming(self, *, serves: bool = False) -> Iterator[Confirmation]:
        """Ask and report as was chosen. Commands that do not serve log warnings alone."""
        log_as_json(
            logging.INFO if serves else logging.WARNING,
            sys.stdout if serves and not self.mode.as_json else sys.stderr,
        )
        confirmation = Confirmation(self.mode)
        with one_line_errors(confirmation):
            yield confirmation

    @contextmanager
    def session(self, place: Place, *, serves: bool = False) -> Iterator[Session]:
        """Connect to the market at `place`."""
        with self.confirming(serves=serves) as confirmation:
            yield connect(self.rpc, place, self.connected(), self.max_fee, confirmation)

    def answer(self, text: str, **facts: Any) -> None:
        """Tell what a command has found or done: `text` for people, `facts` for machines."""
        Confirmation(self.mode).answer(text, **facts)


def mode_of(yes: bool, dry_run: bool, as_json: bool) -> Mode:
    """How a command that sends is to ask. Raises UsageError where nobody could be asked."""
    mode = Mode(yes, dry_run, as_json, sys.stdin.isatty())
    if not (mode.yes or mode.dry_run or (mode.terminal and not as_json)):
        why = "--json asks nothing" if as_json else "there is no terminal to ask on"
        raise click.UsageError(f"{why}: add --yes to sign, or --dry-run to look first")
    return mode


def calling(
    function: Function, reached: Callable[[dict[str, Any]], tuple[str, Callable[[], Signer]]]
) -> Function:
    """`function` with a `Caller`, made of the options of `asking_options` and `max_fee_option`.

    `reached` takes its own options out of all that were given: the node, and the way to the signer.
    """

    @wraps(function)
    def called(**options: Any) -> None:
        rpc, connected = reached(options)
        as_json, max_fee = options.pop("as_json"), options.pop("max_fee", None)
        if "yes" in options:
            mode = mode_of(options.pop("yes"), options.pop("dry_run"), as_json)
        else:
            mode = Mode(as_json=as_json)
        function(Caller(rpc, connected, mode, max_fee), **options)

    return called


def json_option(**settings: Any) -> Callable[[Function], Function]:
    """`--json`; Ape's form of it keeps Ape's own notices apart."""
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="One JSON object for each transaction and answer; notices go to standard error.",
        **settings,
    )


def asking_options(json: Callable[[Function], Function]) -> Callable[[Function], Function]:
    """`--yes`, `--dry-run`, `--json`."""
    return combined(
        click.option("--yes", "-y", is_flag=True, help="Sign without asking."),
        click.option(
            "--dry-run", is_flag=True, help="Show what would be sent first; send nothing."
        ),
        json,
    )


# --- with a key file


ACCOUNTS_VARIABLE = "APE_DATA_FOLDER"
rpc_option = click.option(
    "--rpc",
    type=NodeAddress(),
    required=True,
    envvar="D2M_RPC",
    show_envvar=True,
    help="HTTP address of a chain's node.",
)
key_options = combined(
    click.option("--account", help="Name of an encrypted key file in Ape's folder of accounts."),
    click.option("--key", type=existing_file, help="Encrypted key file (V3 JSON), in its place."),
    click.option(
        "--passphrase-file",
        type=existing_file,
        help="File with the passphrase; without it, APE_ACCOUNTS_<name>_PASSPHRASE, or a question.",
    ),
)


class Account(click.ParamType):
    """An address, or the name of a key file in Ape's folder."""

    name = "account"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> ChecksumAddress:
        """The address; the key file stays closed."""
        if is_address(value):
            return to_checksum_address(value)
        try:
            return KeyFileSigner(key_file_of(value), str).address
        except BadKeyFile:
            self.fail(f"{value!r} is no address and no account: see `ape accounts list`", param)


class KeyFileAccess:
    """Commands of `d2m`: `--rpc`, and `--account` or `--key`."""

    program = "d2m"
    address: click.ParamType = Account()
    json = staticmethod(json_option())

    def reading(self, function: Function) -> click.Command:
        """A command that reads a node."""
        return click.command()(rpc_option(function))

    def signing(self, function: Function, *, asks: bool = True) -> click.Command:
        """A command that signs with a key file."""
        asking = asking_options(self.json) if asks else self.json
        options = combined(rpc_option, key_options, max_fee_option, asking)
        return click.command()(options(calling(function, _reached)))


def _reached(options: dict[str, Any]) -> tuple[str, Callable[[], Signer]]:
    rpc: str = options.pop("rpc")
    name, key, secret = (options.pop(each) for each in ("account", "key", "passphrase_file"))
    if (name is None) == (key is None):
        raise click.UsageError("name the account that signs: --account NAME or --key FILE")
    return rpc, lambda: key_signer(key or key_file_of(name), secret, name)


def key_file_of(name: str) -> Path:
    """The key file of a named account, where Ape keeps it."""
    folder = Path(os.environ.get(ACCOUNTS_VARIABLE) or Path.home() / ".ape")
    return folder.expanduser() / "accounts" / f"{name}.json"


def key_signer(key: Path, passphrase_file: Path | None, name: str | None = None) -> KeyFileSigner:
    """The signer of a key file, whose passphrase is in a file, in the environment, or asked for.

    Raises BadKeyFile.
    """
    kept = os.environ.get(f"APE_ACCOUNTS_{name}_PASSPHRASE") if name else None

    def passphrase() -> str:
        if passphrase_file is not None:
            return _read_passphrase(passphrase_file)
        return kept or _typed(key)

    return KeyFileSigner(key, passphrase)


def _read_passphrase(path: Path) -> str:
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise BadKeyFile(f"{path} is open to others: run `chmod 600 {path}`")
    return path.read_text().rstrip("\n")


def _typed(key: Path) -> str:
    if not sys.stdin.isatty():
        raise NoPassphrase(
            f"there is no terminal to ask for the passphrase of {key}: give --passphrase-file"
        )
    typed: str = click.prompt(f"Passphrase of {key}", hide_input=True, err=True)
    return typed


class NoPassphrase(UserError):
    """A key file is encrypted, and nobody can be asked."""
