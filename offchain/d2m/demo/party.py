"""The demo's parties as processes: `python -m d2m.demo.party`, honest or Byzantine.

They are those of `d2m`, but for two things: nobody is asked, and some misbehave.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from d2m.adversaries.cone import VOTERS
from d2m.adversaries.sellers.training import TRAINERS
from d2m.cli.access import key_signer, rpc_option
from d2m.cli.commands.buyer import open_requested, serve_buyer
from d2m.cli.commands.cone import serve_cone
from d2m.cli.commands.seller import serve_seller
from d2m.cli.commands.serving import no_gate
from d2m.cli.options.buyer import Bidding, Request, bidding_options, request_options
from d2m.cli.options.common import (
    Place,
    Serving,
    existing_file,
    gathered,
    max_fee_option,
    place_options,
    serving_options,
)
from d2m.cli.options.seller import Offering, Privacy, offering_options, privacy_options
from d2m.cli.session import Session, connect, one_line_errors
from d2m.parties.logs import log_as_json


@dataclass(frozen=True)
class Account:
    """A party's key and its node."""

    rpc: str
    key: Path
    passphrase_file: Path
    max_fee: int | None


account_options = gathered(
    "account",
    Account,
    rpc_option,
    click.option("--key", type=existing_file, required=True, help="Encrypted key file (V3 JSON)."),
    click.option(
        "--passphrase-file", type=existing_file, required=True, help="File with its passphrase."
    ),
    max_fee_option,
)
gate_option = click.option(
    "--gate", is_flag=True, help="Go to the chain only after a line on standard input."
)


@click.group(help=__doc__)
def main() -> None:
    """Entry point."""
    log_as_json()


@main.command()
@account_options
@place_options
@offering_options
@privacy_options
@serving_options
@gate_option
@click.option("--behaviour", type=click.Choice(sorted(TRAINERS)), default="honest")
def seller(
    account: Account,
    place: Place,
    offering: Offering,
    privacy: Privacy,
    serving: Serving,
    gate: bool,
    behaviour: str,
) -> None:
    """Offer a data file, train when sampled, collect the share."""
    with one_line_errors():
        session = _session(account, place)
        training = TRAINERS[behaviour]
        serve_seller(session, offering, privacy, serving, training=training, gate=_gate(gate))


@main.command()
@account_options
@place_options
@serving_options
@gate_option
@click.option("--behaviour", type=click.Choice(sorted(VOTERS)), default="honest")
def cone(
    account: Account,
    place: Place,
    serving: Serving,
    gate: bool,
    behaviour: str,
) -> None:
    """Stake for a seat, compute rounds when asked, collect the pay."""
    with one_line_errors():
        session = _session(account, place)
        serve_cone(session, serving, voting=VOTERS[behaviour], gate=_gate(gate))


@main.command("open")
@account_options
@place_options
@request_options
def open_(
    account: Account,
    place: Place,
    request: Request,
) -> None:
    """Open an auction for a model; prints its id."""
    with one_line_errors():
        session = _session(account, place)
        click.echo(open_requested(session, request))


@main.command()
@account_options
@place_options
@bidding_options
@gate_option
def buyer(
    account: Account,
    place: Place,
    bidding: Bidding,
    gate: bool,
) -> None:
    """Bid in an auction, keep a won job moving, receive and check its model."""
    with one_line_errors():
        session = _session(account, place)
        serve_buyer(session, bidding, gate=_gate(gate))


def _session(account: Account, place: Place) -> Session:
    signer = key_signer(account.key, account.passphrase_file)
    return connect(account.rpc, place, signer, account.max_fee)


def _gate(closed: bool) -> Callable[[], None]:
    return _wait if closed else no_gate


def _wait() -> None:
    """Until whoever started this process lets it go on."""
    sys.stdin.readline()


if __name__ == "__main__":
    main()
