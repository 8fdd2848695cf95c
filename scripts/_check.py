"""`ape run market check`: read a deployment back."""

from __future__ import annotations

from pathlib import Path

import ape
import click

from d2m.chain.artifacts import load_artifacts
from d2m.chain.client import Chain
from d2m.chain.deployment.check import Check, check
from d2m.chain.deployment.record import Record
from d2m.cli.commands import one_line_errors
from d2m.cli.options import deployment_option
from scripts._network import NodeCommand
from scripts._wallet import rpc_url


@click.command(cls=NodeCommand)
@deployment_option
def check_command(deployment: Path) -> None:
    """Compare a deployment with its record and with the code that is compiled here.

    Sends nothing and needs no account. Ends with status 1 when something is not as it should be;
    what this node no longer knows is marked with "?".
    """
    provider = ape.networks.provider
    with one_line_errors():
        record = Record.read(deployment, provider.web3.eth.chain_id)
        artifacts = load_artifacts()
        chain = Chain(rpc_url(provider), record.deployment, artifacts)
        faults = unknown = 0
        for each in check(chain, record, artifacts):
            faults += each.fault is not None
            unknown += each.unknown is not None
            click.echo(_line(each))
    if faults:
        raise click.ClickException(f"{faults} of the above are not as they should be")
    unless = f", but for {unknown} that this node cannot tell" if unknown else ""
    click.echo(f"chain {record.chain_id}: everything is as recorded, and as compiled here{unless}")


def _line(each: Check) -> str:
    mark = "FAULT" if each.fault else "?" if each.unknown else "ok"
    why = each.fault or each.unknown
    return f"{mark:5} {each.what}" + (f": {why}" if why else "")
