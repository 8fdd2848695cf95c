"""Serve as a CONE node, or leave: `ape run cone serve|leave|withdraw-stake --account me …`."""

from __future__ import annotations

from typing import Any

import click
from ape.api import AccountAPI
from eth_typing import ChecksumAddress

from d2m.cli.commands import run_cone
from d2m.cli.options import serving_options, to_option
from d2m.parties.cone.node import leave_pool, withdraw_stake
from d2m.protocol.amounts import shown_amount
from scripts._wallet import opened, sending_command


@click.group()
def cli() -> None:
    """Serve as a CONE node, give up the seat, take the stake back."""


@sending_command
@serving_options
def serve(account: AccountAPI, **options: Any) -> None:
    """Stake for a seat, compute rounds when asked, vote, slash, collect the pay."""
    with opened(account, options, serves=True) as (session, _wallet):
        run_cone(session, **options)


@sending_command
def leave(account: AccountAPI, **options: Any) -> None:
    """Give up the seat: no later job can draw it. Serve on until the running jobs have ended."""
    with opened(account, options) as (session, wallet):
        block = leave_pool(session.ledger)
        text = f"left the pool: the stake can be withdrawn from block {block} on"
        wallet.answer(text, unlock_block=block)


@sending_command
@to_option
def withdraw(account: AccountAPI, to: ChecksumAddress | None, **options: Any) -> None:
    """Take the stake of a node that has left."""
    with opened(account, options) as (session, wallet):
        amount = withdraw_stake(session.ledger, to)
        wallet.answer(f"withdrew the stake: {shown_amount(amount)}", amount=amount)


cli.add_command(serve)
cli.add_command(leave)
cli.add_command(withdraw, "withdraw-stake")
