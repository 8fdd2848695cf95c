"""A job on real geth, whose chain is re-organised in every phase."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from structlog.testing import capture_logs

from d2m.chain.contracts.auctions import AuctionHouse
from d2m.chain.deployment.genesis import BLOCK_HASHES, Parameters
from d2m.clients.geth import Geth, Rules, free_port, start_geth
from d2m.parties.buyer.requester import Requester
from d2m.protocol.types import Conduct, JobState
from tests.clients.walk import (
    ALL,
    SHORT_AUCTION,
    GethWorld,
    Walk,
    drop,
    mined_at_once,
    once_indexed,
    put_back,
    shuffle,
    take_turn,
)
from tests.support.world import ACCOUNTS, BOND, STAKE, world_on

pytestmark = [pytest.mark.slow, pytest.mark.clients, pytest.mark.usefixtures("one_thread")]
STRANGER = 5
"""An account."""
MARKETS = count()
"""One for each test, on the same chain: another stake gives other addresses."""


@pytest.fixture(scope="module")
def geth() -> Iterator[Geth]:
    with start_geth(Rules.MAINNET, accounts=ACCOUNTS) as running, mined_at_once(running):
        yield running


@pytest.fixture
def market(geth: Geth, tmp_path: Path) -> GethWorld:
    geth.mine()
    return market_on(geth, tmp_path, STAKE + next(MARKETS))


def market_on(geth: Geth, folder: Path, stake: int = STAKE) -> GethWorld:
    """Deployed so deep that no re-organisation here takes it away."""
    found = world_on(
        geth,  # type: ignore[arg-type]
        folder,
        kind=GethWorld,
        parameters=Parameters(stake, BOND, BLOCK_HASHES),
    )
    geth.mine(10)
    assert isinstance(found, GethWorld)
    return found


@pytest.mark.parametrize("depth", [1, 3, 10])
@pytest.mark.parametrize("how", [put_back, drop, shuffle])
def test_a_job_that_is_reorganised_in_every_phase(market: GethWorld, how: Any, depth: int) -> None:
    walk = Walk(market, how, depth, ALL)
    with capture_logs() as logs:
        walk.play()
    walk.withdraw()
    once_indexed(lambda: check_end(market, logs))


def check_end(market: GethWorld, logs: list[Any]) -> None:
    """Of a walk: the key was handed out, no money and no stake is lost."""
    job, chain = market.job(), market.chain(0)
    assert job.state.ended
    assert market.contracts.key_rings.rings(1)

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
    pots = market.contracts.situation(1).pots
    assert pots.paid_votes == pots.right_votes
    assert chain.balance(escrow) == pots.seller_pot - pots.seller_paid
    if job.state == JobState.SETTLED:
        assert pots.seller_paid == pots.seller_pot


def swap_openings(market: GethWorld) -> None:
    """A stranger's auction, opened a block later, takes the first one's id, and that one its."""
    geth = market.anvil
    head = int(geth.head()["number"], 16)
    first, second = geth.raw_transactions(head - 1), geth.raw_transactions(head)
    geth.reorganise(2, [second, first, []])


def open_two(market: GethWorld) -> None:
    """The first buyer's auction and, in the block after it, a stranger's."""
    walk = Walk(market)
    walk.register()
    request = market.contracts.auctions.request(1)._replace(metric=b"another".ljust(32, b"\0"))
    walk.parties.clear()
    AuctionHouse(market.chain(STRANGER)).open(request, SHORT_AUCTION)


def test_an_auction_that_has_another_id_is_followed(market: GethWorld) -> None:
    open_two(market)
    bidder, opener = market.buyer(1), new_opener(market)
    swap_openings(market)
    assert market.contracts.auctions.auction(1).opener == market.signer(STRANGER).address
    for _turn in range(3):
        market.anvil.mine()
        take_turn(bidder)
        take_turn(opener)
    assert market.contracts.auctions.auction(1).highest_bid == 0
    assert market.contracts.auctions.auction(2).leader == bidder.chain.address
    assert opener._auction_id == 2


def test_a_bid_that_was_put_back_into_a_strangers_auction_is_said(market: GethWorld) -> None:
    """Its transaction names the id alone: no process can keep it from there."""
    open_two(market)
    bidder, geth = market.buyer(1), market.anvil
    market.anvil.mine()
    take_turn(bidder)
    assert market.auction().leader == bidder.chain.address
    raw = [
        each
        for number in range(int(geth.head()["number"], 16) - 4, int(geth.head()["number"], 16) + 1)
        for each in geth.raw_transactions(number)
    ]
    senders = [Account.recover_transaction(each) for each in raw]
    stranger = senders.index(market.signer(STRANGER).address)
    depth = 5
    order = [raw[stranger], *raw[:stranger], *raw[stranger + 1 :]]
    geth.reorganise(depth, [order, *([[]] * depth)])
    with capture_logs() as logs:
        for _turn in range(3):
            geth.mine()
            take_turn(bidder)
    assert market.contracts.auctions.auction(1).opener == market.signer(STRANGER).address
    assert market.contracts.auctions.auction(1).leader == bidder.chain.address
    assert market.contracts.auctions.auction(2).highest_bid == 0
    [why] = [log["why"] for log in logs if log["event"] == "auction"]
    assert "holds a bid of this account: no other is made" in why


def new_opener(market: GethWorld) -> Requester:
    return Requester(
        market.chain(1),
        market.store,
        market.key(1),
        market.request_secret(1),
        auction_id=1,
        patience_blocks=2,
    )


def test_the_only_geth_is_killed_and_parties_come_back_by_themselves(tmp_path: Path) -> None:
    """It keeps the latest blocks in memory: here all are lost, with the contracts in them."""
    chain = {"accounts": ACCOUNTS, "folder": tmp_path / "chain", "port": free_port()}
    with start_geth(Rules.MAINNET, **chain) as geth:
        with mined_at_once(geth):
            market = market_on(geth, tmp_path)
            walk = Walk(market)
            walk.register()
            walk.go_on(lambda: bool(market.contracts.jobs.count()))
        lost = int(geth.head()["number"], 16)
        geth.process.kill()
        geth.process.wait()
    with start_geth(Rules.MAINNET, **chain) as geth, mined_at_once(geth):
        market.anvil = geth
        assert int(geth.head()["number"], 16) < lost
        for party in walk.parties:
            take_turn(party)
            assert "deployment: no code of" in party.health.why
        again = market_on(geth, tmp_path)
        assert again.deployment.contracts == market.deployment.contracts
        geth.mine(10)
        walk.go_on(walk._is_over)
        assert market.job().state == JobState.SETTLED
        assert not any(party.health.why for party in walk.parties)
