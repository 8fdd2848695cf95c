"""Write a request, open an auction, bid in one: `ape run buyer spec|open|keys|bid|cancel|…`."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import click
from ape.api import AccountAPI

from offchain.learning.defaults import SPECS
from offchain.parties.buyer import withdraw_credit
from offchain.parties.commands import (
    log_as_json,
    one_line_errors,
    proposed_spec,
    run_buyer,
    run_keys,
    run_open,
)
from offchain.parties.opener import cancel_auction
from offchain.parties.options import (
    auction_option,
    auction_options,
    existing_file,
    keys_options,
    place_options,
    request_options,
    token_option,
)
from scripts._wallet import open_session, sign_unattended, wallet_command

SEED_BYTES = 32


@click.group()
def cli() -> None:
    """Write a job specification, open an auction, bid and receive the model."""
    log_as_json()


@cli.command()
@click.argument("dataset", type=click.Choice(sorted(SPECS)))
@click.option(
    "--network",
    "exported",
    type=existing_file,
    help="Network of torch.export.save, .pt2, in place of the proposed one.",
)
def spec(dataset: str, exported: Path | None) -> None:
    """Print the job specification proposed for a data set, with fresh initial weights."""
    with one_line_errors():
        click.echo(proposed_spec(dataset, secrets.token_bytes(SEED_BYTES), exported))


@wallet_command
@place_options
@request_options
def open_(account: AccountAPI, **options: Any) -> None:
    """Open an auction for a model; prints its id. Then `bid` in it, or leave `keys` running."""
    with one_line_errors():
        auction_id = run_open(open_session(account, options), **options)
    click.echo(f"auction {auction_id}")
    click.echo(
        f"Run `ape run buyer bid --auction {auction_id}` next, or, if this account does not bid,"
        f" `ape run buyer keys --auction {auction_id}`: either hands the job's key to its members"
        " when the auction is over. Without it nobody can compute, and the job fails.",
        err=True,
    )


@wallet_command
@place_options
@keys_options
def keys(account: AccountAPI, **options: Any) -> None:
    """Hand the key of an own auction's job to its members; stays until that is done."""
    sign_unattended(account)
    with one_line_errors():
        run_keys(open_session(account, options), **options)


@wallet_command
@place_options
@auction_options
def bid(account: AccountAPI, **options: Any) -> None:
    """Bid up to the limit, keep a won job moving, receive and check its model."""
    sign_unattended(account)
    with one_line_errors():
        run_buyer(open_session(account, options), **options)


@wallet_command
@place_options
@auction_option
def cancel(account: AccountAPI, auction_id: int, **options: Any) -> None:
    """Take back an own auction that nobody has bid in."""
    with one_line_errors():
        cancel_auction(open_session(account, options).ledger, auction_id)
    click.echo(f"auction {auction_id} is cancelled")


@wallet_command
@place_options
@token_option
def withdraw(account: AccountAPI, token: str, **options: Any) -> None:
    """Withdraw what the market owes the account, in ether or in a token."""
    with one_line_errors():
        amount = withdraw_credit(open_session(account, options).ledger, token)
    click.echo(f"withdrew {amount}")


cli.add_command(open_, "open")
for command in (keys, bid, cancel, withdraw):
    cli.add_command(command)
