"""How the vote fares with the contract's own arithmetic.

Plays every setting of a table with the likelihood test of `contracts/yoda/Likelihood.sol`, called
on a local chain, and with the exact test on the same pools. Fails if in a setting results are wrong
more often than β, a round stays undecided, or the mean number of nodes asked is off the exact
test's by more than 5 %.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ape
import click
import numpy as np
from ape.contracts import ContractContainer
from rich.progress import track

from d2m.protocol.likelihood import Pool
from experiments.studies.yoda import STRATEGIES, Oracle, Setting, exact_oracle, simulate
from experiments.studies.yoda_table import Row, Table, pages
from experiments.study import Facts, Recorded, option

HARNESS = Path("tests/contracts/solidity/Libraries.sol")
"""Makes the library's functions callable; contracts/ holds no test helpers."""
SEATS = (10, 20, 50, 200)
BYZANTINE_BPS = (3000, 4000)
SHARES_BPS = (1000, 2000, 3000, 4000)
ERROR_PPM = 1000
BASE = 4
"""Of the sizes 4 + 2^(i-1), for which the likelihood test's published figures are."""
BATCH = 50
"""Tallies that share a call: 50 of a pool of 200 stay far below a block's gas."""


def contract_oracle(harness: Any, pool: Pool, error_ppm: int) -> Oracle:
    """The test as the contract computes it; it scores, like `Yoda`, only what is not certain."""

    def ask(states: list[tuple[int, int, int]]) -> Iterator[bool]:
        cases = [(pool.honest, pool.byzantine, *state, error_ppm) for state in states]
        for certain, score, threshold in harness.decide(cases):
            yield certain or score >= threshold

    def decide(states: list[tuple[int, int, int]]) -> list[bool]:
        starts = range(0, len(states), BATCH)
        return [accepted for start in starts for accepted in ask(states[start : start + BATCH])]

    return Oracle(pool.seats, decide)


def settings(pool: Pool) -> list[Setting]:
    """Nobody lies; then every strategy with every share that the pool tolerates."""
    shares = [share for share in SHARES_BPS if share <= pool.byzantine_bps]
    lying = [Setting(pool, BASE, share, name) for name in STRATEGIES for share in shares]
    return [Setting(pool, BASE, 0, "colluding"), *lying]


def play(harness: Any, rounds: int, seed: int) -> Table:
    """Every setting with both tests."""
    pools = [Pool(seats, bps) for bps in BYZANTINE_BPS for seats in SEATS]
    every = [setting for pool in pools for setting in settings(pool)]
    contract = {pool: contract_oracle(harness, pool, ERROR_PPM) for pool in pools}
    exact = {pool: exact_oracle(pool, ERROR_PPM) for pool in pools}
    rows = []
    for number, setting in enumerate(track(every, description="settings")):
        outcomes = [
            simulate(setting, oracles[setting.pool], rounds, np.random.default_rng([seed, number]))
            for oracles in (contract, exact)
        ]
        rows.append(Row.of(setting, ERROR_PPM, *outcomes))
    decided = sum(int((contract[pool].known != Oracle.UNKNOWN).sum()) for pool in pools)
    different = sum(int((contract[pool].known != exact[pool].known).sum()) for pool in pools)
    command = f'make statistics ARGS="--rounds {rounds} --seed {seed}"'
    return Table(rows, decided, different, command)


def deploy_harness() -> Any:
    """The contract's test, on the local chain that is connected."""
    source = ape.project.path / HARNESS
    compiled = ape.compilers.compile([source], project=ape.project)
    [found] = [each for each in compiled if each.name == "LikelihoodHarness"]
    return ape.accounts.test_accounts[0].deploy(ContractContainer(found))


def run(rounds: int, seed: int) -> Facts:
    """Play on a chain of its own."""
    with ape.networks.ethereum.local.use_provider("foundry"):
        # Ape's own handler would end the program without a word.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        return play(deploy_harness(), rounds, seed).facts()


def _fault(facts: Facts) -> str:
    failing = [str(row.cells()) for row in Table.from_facts(facts).rows if not row.holds]
    return "\n".join(["does not hold:", *failing]) if failing else ""


STUDY = Recorded(
    name="yoda",
    about="The vote simulated with the contract's test: how often it errs, how many nodes it asks.",
    takes="3 min beside other work",
    options=(
        option("--rounds", type=click.IntRange(1), default=100_000),
        option("--seed", default=1, help="Same seed, same table."),
    ),
    play=run,
    pages=pages,
    told=lambda facts: [Table.from_facts(facts).summary()],
    fault=_fault,
)
