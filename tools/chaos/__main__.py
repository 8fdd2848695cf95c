"""Play jobs while processes are killed and cut off at random: `make chaos ARGS="--jobs 5"`.

Every choice follows from --seed. Logs, keys and content stay in build/chaos. With --chain geth-…
the chain is re-organised, and loses blocks with its node. With --kubo each third of the parties has
an IPFS node, which dies, hangs and forgets. With --namespaces each third, its IPFS node included,
is in a network namespace, and partitions separate them.
"""

from __future__ import annotations

import json
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import click

from d2m.clients.anvil import AnvilFailed, AnvilMissing
from d2m.clients.binaries import ClientFailed, ClientMissing
from d2m.demo.report import Progress
from d2m.errors import UserError
from tools.chaos.namespaces import NamespacesRefused
from tools.chaos.options import CHAINS, ChaosOptions
from tools.chaos.play import Outcome, Stalled, staged
from tools.chaos.table import row, write_table

FOLDER = Path("build/chaos")
DEFAULTS = ChaosOptions()
FAILURES = (
    AnvilMissing,
    AnvilFailed,
    ClientMissing,
    ClientFailed,
    NamespacesRefused,
    Stalled,
    ValueError,
)
INTERRUPTED = 130
"""Exit status of a program that Ctrl-C ended."""


@click.command(help=__doc__)
@click.option("--jobs", default=DEFAULTS.jobs, show_default=True, help="Jobs to play.")
@click.option("--at-once", default=DEFAULTS.at_once, show_default=True, help="Jobs side by side.")
@click.option("--sellers", default=DEFAULTS.sellers, show_default=True, help="Sellers' processes.")
@click.option("--nodes", default=DEFAULTS.nodes, show_default=True, help="CONE nodes' processes.")
@click.option("--seed", default=DEFAULTS.seed, show_default=True, help="Of every choice.")
@click.option("--chain", type=click.Choice(list(CHAINS)), default=DEFAULTS.chain, show_default=True)
@click.option("--kubo", is_flag=True, help="Three IPFS nodes in a private swarm; else a folder.")
@click.option("--namespaces", is_flag=True, help="Network namespaces: needs root on Linux.")
@click.option(
    "--record",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="Document whose table of chaos runs gets this run's row.",
)
def main(record: Path | None, **sizes: Any) -> None:
    """Entry point."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        outcome = _play(ChaosOptions(**sizes))
    except (*FAILURES, UserError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo(f"interrupted: all processes are stopped, their logs are in {FOLDER}", err=True)
        sys.exit(INTERRUPTED)
    click.echo(json.dumps(row(outcome), indent=2))
    for each in outcome.inherent:
        click.echo(f"inherent to the contracts: {each}", err=True)
    for fault in outcome.faults:
        click.echo(f"FAULT {fault}", err=True)
    if outcome.faults:
        raise click.ClickException(
            f"{len(outcome.faults)} faults with seed {outcome.options.seed}: see {FOLDER}/run/logs"
        )
    if record:
        write_table(record, outcome)
        click.echo(f"recorded in {record}")


def _play(options: ChaosOptions) -> Outcome:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with Progress() as progress:
        progress.phase(f"{options.jobs} jobs in chaos, seed {options.seed}")
        with staged(options, FOLDER / "run", progress.event) as play:
            return play.run()


if __name__ == "__main__":
    main()
