"""`ape run market peers`: whom an IPFS node can read."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import ape
import click

from offchain.parties.commands import one_line_errors
from offchain.parties.logs import log_as_json
from offchain.parties.options import reading_options
from offchain.parties.reach import peers_of, reach
from offchain.parties.status import read_only
from offchain.store.choice import open_store
from scripts._network import NodeCommand
from scripts._wallet import rpc_url


@click.command(cls=NodeCommand)
@reading_options
@click.option("--job", "job_id", type=int, help="Also read all contents of this job.")
def peers_command(
    deployment: Path, store: Path | None, ipfs: str | None, job_id: int | None
) -> None:
    """Show whom the IPFS node is connected to, and what of a job it can read, and whose.

    Needs no account. It pins what it reads, as a member of the job does. Ends with status 1 when it
    has no peer, or cannot read something.
    """
    log_as_json(logging.WARNING, sys.stderr)
    unread = 0
    with one_line_errors():
        opened = open_store(store, ipfs)
        peers = peers_of(opened)
        for peer in peers:
            click.echo(
                f"peer {peer.peer_id} {peer.address} {'' if peer.is_outbound else 'dialled us'}"
            )
        if job_id is not None:
            ledger = read_only(rpc_url(ape.networks.provider), deployment)
            for content, why_not in reach(ledger, opened, job_id):
                unread += bool(why_not)
                what = f"{content.role} of round {content.round} by {content.author}"
                click.echo(
                    f"{'CANNOT READ' if why_not else 'ok':11} {what}"
                    + (f": {why_not}" if why_not else "")
                )
    if not peers:
        raise click.ClickException("the node has no peer: connect it with the other parties' nodes")
    if unread:
        raise click.ClickException(f"{unread} of the above cannot be read")
