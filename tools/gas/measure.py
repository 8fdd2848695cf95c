"""Gas of every external function by both of Ethereum's rules, and bytecode sizes: docs/gas.

"common" is the call as most users make it, "worst" the dearest form of it that the rules allow.
Played with seeded draws and the same accounts, so that two runs on one source give the same
figures: on anvil in what the tests of every day compare, and on geth, where there is one, for the
table that the parties' transactions take their limits from.
"""

from __future__ import annotations

import json

import ape
import click
from rich.console import Console

from d2m.chain.deployment.genesis import GENESIS, PARTS
from d2m.chain.gas import TABLES
from d2m.clients.binaries import skip_reason
from d2m.clients.geth import Rules
from tests.support.evm import rewound
from tests.support.play import Market, People, deploy_market, join_nodes, register_sellers
from tools.gas import dearest, usual
from tools.gas.prices import write_prices
from tools.gas.record import (
    CROWDS,
    FOLDER,
    Meter,
    by_rules,
    committed,
    flat,
    grown,
    page,
    record,
    targets,
)

DEPLOYED = (*("BlockhashRandomness" if each == "Randomness" else each for each in PARTS), GENESIS)
SCENARIOS = (
    usual.genesis,
    usual.registry,
    usual.pool,
    usual.unbonding,
    usual.first_bids,
    usual.sealed_auction,
    usual.job,
    usual.slashing,
    usual.keys,
    dearest.first_members,
    dearest.moved_members,
    dearest.keys,
    dearest.first_auction,
    dearest.bids,
    dearest.sealed_bids,
    dearest.commitment,
    dearest.liars,
    dearest.first_end,
    dearest.failures,
    dearest.crowd,
)


def measure(meter: Meter, market: Market, people: People) -> None:
    """All calls. `market` has its sellers and nodes; it is left as it was."""
    for scenario in SCENARIOS:
        with rewound():
            scenario(meter, market, people)


def measure_more(meter: Meter, people: People) -> None:
    """Figures that depend on no rules of a chain: sizes of code, and costs that should not grow."""
    for name in DEPLOYED:
        code = getattr(ape.project, name).contract_type.runtime_bytecode.bytecode
        meter.bytecode[name] = len(bytes.fromhex(code.removeprefix("0x")))
    for sellers in CROWDS:
        with rewound():
            usual.many_sellers(meter, people, sellers)


def staff() -> tuple[Market, People]:
    """A market with its sellers and nodes on the chain that Ape is connected to."""
    people = People.of(ape.accounts.test_accounts)
    market = deploy_market(people.deployer)
    register_sellers(market, people.sellers)
    join_nodes(market, people.nodes)
    return market, people


@click.command(help=__doc__)
def main() -> None:
    """Measure, and write the records."""
    from tools.gas.on_geth import measured

    if reason := skip_reason():
        raise click.ClickException(reason)
    before = committed() | {
        f"{rules}: {name}": gas
        for rules, pairs in by_rules().items()
        for name, gas in flat(pairs).items()
    }
    console = Console(stderr=True)
    meter = Meter()
    with ape.networks.ethereum.local.use_provider("foundry"), console.status("playing on anvil"):
        ape.project.load_contracts(use_cache=False)
        market, people = staff()
        measure(meter, market, people)
        measure_more(meter, people)
    tables = {}
    for rules in Rules:
        with console.status(f"playing on geth by the rules of {rules.value}"):
            tables[rules.value] = measured(rules)
    TABLES.write_text(json.dumps(tables, indent=2) + "\n", encoding="utf-8")
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "snapshot.json").write_text(json.dumps(record(meter), indent=2) + "\n")
    (FOLDER / "README.md").write_text(page(meter, tables))
    write_prices(tables)
    now = meter.figures() | {
        f"{rules}: {name}": gas
        for rules, pairs in tables.items()
        for name, gas in flat(pairs).items()
    }
    for change in grown(now, before):
        click.echo(f"grew: {change}", err=True)
    for name, target, figure, holds in targets(meter):
        click.echo(f"{name}: {figure:,.5g} ({target}){'' if holds else ' MISSED'}")
