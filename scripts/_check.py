"""`ape run market check`: read a deployment back."""

from __future__ import annotations

from pathlib import Path

import ape
import click
from ape.cli import ConnectedProviderCommand

from offchain.chain.artifacts import load_artifacts
from offchain.chain.client import Chain
from offchain.chain.deployment import Record
from offchain.market.check import check
from offchain.parties.commands import one_line_errors
from offchain.parties.options import deployment_option
from scripts._wallet import rpc_url


@click.command(cls=ConnectedProviderCommand)
@deployment_option
def check_command(deployment: Path) -> None:
    """Compare a deployment with its record and with the code that is compiled here.

    Sends nothing and needs no account. Ends with status 1 when something is not as it should be.
    """
    provider = ape.networks.provider
    with one_line_errors():
        record = Record.read(deployment, provider.web3.eth.chain_id)
        artifacts = load_artifacts()
        chain = Chain(rpc_url(provider), record.deployment, artifacts)
        faults = 0
        for each in check(chain, record, artifacts):
            faults += each.fault is not None
            click.echo(
                f"{'FAULT' if each.fault else 'ok':5} {each.what}"
                + (f": {each.fault}" if each.fault else "")
            )
    if faults:
        raise click.ClickException(f"{faults} of the above are not as they should be")
    click.echo(f"chain {record.chain_id}: everything is as recorded, and as compiled here")
