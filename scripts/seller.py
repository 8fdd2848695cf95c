"""Offer data and serve as a seller: `ape run seller serve|offer|list|privacy|pause|…`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from ape.api import AccountAPI
from eth_typing import ChecksumAddress

from d2m.cli.commands import one_line_errors, run_offer, run_privacy, run_seller
from d2m.cli.options import (
    offer_option,
    privacy_options,
    seller_options,
    serving_options,
    statement_options,
    to_option,
)
from d2m.parties.seller import offers
from d2m.protocol.amounts import shown_amount
from d2m.protocol.types import text_of
from scripts._wallet import opened, reading_command, sending_command


@click.group()
def cli() -> None:
    """Offer data, serve as its seller, pause or end an offer."""


@sending_command
@seller_options
@privacy_options
@serving_options
def serve(account: AccountAPI, **options: Any) -> None:
    """Offer a data file, train when sampled, collect the share. The data stays in this process."""
    with opened(account, options, serves=True) as (session, _wallet):
        run_seller(session, **options)


@sending_command
@seller_options
def offer(account: AccountAPI, **options: Any) -> None:
    """Offer a data file for one bond, or change an offer; prints its id."""
    with opened(account, options) as (session, wallet):
        offer_id = run_offer(session, **options)
        wallet.answer(f"offer {offer_id}", offer=offer_id)


@click.command()
@statement_options
def privacy(data: Path | None, spec: Path | None, **options: Any) -> None:
    """Show how much of a seller's privacy budget is spent, and what a job's round would cost."""
    with one_line_errors():
        for line in run_privacy(data, spec, options):
            click.echo(line)


@reading_command
def list_(account: AccountAPI, **options: Any) -> None:
    """Show the account's offers that have not left."""
    with opened(account, options) as (session, wallet):
        for offer_id, each in offers.standing_offers(session.ledger).items():
            tags, state = [text_of(tag) for tag in each.tags], "listed" if each.listed else "paused"
            text = f"offer {offer_id}: {state}, {', '.join(tags)}"
            wallet.answer(text, offer=offer_id, state=state, tags=tags, bond=each.bond)


@sending_command
@offer_option
def pause(account: AccountAPI, offer_id: int, **options: Any) -> None:
    """Take an offer off its tags; running jobs keep it."""
    with opened(account, options) as (session, wallet):
        offers.pause(session.ledger, offer_id)
        wallet.answer(f"offer {offer_id} is paused", offer=offer_id, state="paused")


@sending_command
@offer_option
def resume(account: AccountAPI, offer_id: int, **options: Any) -> None:
    """Put a paused offer back under its tags."""
    with opened(account, options) as (session, wallet):
        offers.resume(session.ledger, offer_id)
        wallet.answer(f"offer {offer_id} is listed", offer=offer_id, state="listed")


@sending_command
@offer_option
def leave(account: AccountAPI, offer_id: int, **options: Any) -> None:
    """End an offer; running jobs keep it, its bond follows a day of blocks later."""
    with opened(account, options) as (session, wallet):
        block = offers.leave(session.ledger, offer_id)
        text = f"offer {offer_id} has left: its bond can be withdrawn from block {block} on"
        wallet.answer(text, offer=offer_id, state="left", unlock_block=block)


@sending_command
@offer_option
@to_option
def withdraw_bond(
    account: AccountAPI, offer_id: int, to: ChecksumAddress | None, **options: Any
) -> None:
    """Take the bond of an offer that has left."""
    with opened(account, options) as (session, wallet):
        amount = offers.withdraw_bond(session.ledger, offer_id, to)
        text = f"withdrew the bond of offer {offer_id}: {shown_amount(amount)}"
        wallet.answer(text, offer=offer_id, amount=amount)


for command in (serve, offer, privacy, pause, resume, leave):
    cli.add_command(command)
cli.add_command(list_, "list")
cli.add_command(withdraw_bond, "withdraw-bond")
