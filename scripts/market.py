"""What anybody can do without an account: `ape run market export …`."""

from __future__ import annotations

from pathlib import Path

import ape
import click
from ape.cli import ConnectedProviderCommand

from offchain.parties.commands import one_line_errors
from offchain.parties.export import export_job, read_only
from offchain.parties.options import reading_options
from offchain.store.choice import open_store
from scripts._wallet import rpc_url


@click.group()
def cli() -> None:
    """Look at the market and keep what it made."""


@cli.command(cls=ConnectedProviderCommand)
@reading_options
@click.option("--job", "job_id", type=int, required=True, help="Id of the job.")
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
