"""Write a request, open an auction, bid in one: `ape run buyer spec|open|keys|bid|cancel|…`."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import click
from ape.api import AccountAPI
from eth_typing import ChecksumAddress

from d2m.cli.commands import (
    one_line_errors,
    proposed_spec,
    run_buyer,
    run_keys,
    run_open,
)
from d2m.cli.options import (
    auction_option,
    auction_options,
    existing_file,
    keys_options,
    request_options,
    to_option,
    token_option,
)
from d2m.learning.defaults import SPECS
from d2m.parties.buyer.buyer import withdraw_credit
from d2m.parties.buyer.requester import cancel_auction
from d2m.protocol.amounts import shown_amount
from scripts._wallet import opened, sending_command

SEED_BYTES = 32


@click.group()
def cli() -> None:
    """Write a job specification, open an auction, bid and receive the model."""


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


@sending_command
@request_options
def open_(account: AccountAPI, **options: Any) -> None:
    """Open an auction for a model; prints its id. Then `bid` in it, or leave `keys` running."""
    with opened(account, options) as (session, wallet):
        auction_id = run_open(session, **options)
        wallet.answer(f"auction {auction_id}", auction=auction_id)
    click.echo(
        f"Run `ape run buyer bid --auction {auction_id}` next, or, if this account does not bid,"
        f" `ape run buyer keys --auction {auction_id}`: either hands the job's key to its members"
        " when the auction is over. Without it nobody can compute, and the job fails.",
        err=True,
    )


@sending_command
@keys_options
def keys(account: AccountAPI, **options: Any) -> None:
    """Hand the key of an own auction's job to its members; stays until that is done."""
    with opened(account, options, serves=True) as (session, _wallet):
        run_keys(session, **options)


@sending_command
@auction_options
def bid(account: AccountAPI, **options: Any) -> None:
    """Bid up to the limit, keep a won job moving, receive and check its model."""
    with opened(account, options, serves=True) as (session, _wallet):
        run_buyer(session, **options)


@sending_command
@auction_option
def cancel(account: AccountAPI, auction_id: int, **options: Any) -> None:
    """Take back an own auction that nobody has bid in."""
    with opened(account, options) as (session, wallet):
        cancel_auction(session.ledger, auction_id)
        wallet.answer(f"auction {auction_id} is cancelled", auction=auction_id, state="cancelled")


@sending_command
@token_option
@to_option
def withdraw(account: AccountAPI, token: str, to: ChecksumAddress | None, **options: Any) -> None:
    """Withdraw what the market owes the account, in ether or in a token."""
    with opened(account, options) as (session, wallet):
        amount = withdraw_credit(session.ledger, token, to)
        wallet.answer(f"withdrew {shown_amount(amount, token)}", amount=amount, token=token)


cli.add_command(open_, "open")
for command in (keys, bid, cancel, withdraw):
    cli.add_command(command)
