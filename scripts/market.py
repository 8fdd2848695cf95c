"""Commands without an account: `ape run market status|incentives|export|…`."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import ape
import click
from eth_typing import ChecksumAddress
from eth_utils.address import is_address, to_checksum_address

from offchain.incentives import shown
from offchain.parties.commands import one_line_errors
from offchain.parties.export import export_job
from offchain.parties.incentives import job_incentives
from offchain.parties.logs import log_as_json
from offchain.parties.options import auction_option, deployment_option, reading_options
from offchain.parties.readable import plain
from offchain.parties.status import (
    account_status,
    auction_status,
    job_status,
    market_status,
    read_only,
)
from offchain.parties.tables import print_facts, print_market
from offchain.parties.values import Wei, number_of
from offchain.parties.wallet import Manner, Wallet
from offchain.store.choice import open_store
from scripts._check import check_command
from scripts._network import NodeCommand
from scripts._peers import peers_command
from scripts._verification import verification_command
from scripts._wallet import json_option, rpc_url


class Account(click.ParamType):
    """An address, or the name of an Ape account."""

    name = "account"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> ChecksumAddress:
        """The address; the account stays locked."""
        if is_address(value):
            return to_checksum_address(value)
        if value not in ape.accounts.aliases:
            self.fail(f"{value!r} is no address and no account: see `ape accounts list`", param)
        return to_checksum_address(str(ape.accounts.load(value).address))


@click.group()
def cli() -> None:
    """Look at the market and keep what it made."""


@cli.command(cls=NodeCommand)
@deployment_option
@click.option("--job", "job_id", type=number_of, help="All of this job, with its vote.")
@click.option("--auction", "auction_id", type=number_of, help="All of this auction.")
@click.option("--account", type=Account(), help="Seat, offers, credits and duties of this one.")
@json_option
def status(
    deployment: Path,
    job_id: int | None,
    auction_id: int | None,
    account: ChecksumAddress | None,
    as_json: bool,
) -> None:
    """Show the running and the latest jobs and auctions, or all of one job, auction or account."""
    log_as_json(logging.WARNING, sys.stderr)
    with one_line_errors(Wallet(Manner(as_json=as_json))):
        ledger = read_only(rpc_url(ape.networks.provider), deployment)
        parts = []
        if job_id is not None:
            parts.append(job_status(ledger, job_id))
        if auction_id is not None:
            parts.append(auction_status(ledger, auction_id))
        if account is not None:
            parts.append(account_status(ledger, account))
        chosen = parts or [market_status(ledger)]
    for facts in chosen:
        if as_json:
            click.echo(json.dumps({"type": "answer", **plain(facts)}))
        elif parts:
            print_facts(facts)
        else:
            print_market(facts)


@cli.command(cls=NodeCommand)
@reading_options
@click.option("--job", "job_id", type=number_of, required=True, help="Id of the job.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write."
)
def export(deployment: Path, store: Path | None, ipfs: str | None, job_id: int, out: Path) -> None:
    """Write all content of a job to a CAR file, which `ipfs dag import` reads."""
    with one_line_errors():
        ledger = read_only(rpc_url(ape.networks.provider), deployment)
        missing = export_job(ledger, open_store(store, ipfs), job_id, out)
    for content in missing:
        click.echo(f"not to be had: {content.role} of round {content.round}, {content.cid}")
    click.echo(f"{out}: {out.stat().st_size} bytes")


@cli.command(cls=NodeCommand)
@deployment_option
@auction_option
@click.option(
    "--price",
    type=Wei(),
    required=True,
    help="What the job would cost, like '2 ether'; of a token, what that is worth.",
)
@json_option
def incentives(deployment: Path, auction_id: int, price: int, as_json: bool) -> None:
    """Show whether bribing CONE nodes would pay in an auction's job, and what to change."""
    log_as_json(logging.WARNING, sys.stderr)
    with one_line_errors(Wallet(Manner(as_json=as_json))):
        ledger = read_only(rpc_url(ape.networks.provider), deployment)
        job = job_incentives(ledger, auction_id, price)
    if as_json:
        click.echo(json.dumps({"type": "answer", **plain(shown.as_json(job))}))
    else:
        click.echo("\n".join(shown.lines(job)))


cli.add_command(check_command, "check")
cli.add_command(peers_command, "peers")
cli.add_command(verification_command, "verification-input")
