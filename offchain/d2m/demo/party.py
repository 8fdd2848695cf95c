"""Parties with a key file, for daemons and for experiments with Byzantine ones.

With a wallet: `ape run seller serve`, `ape run cone serve`, `ape run buyer bid`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from d2m.adversaries.cone import VOTING
from d2m.adversaries.sellers.training import TRAINING
from d2m.chain.signer import KeySigner
from d2m.cli.commands import (
    Session,
    connect,
    no_gate,
    one_line_errors,
    run_buyer,
    run_cone,
    run_keys,
    run_open,
    run_privacy,
    run_seller,
)
from d2m.cli.options import (
    auction_options,
    combined,
    existing_file,
    keys_options,
    place_options,
    privacy_options,
    request_options,
    seller_options,
    serving_options,
    statement_options,
)
from d2m.cli.types import NodeAddress
from d2m.parties.logs import log_as_json

key_options = combined(
    click.option("--rpc", type=NodeAddress(), required=True, help="URL of a chain node."),
    click.option("--key", type=existing_file, required=True, help="Key file, mode 0600."),
    place_options,
)
gate_option = click.option(
    "--gate", is_flag=True, help="Go to the chain only after a line on standard input."
)


@click.group(help=__doc__)
def main() -> None:
    """Entry point."""
    log_as_json()


@main.command()
@key_options
@seller_options
@privacy_options
@serving_options
@gate_option
@click.option("--behaviour", type=click.Choice(sorted(TRAINING)), default="honest")
def seller(gate: bool, behaviour: str, **options: Any) -> None:
    """Offer a data file, train when sampled, collect the share."""
    options["training"] = TRAINING[behaviour]
    with one_line_errors():
        run_seller(_session(options), gate=_wait if gate else no_gate, **options)


@main.command()
@statement_options
def privacy(data: Path | None, spec: Path | None, **options: Any) -> None:
    """Show how much of a seller's privacy budget is spent, and what a job's round would cost."""
    with one_line_errors():
        for line in run_privacy(data, spec, options):
            click.echo(line)


@main.command()
@key_options
@serving_options
@gate_option
@click.option("--behaviour", type=click.Choice(sorted(VOTING)), default="honest")
def cone(gate: bool, behaviour: str, **options: Any) -> None:
    """Stake for a seat, compute rounds when asked, collect the pay."""
    options["voting"] = VOTING[behaviour]
    with one_line_errors():
        run_cone(_session(options), gate=_wait if gate else no_gate, **options)


@main.command("open")
@key_options
@request_options
def open_(**options: Any) -> None:
    """Open an auction for a model; prints its id."""
    with one_line_errors():
        click.echo(run_open(_session(options), **options))


@main.command()
@key_options
@keys_options
def keys(**options: Any) -> None:
    """Hand the key of an own auction's job to its members; stays until that is done."""
    with one_line_errors():
        run_keys(_session(options), **options)


@main.command()
@key_options
@auction_options
@gate_option
def buyer(gate: bool, **options: Any) -> None:
    """Bid in an auction, keep a won job moving, receive and check its model."""
    with one_line_errors():
        run_buyer(_session(options), gate=_wait if gate else no_gate, **options)


def _session(options: dict[str, Any]) -> Session:
    """Take the options of `key_options` out and connect."""
    rpc, key = options.pop("rpc"), options.pop("key")
    deployment: Path = options.pop("deployment")
    store, ipfs = options.pop("store"), options.pop("ipfs")
    return connect(rpc, deployment, store, ipfs, KeySigner.load(key), options.pop("max_fee"))


def _wait() -> None:
    """Until whoever started this process lets it go on."""
    sys.stdin.readline()


if __name__ == "__main__":
    main()
