"""Offer data and serve as a seller: `ape run seller serve|offer|list|privacy|pause|…`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from ape.api import AccountAPI

from offchain.chain.records import text_of
from offchain.parties import offers
from offchain.parties.commands import (
    log_as_json,
    one_line_errors,
    run_offer,
    run_privacy,
    run_seller,
)
from offchain.parties.options import (
    offer_option,
    place_options,
    privacy_options,
    seller_options,
    serving_options,
    statement_options,
)
from scripts._wallet import open_session, sign_unattended, wallet_command


@click.group()
def cli() -> None:
    """Offer data, serve as its seller, pause or end an offer."""
    log_as_json()


@wallet_command
@place_options
@seller_options
@privacy_options
@serving_options
def serve(account: AccountAPI, **options: Any) -> None:
    """Offer a data file, train when sampled, collect the share. The data stays in this process."""
    sign_unattended(account)
    with one_line_errors():
        run_seller(open_session(account, options), **options)


@wallet_command
@place_options
@seller_options
def offer(account: AccountAPI, **options: Any) -> None:
    """Offer a data file for one bond, or change an offer; prints its id."""
    with one_line_errors():
        click.echo(f"offer {run_offer(open_session(account, options), **options)}")


@click.command()
@statement_options
def privacy(data: Path | None, spec: Path | None, **options: Any) -> None:
    """Show how much of a seller's privacy budget is spent, and what a job's round would cost."""
    with one_line_errors():
        for line in run_privacy(data, spec, options):
            click.echo(line)


@wallet_command
@place_options
def list_(account: AccountAPI, **options: Any) -> None:
    """Show the account's offers that have not left."""
    with one_line_errors():
        found = offers.standing_offers(open_session(account, options).ledger)
    for offer_id, each in found.items():
        tags = ", ".join(text_of(tag) for tag in each.tags)
        click.echo(f"offer {offer_id}: {'listed' if each.listed else 'paused'}, {tags}")


@wallet_command
@place_options
@offer_option
def pause(account: AccountAPI, offer_id: int, **options: Any) -> None:
    """Take an offer off its tags; running jobs keep it."""
    with one_line_errors():
        offers.pause(open_session(account, options).ledger, offer_id)
    click.echo(f"offer {offer_id} is paused")


@wallet_command
@place_options
@offer_option
def resume(account: AccountAPI, offer_id: int, **options: Any) -> None:
    """Put a paused offer back under its tags."""
    with one_line_errors():
        offers.resume(open_session(account, options).ledger, offer_id)
    click.echo(f"offer {offer_id} is listed")


@wallet_command
@place_options
@offer_option
def leave(account: AccountAPI, offer_id: int, **options: Any) -> None:
    """End an offer; running jobs keep it, its bond follows a day of blocks later."""
    with one_line_errors():
        block = offers.leave(open_session(account, options).ledger, offer_id)
    click.echo(f"offer {offer_id} has left: its bond can be withdrawn from block {block} on")


@wallet_command
@place_options
@offer_option
def withdraw_bond(account: AccountAPI, offer_id: int, **options: Any) -> None:
    """Take the bond of an offer that has left."""
    with one_line_errors():
        amount = offers.withdraw_bond(open_session(account, options).ledger, offer_id)
    click.echo(f"withdrew the bond of offer {offer_id}: {amount} wei")


for command in (serve, offer, privacy, pause, resume, leave):
    cli.add_command(command)
cli.add_command(list_, "list")
cli.add_command(withdraw_bond, "withdraw-bond")
