"""A job on real geth, whose chain is re-organised in every phase."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from offchain.chain.records import Conduct, JobState
from offchain.clients.geth import Geth, Rules, start_geth
from offchain.market.genesis import BLOCK_HASHES, Parameters
from tests.clients.walk import GethWorld, Walk, drop, mined_at_once, put_back, shuffle
from tests.parties.world import ACCOUNTS, BOND, STAKE, world_on

pytestmark = [pytest.mark.slow, pytest.mark.clients, pytest.mark.usefixtures("one_thread")]
MARKETS = count()
"""One for each test, on the same chain: another stake gives other addresses."""


@pytest.fixture(scope="module")
def geth() -> Iterator[Geth]:
    with start_geth(Rules.MAINNET, accounts=ACCOUNTS) as running, mined_at_once(running):
        yield running


@pytest.fixture
def market(geth: Geth, tmp_path: Path) -> GethWorld:
    geth.mine()
    found = world_on(
        geth,  # type: ignore[arg-type]
        tmp_path,
        kind=GethWorld,
        parameters=Parameters(STAKE + next(MARKETS), BOND, BLOCK_HASHES),
    )
    geth.mine(10)
    assert isinstance(found, GethWorld)
    return found


@pytest.mark.parametrize("depth", [1, 3, 10])
@pytest.mark.parametrize("how", [put_back, drop, shuffle])
def test_a_job_that_is_reorganised_in_every_phase(market: GethWorld, how: Any, depth: int) -> None:
    walk = Walk(market, how, depth)
    with capture_logs() as logs:
        walk.play()
    walk.withdraw()
    job, chain = market.job(), market.chain(0)
    assert job.state.ended
    assert market.ledger.rings(1)

    # Who is silent where a vote that was put back is wrong on the new branch loses 2 %: no more.
    told = {
        (log["address"], log["round"], log["mini_round"])
        for log in logs
        if log["event"].startswith("silent:")
    }
    slashed = [log["args"] for log in chain.logs("ConePool", "NodeSlashed")]
    assert {(each["node"], each["round"], each["miniRound"]) for each in slashed} <= told
    assert {each["conduct"] for each in slashed} <= {Conduct.SILENT}

    # Nothing stays in escrow but what nobody has earned.
    escrow = market.deployment.contracts["Escrow"]
    pots = market.ledger.situation(1).pots
    assert pots.paid_votes == pots.right_votes
    assert chain.balance(escrow) == pots.seller_pot - pots.seller_paid
    if job.state == JobState.SETTLED:
        assert pots.seller_paid == pots.seller_pot
