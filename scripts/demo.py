"""Play a whole job on a local chain: `ape run demo`, or `make demo`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click

from offchain.chain.anvil import AnvilFailed, AnvilMissing
from offchain.data.datasets import NAMES
from offchain.market.options import DemoOptions
from offchain.market.play import play
from offchain.market.processes import PartyFailed
from offchain.market.record import record
from offchain.market.report import Progress, Report, print_report, save_report
from offchain.parties.commands import USER_ERRORS

FOLDER = Path("build/market")
DEFAULTS = DemoOptions()
INTERRUPTED = 130
"""Exit status of a program that Ctrl-C ended."""


@click.command()
@click.option("--sellers", default=DEFAULTS.sellers, show_default=True, help="Matched sellers.")
@click.option("--nodes", default=DEFAULTS.nodes, show_default=True, help="CONE nodes.")
@click.option(
    "--byzantine-nodes",
    default=DEFAULTS.byzantine_nodes,
    show_default=True,
    help="Share of the nodes; they send random weights, stale ones, copy, in turns.",
)
@click.option(
    "--byzantine-sellers",
    default=DEFAULTS.byzantine_sellers,
    show_default=True,
    help="Share of the sellers; they flip signs and labels, in turns.",
)
@click.option("--rounds", default=DEFAULTS.rounds, show_default=True, help="Most global rounds.")
@click.option("--target", default=DEFAULTS.target, show_default=True, help="Accuracy to reach.")
@click.option("--dataset", type=click.Choice(NAMES), default=DEFAULTS.dataset, show_default=True)
@click.option(
    "--seed",
    default=DEFAULTS.seed,
    show_default=True,
    help="Same seed, same data split, draws and digests.",
)
def cli(**options: object) -> None:
    """Play one job from bid to withdrawal on a local chain, every party a process of its own.

    Everything lands in build/market: report.json, report.html, and under run/ each party's log,
    keys, data and the content store.
    """
    # Ape's own handler would end the program without a word.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        chosen = DemoOptions(**options)  # type: ignore[arg-type]
        report = run(chosen)
    except (AnvilMissing, AnvilFailed, PartyFailed, ValueError, *USER_ERRORS) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("interrupted: all processes are stopped", err=True)
        sys.exit(INTERRUPTED)
    print_report(report)
    click.echo(f"report: {FOLDER / 'report.json'} and {FOLDER / 'report.html'}")
    if not is_sound(report):
        raise click.ClickException("the job failed, money is missing, or the model is not the one")


def is_sound(report: Report) -> bool:
    """Whether a model was delivered as accepted, and every wei is accounted for."""
    delivered = report.delivery is not None and report.delivery.hash_matches
    measured = report.final_accuracy == report.delivered_accuracy
    stakes = report.stakes_wei
    settled = all(
        balance == stakes.get(name, 0) for name, balance in report.contract_balances_wei.items()
    )
    return delivered and measured and settled and report.conservation.holds


def run(options: DemoOptions) -> Report:
    """Play, and write the report."""
    with Progress() as progress, play(options, FOLDER / "run", progress) as finished:
        progress.phase("reading the record back from the chain")
        report = Report.from_dict(record(finished))
    save_report(report, FOLDER)
    return report
