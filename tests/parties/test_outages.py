"""What keeps parties from their duties for a while: they wait, say so once, and go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from web3.types import RPCEndpoint

from d2m.chain.client import Chain
from d2m.chain.errors import FeeTooHigh
from d2m.chain.fees import GWEI
from d2m.chain.lag import SAMPLE_BLOCKS, NodeState
from d2m.parties.buyer.requester import Requester
from d2m.parties.cone.node import ConeNode
from d2m.parties.daemon import Party
from d2m.parties.seller.seller import Seller
from d2m.protocol.types import JobState, JobView
from tests.support.relay import Ask, relay
from tests.support.turns import (
    EVERYBODY,
    SELLING,
    is_collecting,
    is_voting,
    stop_the_clock,
    turn_until,
)
from tests.support.world import BLOCK_SECONDS, RULES, World, artifacts, world
from tools.chaos.proxy import Weather, proxied

ANY_WAIT = 120.0


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + ANY_WAIT
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(BLOCK_SECONDS)


def seller_at(market: World, url: str, **options: int) -> Seller:
    """The sampled seller with the lowest number, over another connection."""
    number = next(n for n in range(4) if market.job().sample >> n & 1)
    chain = Chain(url, market.deployment, artifacts(), market.signer(10 + number), **options)
    return Seller(
        chain,
        market.store,
        market.key(10 + number),
        market.samples[number],
        offer_id=market.offer(number),
        patience_blocks=2,
    )


def test_a_node_that_is_away_is_waited_for(tmp_path: Path) -> None:
    with world(tmp_path) as market, proxied(market.anvil.url, seed=1) as proxy:
        market.register()
        market.open(EVERYBODY)
        market.look_until(lambda: is_collecting(market), ["buyer 1"])
        seller = seller_at(market, proxy.url)
        said: list[str] = []
        seller.health._log = Recorder(said)
        proxy.weather = Weather(is_down=True)
        serving = threading.Thread(target=seller.serve)
        serving.start()
        wait_until(lambda: "is the node running" in seller.health.why)
        assert serving.is_alive()
        proxy.weather = Weather()
        wait_until(lambda: bool(market.contracts.jobs.updates(1, 1)))
        wait_until(lambda: not seller.health.why)
        assert said == ["unhealthy chain", "problem over chain"]
        # Losing a tenth of all pieces does no harm, nor being stopped while the node is away.
        proxy.weather = Weather(lost=0.1, delayed=0.5, delay_seconds=0.05)
        wait_until(lambda: proxy.lost > 20)
        proxy.weather = Weather(is_down=True)
        wait_until(lambda: bool(seller.health.why))
        seller.stop()
        serving.join(ANY_WAIT)
        assert not serving.is_alive()


class Recorder:
    """Keeps what is logged of problems."""

    def __init__(self, said: list[str]) -> None:
        self._said = said

    def error(self, event: str, *, problem: str, **_: str) -> None:
        self._said.append(f"{event} {problem}")

    def info(self, event: str, *, problem: str) -> None:
        self._said.append(f"{event} {problem}")


def test_a_price_above_the_cap_is_waited_for_and_the_duty_done_then(tmp_path: Path) -> None:
    with world(tmp_path) as market:
        market.register()
        market.open(EVERYBODY)
        market.look_until(lambda: is_collecting(market), ["buyer 1"])
        seller = seller_at(market, market.anvil.url, max_fee=20 * GWEI)
        stop_the_clock(market)
        provider = seller.chain.w3.provider
        provider.make_request(RPCEndpoint("anvil_setNextBlockBaseFeePerGas"), [hex(500 * GWEI)])
        turn_until(seller, lambda: "--max-fee" in seller.health.why)
        assert market.contracts.jobs.updates(1, 1) == {}
        turn_until(seller, lambda: bool(market.contracts.jobs.updates(1, 1)))
        turn_until(seller, lambda: not seller.health.why)


def test_who_cannot_pay_for_what_it_has_sent_is_unhealthy_while_it_waits(tmp_path: Path) -> None:
    """What is owed was sent at 19 gwei, then the price rose: the window has not closed yet."""
    with world(tmp_path) as market:
        market.register()
        market.open(EVERYBODY)
        market.look_until(lambda: is_collecting(market), ["buyer 1"])
        seller = seller_at(market, market.anvil.url, max_fee=60 * GWEI, stuck_seconds=2)
        provider = seller.chain.w3.provider

        def tell(method: str, *parameters: object) -> None:
            provider.make_request(RPCEndpoint(method), parameters)

        def is_sent() -> bool:
            pool = provider.make_request(RPCEndpoint("txpool_status"), [])["result"]
            return int(pool["pending"], 16) > 0

        stop_the_clock(market)
        tell("evm_setAutomine", False)
        looking = threading.Thread(target=seller._turn, args=(lambda: False,))
        looking.start()
        wait_until(is_sent)
        assert seller.health.why == ""
        tell("anvil_setNextBlockBaseFeePerGas", hex(237 * GWEI))
        tell("anvil_mine", "0x1")
        wait_until(lambda: "fees" in seller.health.why)
        assert market.job().state == JobState.COLLECTING  # in time for whoever looks
        assert looking.is_alive()
        tell("anvil_setNextBlockBaseFeePerGas", hex(9 * GWEI))
        tell("evm_setIntervalMining", 1)
        looking.join(ANY_WAIT)
        assert bool(market.contracts.jobs.updates(1, 1))
        assert seller.health.why == ""


def test_a_node_that_stopped_is_told_of_once_and_is_over_when_it_makes_blocks(
    tmp_path: Path,
) -> None:
    """A relay keeps back the blocks that the chain has made since, and their time passes."""
    held: list[int] = []

    def lagging(ask: Ask, method: str, params: list[Any]) -> dict[str, Any]:
        if held and method == "eth_getBlockByNumber" and params[0] == "latest":
            return ask(method, [hex(held[0]), *params[1:]])
        return ask(method, params)

    with world(tmp_path) as market, relay(market.anvil.url, lagging) as url:
        market.register()
        market.anvil.mine(2 * SAMPLE_BLOCKS)  # empty ones: the clock makes them
        node = market.node(0)
        stale = Chain(url, market.deployment, artifacts(), market.signer(20))
        party = type(node)(stale, market.store, node.key, bytes(32), patience_blocks=1000)
        ahead = [0.0]
        party._node = NodeState(stale.w3, lambda: time.time() + ahead[0])
        said: list[str] = []
        party.health._log = Recorder(said)
        party._turn(lambda: False)
        assert party.health.why == ""
        held.append(stale.block_number())
        ahead[0] = 2 * 3600.0  # hours, as the chain's clock runs ahead by the blocks mined at once
        for _ in range(3):
            party._turn(lambda: False)
        assert party.health.why.startswith("lag: its latest block is ")
        assert "peers" in party.health.why
        held.clear()
        ahead[0] = 0.0
        party._turn(lambda: False)
        assert party.health.why == ""
        assert said == ["unhealthy lag", "problem over lag"]


@pytest.mark.parametrize("error", [FeeTooHigh("dear"), ZeroDivisionError(), MemoryError()])
def test_one_job_does_not_stop_another(tmp_path: Path, error: Exception) -> None:
    """A buyer's job may break a party in ways that nobody thought of."""

    class Fragile(Party):
        watches = ("Jobs",)
        served: list[int] = []  # noqa: RUF012

        def involves(self, *_: object) -> bool:
            return True

        def act(self, job_id: int, view: JobView) -> None:
            if job_id == 1:
                raise error
            self.served.append(job_id)

        def finish(self, *_: object) -> None:
            pass

        def keep_registered(self, *_: object) -> None:
            pass

    with world(tmp_path) as market:
        market.register()
        for auction in (1, 2):
            market.open()
            assert market.auction_id == auction
            market.look_until(lambda n=auction: market.contracts.jobs.count() == n, ["buyer 1"])
        party = Fragile(market.chain(0), market.store, market.key(0), patience_blocks=1000)
        party.poll_jobs(party.chain.block_number())
        assert party.served == [2]
        assert bool(party.health.why) == isinstance(error, FeeTooHigh)


def test_a_window_that_passed_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with world(tmp_path) as market:
        market.register()
        market.open(EVERYBODY._replace(commit_blocks=5))
        market.look_until(lambda: is_voting(market), SELLING)
        node: ConeNode = market.node(0)
        market.mine_to(market.contracts.situation(1).poll.commit_deadline)
        for _ in range(3):
            node.poll_jobs(node.chain.block_number())
        assert capsys.readouterr().out.count("missed: the window has passed") == 1


@pytest.mark.slow  # half a minute and more: several jobs, or one played twice
def test_two_jobs_at_once_are_served_side_by_side(tmp_path: Path) -> None:
    with world(tmp_path) as market:
        market.register()
        buyers = []
        for number in (0, 1):
            market.open(RULES)
            buyers.append(market.buyer(number))
        secrets = market.key(1), market.request_secret(1)
        opener = Requester(
            market.chain(1), market.store, *secrets, auction_id=2, patience_blocks=2
        )  # of the auction that its buyer has not opened
        sellers = [market.seller(number) for number in range(4)]
        parties = [*buyers, opener, *sellers, *(market.node(number) for number in range(6))]

        def all_settled() -> bool:
            contracts = market.contracts
            views = [contracts.situation(each + 1) for each in range(contracts.jobs.count())]
            return [view.job.state for view in views] == [JobState.SETTLED] * 2

        deadline = time.monotonic() + 10 * ANY_WAIT
        while not (all_settled() and all(buyer.delivery for buyer in buyers)):
            assert time.monotonic() < deadline, "the market stands still"
            for party in parties:
                party._turn(lambda: False)
        chain = market.chain(0)
        accepted = [
            (log["args"]["jobId"], log["args"]["round"])
            for log in chain.logs("Jobs", "RoundAccepted")
        ]
        assert sorted(accepted) == [(1, 1), (1, 2), (2, 1), (2, 2)]
        # Neither job waited for the other to end.
        assert accepted[-1][1] == accepted[-2][1] == 2
        assert all(buyer.delivery and buyer.delivery.hash_matches for buyer in buyers)
