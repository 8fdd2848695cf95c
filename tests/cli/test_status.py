"""The market as `status` tells it, before, during and after a job."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from d2m.chain.contracts import lens
from d2m.cli.estimates import estimate_bid
from d2m.cli.status import account_status, auction_status, job_status, market_status
from d2m.cli.tables import print_facts, print_market
from d2m.errors import PartyError
from d2m.incentives.auction import job_incentives
from d2m.incentives.formatting import headline
from d2m.protocol.types import ETHER
from tests.support.world import BOND, NODES, STAKE, TAG, World, world


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("status")) as found:
        yield found


def test_an_empty_market(market: World, capsys: pytest.CaptureFixture[str]) -> None:
    facts = market_status(market.contracts)
    assert (facts["jobs"], facts["auctions"]) == ([], [])
    print_market(facts)
    assert "no jobs" in capsys.readouterr().out
    with pytest.raises(PartyError, match="no job 1"):
        job_status(market.contracts, 1)
    with pytest.raises(PartyError, match="no auction 0"):
        auction_status(market.contracts, 0)
    nobody = account_status(market.contracts, market.signer(29).address)
    assert (nobody["seat"], nobody["stake"], nobody["offers"], nobody["credits"]) == (
        None,
        0,
        [],
        [],
    )


def test_a_market_with_a_job(
    market: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    market.register()
    seller = account_status(market.contracts, market.signer(10).address)
    assert [(each["state"], each["tags"], each["bond"]) for each in seller["offers"]] == [
        ("listed", [TAG], BOND)
    ]
    with pytest.raises(PartyError, match="there is no auction 1"):
        job_incentives(market.contracts, 1, STAKE)
    node = market.signer(20).address
    assert account_status(market.contracts, node)["stake"] == STAKE
    assert account_status(market.contracts, node)["seat"] is not None

    market.open()
    (auction,) = market_status(market.contracts)["auctions"]
    assert (auction["state"], auction["highest_bid"], auction["reserve"]) == ("open", None, STAKE)
    assert auction["blocks_left"] > 0
    whole = auction_status(market.contracts, market.auction_id)
    assert (whole["tag"], whole["rules"]["rounds"]) == (TAG, 2)

    incentives = job_incentives(market.contracts, market.auction_id, 3 * STAKE)
    assert (incentives.seats, incentives.stake_unit) == (len(NODES), STAKE)
    assert (incentives.price, incentives.rules.rounds) == (3 * STAKE, 2)
    plan = estimate_bid(market.contracts, market.auction_id, 3 * STAKE, larger_deposit=False)
    assert plan.lines()[-1].startswith(f"  at that price {headline(incentives)}")
    assert plan.as_json()["note"] == plan.note

    duties = watched_duties(market, node, monkeypatch)
    market.play()
    assert {"commit", "reveal"} <= duties

    facts = market_status(market.contracts)
    (job,) = facts["jobs"]
    assert (job["state"], job["accepted"], job["rounds"]) == ("settled", 2, 2)
    assert job["deadline"] is None
    assert facts["auctions"][0]["job"] == 1
    assert job_status(market.contracts, 1)["vote"]["nodes"] == len(NODES)
    print_market(facts)
    printed = capsys.readouterr().out
    assert "settled" in printed
    assert f"ether ({job['price']} wei)" in printed
    print_facts(account_status(market.contracts, node))
    printed = capsys.readouterr().out
    assert "stake          1 ether (1000000000000000000 wei)" in printed
    assert "duties         none" in printed


def watched_duties(market: World, node: Any, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The duties that a node is told of at each of its looks, one job a page."""
    monkeypatch.setattr(lens, "DUTIES_AT_ONCE", 1)
    seen: set[str] = set()
    make = market.node

    def watching(number: int) -> Any:
        party = make(number)
        act = party.act

        def noting(job_id: int, view: Any) -> None:
            seen.update(each["task"] for each in account_status(market.contracts, node)["duties"])
            act(job_id, view)

        if party.chain.address == node:
            party.act = noting  # type: ignore[method-assign]
        return party

    monkeypatch.setattr(market, "node", watching)
    return seen


def test_a_credit_is_told_by_its_token(market: World) -> None:
    """Of the loser of an auction, who is paid back to its credit."""
    auctions = market.contracts.auctions.functions
    market.open()
    loser, winner = market.chain(1), market.chain(2)
    loser.send(auctions.bid(market.auction_id, STAKE), value=STAKE)
    winner.send(auctions.bid(market.auction_id, 2 * STAKE), value=2 * STAKE)
    found = account_status(market.contracts, loser.address)
    assert found["credits"] == [{"token": ETHER, "amount": STAKE}]
    whole = auction_status(market.contracts, market.auction_id)
    assert (whole["leader"], whole["highest_bid"]) == (winner.address, 2 * STAKE)


def test_a_stranger_s_tag_does_not_steer_the_terminal(
    market: World, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = account_status(market.contracts, market.signer(10).address)
    facts["offers"][0]["tags"] = ["\x1b[2Jdigits"]
    print_facts(facts)
    job = market_status(market.contracts)["jobs"][0] | {"tag": "\x1b[2Jdigits"}
    print_market({"block": 1, "jobs": [job], "auctions": []})
    printed = capsys.readouterr().out
    assert printed.count("\ufffd[2Jdigits") == 2
    assert "\x1b" not in printed
