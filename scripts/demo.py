"""Play a whole job on a local chain: `ape run demo`, or `make demo`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click

from d2m.cli.options.buyer import KINDS
from d2m.clients.anvil import AnvilFailed, AnvilMissing
from d2m.demo.options import NODE_BEHAVIOURS, SELLER_BEHAVIOURS, DemoOptions
from d2m.demo.play import play
from d2m.demo.processes import PartyFailed
from d2m.demo.record import record
from d2m.demo.report import Progress, Report, criteria, print_report, save_report
from d2m.errors import UserError
from d2m.learning.defaults import SPECS

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
    help="Share of the nodes.",
)
@click.option(
    "--byzantine-sellers",
    default=DEFAULTS.byzantine_sellers,
    show_default=True,
    help="Share of the sellers.",
)
@click.option(
    "--node-behaviour",
    default=DEFAULTS.node_behaviour,
    show_default=True,
    help=f"What Byzantine nodes do, in turns: some of {','.join(NODE_BEHAVIOURS)}. Others wait five"
    " minutes for a silent one, each time that it is asked.",
)
@click.option(
    "--seller-behaviour",
    default=DEFAULTS.seller_behaviour,
    show_default=True,
    help=f"What Byzantine sellers do, in turns: some of {','.join(SELLER_BEHAVIOURS)}.",
)
@click.option("--rounds", default=DEFAULTS.rounds, show_default=True, help="Most global rounds.")
@click.option("--target", default=DEFAULTS.target, show_default=True, help="Accuracy to reach.")
@click.option(
    "--dataset", type=click.Choice(list(SPECS)), default=DEFAULTS.dataset, show_default=True
)
@click.option(
    "--auction",
    type=click.Choice(list(KINDS)),
    default=DEFAULTS.auction,
    show_default=True,
    help="Ascending bids, or sealed ones of which one is never revealed; who wins pays its own bid"
    " (first) or the highest other one (second).",
)
@click.option(
    "--seed",
    default=DEFAULTS.seed,
    show_default=True,
    help="Same seed, same data split and draws.",
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
    except (AnvilMissing, AnvilFailed, PartyFailed, ValueError, UserError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("interrupted: all processes are stopped", err=True)
        sys.exit(INTERRUPTED)
    print_report(report)
    click.echo(f"report: {FOLDER / 'report.json'} and {FOLDER / 'report.html'}")
    violated = [criterion.text for criterion in criteria(report) if not criterion.holds]
    if violated:
        raise click.ClickException(f"this does not hold: {'; '.join(violated)}")


def run(options: DemoOptions) -> Report:
    """Play, and write the report."""
    with Progress() as progress, play(options, FOLDER / "run", progress) as finished:
        progress.phase("reading the record back from the chain")
        report = Report.from_dict(record(finished))
    save_report(report, FOLDER)
    return report
