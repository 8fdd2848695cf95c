"""Serve as a CONE node, or leave: `ape run cone serve|leave|withdraw-stake --account me …`."""

from __future__ import annotations

from typing import Any

import click
from ape.api import AccountAPI

from offchain.parties.commands import log_as_json, one_line_errors, run_cone
from offchain.parties.cone import leave_pool, withdraw_stake
from offchain.parties.options import place_options, serving_options
from scripts._wallet import open_session, sign_unattended, wallet_command


@click.group()
def cli() -> None:
    """Serve as a CONE node, give up the seat, take the stake back."""
    log_as_json()


@wallet_command
@place_options
@serving_options
def serve(account: AccountAPI, **options: Any) -> None:
    """Stake for a seat, compute rounds when asked, vote, slash, collect the pay."""
    sign_unattended(account)
    with one_line_errors():
        run_cone(open_session(account, options), **options)


@wallet_command
@place_options
def leave(account: AccountAPI, **options: Any) -> None:
    """Give up the seat: no later job can draw it. Serve on until the running jobs have ended."""
    with one_line_errors():
        block = leave_pool(open_session(account, options).ledger)
    click.echo(f"left the pool: the stake can be withdrawn from block {block} on")


@wallet_command
@place_options
def withdraw(account: AccountAPI, **options: Any) -> None:
    """Take the stake of a node that has left."""
    with one_line_errors():
        amount = withdraw_stake(open_session(account, options).ledger)
    click.echo(f"withdrew the stake: {amount} wei")


cli.add_command(serve)
cli.add_command(leave)
cli.add_command(withdraw, "withdraw-stake")
