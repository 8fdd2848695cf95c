"""Open an auction, or bid in one: `ape run buyer open …`, `ape run buyer bid …`."""

from __future__ import annotations

from typing import Any

import click
from ape.api import AccountAPI

from offchain.parties.commands import log_as_json, one_line_errors, run_buyer, run_open
from offchain.parties.options import auction_options, place_options, request_options
from scripts._wallet import open_session, sign_unattended, wallet_command


@click.group()
def cli() -> None:
    """Open an auction for a model, or bid in one and receive the model."""
    log_as_json()


@wallet_command
@place_options
@request_options
def open_(account: AccountAPI, **options: Any) -> None:
    """Open an auction for a model; prints its id."""
    with one_line_errors():
        click.echo(f"auction {run_open(open_session(account, options), **options)}")


@wallet_command
@place_options
@auction_options
def bid(account: AccountAPI, **options: Any) -> None:
    """Bid up to the limit, keep a won job moving, receive and check its model."""
    sign_unattended(account)
    with one_line_errors():
        run_buyer(open_session(account, options), **options)


cli.add_command(open_, "open")
cli.add_command(bid, "bid")
