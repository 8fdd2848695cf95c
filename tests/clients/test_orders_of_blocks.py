"""What parties send succeeds wherever it comes in its block, for no more gas than it may take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from eth_utils.abi import abi_to_signature, function_signature_to_4byte_selector

from d2m.chain import sender
from d2m.chain.contracts.market import Market
from d2m.chain.gas import span
from d2m.clients.geth import Rules, start_geth
from d2m.parties.daemon import Party
from d2m.parties.seller import offers
from d2m.protocol.types import JobState
from tests.clients.orders import Orders, Played, orders
from tests.support.world import ACCOUNTS, NODES, RANDOM_SEED, RULES, SELLERS, TERMS, World, world_on

SHORT_AUCTION = TERMS._replace(window_blocks=20)
SELLING = tuple(f"seller {number}" for number in range(len(SELLERS)))
EVERYBODY = ("buyer 0", "buyer 1", *SELLING, *(f"node {each}" for each in range(len(NODES))))
"""The first buyer opened the auction and hands out the job's key, the second won it."""
RACES = ("AuctionHouse.close", "ConePool.slash", "Jobs.advance", "Jobs.open", "KeyRings.post")
"""Calls that several parties make where one suffices: who comes second is refused."""
MANY_TAGS = [f"kind {number}" for number in range(6)]
OTHER_TAGS = [f"other kind {number}" for number in range(6)]
KEY = bytes(range(32))
STRAY_GAS = 100_000
"""Less than what the first reveal of its words uses, more than any other."""
MOST_LOOKS = 60

pytestmark = [pytest.mark.clients, pytest.mark.slow]


@pytest.fixture(params=Rules, ids=lambda rules: rules.value)
def chain(request: pytest.FixtureRequest) -> Iterator[Orders]:
    with start_geth(request.param, accounts=ACCOUNTS) as geth, orders(geth) as found:
        yield found


def test_every_order_of_every_block_of_a_job_succeeds(chain: Orders, tmp_path: Path) -> None:
    """A seller that tips little and is mined last, a liar who reveals first: orders as others."""
    market = collecting(chain, tmp_path)
    look_until(chain, market, EVERYBODY, market.is_over)
    assert market.job().state == JobState.SETTLED
    calls = named(market, chain.played)
    failed = [(step, each) for step, each in calls if not each.succeeded and step not in RACES]
    assert failed == []
    for step, each in calls:
        form = span(chain.geth.rules.value, step, {}, 3)
        if form and each.succeeded:
            assert each.used <= form.worst, (step, each)
    assert max(each.used for step, each in calls if step == "Yoda.reveal") > STRAY_GAS
    tried = {step for step, each in calls if each.of > 1}
    assert {"Jobs.postUpdate", "Yoda.commit", "Yoda.reveal", "Escrow.withdraw"} <= tried


def test_every_order_of_blocks_with_offers_of_many_tags_succeeds(
    chain: Orders, tmp_path: Path
) -> None:
    """Four sellers do the same at once, under the same six tags; so do nodes, and openers."""
    market = made_on(chain, tmp_path)
    owners = [Market(market.chain(10 + number)) for number in range(4)]
    ids: dict[Market, int] = {}

    def stand(contracts: Market, tags: Sequence[str], offer_id: int | None = None) -> None:
        made = (market.store, tags, b"data of many kinds", KEY, offer_id)
        ids[contracts] = offers.ensure_offered(contracts, *made)

    chain.act(*(partial(stand, contracts, MANY_TAGS) for contracts in owners))
    chain.act(*(partial(offers.pause, contracts, ids[contracts]) for contracts in owners))
    chain.act(*(partial(offers.resume, contracts, ids[contracts]) for contracts in owners))
    chain.act(*(partial(stand, contracts, OTHER_TAGS, ids[contracts]) for contracts in owners))
    chain.act(*(partial(offers.leave, contracts, ids[contracts]) for contracts in owners))
    chain.act(*(partial(market.node(number).join) for number in range(4)))
    chain.act(*(Market(market.chain(20 + number)).pool.leave for number in range(4)))
    request = market.request()
    chain.act(
        *(partial(Market(market.chain(each)).auctions.open, request, TERMS) for each in (1, 2, 3))
    )
    calls = named(market, chain.played)
    assert [(step, each) for step, each in calls if not each.succeeded] == []
    for step, each in calls:
        form = span(chain.geth.rules.value, step, {}, len(MANY_TAGS))
        if form:
            assert each.used <= form.worst, (step, each)
    expected = ("offer", "pause", "resume", "update", "leave")
    assert {f"SellerRegistry.{each}" for each in expected} < {step for step, _ in calls}


def test_who_runs_out_of_gas_tries_again_while_the_inbox_is_open(
    chain: Orders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As without the table: whoever estimates behind another's update has too little."""
    market = collecting(chain, tmp_path)
    monkeypatch.setattr(sender, "span", lambda *_call: None)
    chain.shows_waiting = True
    before = len(chain.played)
    look_until(chain, market, SELLING, lambda: not market.job().sample & ~market.job().posted)
    posts = [each for step, each in named(market, chain.played[before:])]
    assert any(not each.succeeded for each in posts)
    assert sorted(market.contracts.jobs.updates(1, 1)) == [
        index for index in range(len(SELLERS)) if market.job().sample >> index & 1
    ]


def collecting(chain: Orders, folder: Path) -> World:
    """A market with a job that waits for its first updates; everybody registered side by side."""
    market = made_on(chain, folder)
    chain.act(*(partial(market.offer, number) for number in range(len(SELLERS))))
    chain.act(*(market.node(number).join for number in range(len(NODES))))
    chain.act(lambda: market.open(RULES._replace(rounds=1), terms=SHORT_AUCTION))
    look_until(chain, market, ["buyer 1"], lambda: bool(market.auction().highest_bid))
    chain.mine(SHORT_AUCTION.window_blocks)
    look_until(chain, market, ["buyer 1"], lambda: is_collecting(market))
    return market


def made_on(chain: Orders, folder: Path) -> World:
    """A market in which nobody is yet."""
    made: list[World] = []
    chain.act(lambda: made.append(world_on(chain, folder, RANDOM_SEED)))  # type: ignore[arg-type]
    return made[0]


def is_collecting(market: World) -> bool:
    return market.contracts.jobs.count() == 1 and market.job().state == JobState.COLLECTING


def look_until(
    chain: Orders, market: World, names: Sequence[str], done: Callable[[], bool]
) -> None:
    """Have parties look beside each other, block after block, until `done()`."""
    makers = market.makers()
    parties = [makers[name]() for name in names]
    for _look in range(MOST_LOOKS):
        if done():
            return
        chain.act(*(partial(look, party) for party in parties))
        chain.mine()
    raise AssertionError("the market stood still")


def look(party: Party) -> None:
    party.poll_jobs(party.chain.block_number())


def named(market: World, played: Sequence[Played]) -> list[tuple[str, Played]]:
    """Each transaction with its step, "Contract.function"."""
    chain = market.chain(0)
    steps: dict[tuple[str, bytes], str] = {}
    for name, address in chain.deployment.contracts.items():
        functions: list[Any] = [
            each for each in chain.contract(name).abi if each["type"] == "function"
        ]
        for each in functions:
            selector = function_signature_to_4byte_selector(abi_to_signature(each))
            steps[address.lower(), selector] = f"{name}.{each['name']}"
    return [(steps.get((each.to.lower(), each.selector), each.to), each) for each in played]
