"""A person is shown, asked and told of each transaction, on a real chain."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
import structlog
from web3.types import RPCEndpoint

from d2m.chain.contracts.market import Market
from d2m.chain.errors import Declined, NotEnoughEther
from d2m.chain.gas import MAINNET, SEPOLIA, dearest, span
from d2m.chain.sender import TRANSFER_GAS
from d2m.cli.commands.buyer import serve_buyer, serve_keys
from d2m.cli.commands.cone import serve_cone
from d2m.cli.confirmation import Confirmation, Mode, mined_lines
from d2m.cli.costs import CONE, OPEN_BID, OPENER, SEALED_BID, seller_occasions
from d2m.cli.estimates import estimate_bid, estimate_cone, estimate_keys, estimate_seller
from d2m.cli.formatting import plain, shown
from d2m.cli.options.buyer import Bidding
from d2m.cli.options.common import Place, Serving
from d2m.cli.session import Session, connect, one_line_errors
from d2m.parties.logs import log_as_json
from d2m.parties.seller import offers
from d2m.protocol.amounts import shown_amount
from d2m.protocol.types import ETHER, AuctionState
from d2m.store.choice import NODE_VARIABLE
from d2m.store.errors import StoreError
from tests.support.world import BOND, STAKE, TERMS, World, world

KEY = bytes(range(32))
ASKS = Mode()
ONWARDS, NO_JOB = Serving(None, None, (), None, 0, None), Serving(None, None, (), 0, 0, None)
Open = Callable[..., Session]


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("wallet")) as found:
        yield found


@pytest.fixture
def session(market: World, tmp_path: Path) -> Open:
    """A session of an account in some mode."""
    record = tmp_path / "deployment.json"
    market.record.write(record)

    def make(account: int, mode: Mode) -> Session:
        signer = market.signer(account)
        store = market.folder / "store"
        place = Place(record, store, None)
        return connect(market.anvil.url, place, signer, confirmation=Confirmation(mode))

    return make


def say(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{each}\n" for each in answers)))


def offer(session: Session, tag: str = "digits") -> int:
    return offers.ensure_offered(session.market, session.store, [tag], tag.encode(), KEY)


def sent(session: Session) -> int:
    """Transactions of the account."""
    return session.chain.w3.eth.get_transaction_count(session.chain.address, "pending")


def objects(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines()]


def test_a_transaction_is_shown_asked_for_and_reported(
    session: Open, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asking = session(3, ASKS)
    say(monkeypatch, "n")
    with pytest.raises(Declined, match="nothing was signed"):
        offer(asking)
    assert sent(asking) == 0
    preview = capsys.readouterr().out
    assert preview.startswith("SellerRegistry.offer\n")
    assert f"value        {shown_amount(BOND)}" in preview
    for row in ("tags         [digits]", "gas          about ", "fee now      ", "fee at most  "):
        assert row in preview
    say(monkeypatch, "y")
    offer_id = offer(asking)
    done = capsys.readouterr().out.split("Sign and send?")[1]
    assert "SellerRegistry.offer mined: block " in done
    assert f"SellerRegistry.Offered(offerId={offer_id}, seller={asking.chain.address}" in done


def test_a_dry_run_shows_and_sends_nothing(
    session: Open, capsys: pytest.CaptureFixture[str]
) -> None:
    dry = session(4, Mode(dry_run=True))
    with pytest.raises(SystemExit) as ended:
        offer(dry)
    assert ended.value.code == 0
    assert "fee at most" in capsys.readouterr().out
    assert sent(dry) == 0


def test_serving_shows_its_costs_and_asks_once(
    market: World,
    session: Open,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asking = session(20, ASKS)
    say(monkeypatch, "n")
    with pytest.raises(Declined):
        serve_cone(asking, ONWARDS)
    assert sent(asking) == 0
    said = capsys.readouterr().out
    assert f"binds a stake, of which a slashed part is lost: {shown_amount(STAKE)}" in said
    slashing = dearest(MAINNET, "ConePool.slash: 1 offence")
    assert f"each offence of others that it punishes: {slashing} gas" in said
    say(monkeypatch, "y")  # one answer, for two transactions
    serve_cone(asking, NO_JOB)
    offer(asking)
    printed = capsys.readouterr().out
    assert printed.count("?") == 1
    assert "ConePool.join" in printed
    assert estimate_cone(asking.market).amount == 0  # it has its stake


def test_a_dry_run_of_serving_shows_the_first_transaction(
    session: Open, capsys: pytest.CaptureFixture[str]
) -> None:
    dry = session(21, Mode(dry_run=True, as_json=True))
    with pytest.raises(SystemExit):
        serve_cone(dry, ONWARDS)
    plan, preview = objects(capsys.readouterr().out)
    assert plan["binds"] == {
        "what": "a stake, of which a slashed part is lost",
        "amount": str(STAKE),
        "token": ETHER,
    }
    assert (preview["type"], preview["step"]) == ("preview", "ConePool.join")
    assert preview["value"] == str(STAKE)
    assert int(preview["fee_now"]) < int(preview["fee_most"])
    assert sent(dry) == 0
    serve_cone(session(21, Mode(yes=True)), NO_JOB)
    capsys.readouterr()
    serve_cone(dry, ONWARDS)  # seated: it looks once and has nothing to do
    assert objects(capsys.readouterr().out)[-1] == {"type": "answer", "would_send": []}


def test_a_dry_run_of_a_bid_ends_in_the_middle_of_a_look(
    market: World, session: Open, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    market.open()
    dry = session(2, Mode(dry_run=True))
    key = bytes(dry.key.public_key)
    market.chain(2).send(dry.market.key_rings.functions.register(key))
    bid = Bidding(market.auction_id, 2 * STAKE, False, tmp_path, 0, None, None)
    with pytest.raises(SystemExit):
        serve_buyer(dry, bid)
    said = capsys.readouterr().out
    assert f"binds bids, at most: {shown_amount(2 * STAKE)}" in said
    assert "AuctionHouse.bid\n" in said
    assert f"amount       {shown_amount(STAKE)}" in said  # paid in ether: its unit is known
    assert market.auction().state == AuctionState.OPEN
    assert not market.auction().highest_bid


def test_machines_get_one_object_for_each_transaction_and_error(
    session: Open, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(structlog.reset_defaults)
    log_as_json(output=sys.stderr)
    machine = session(5, Mode(yes=True, as_json=True))
    offer_id = offer(machine, "music")
    offers.pause(machine.market, offer_id)
    made, paused = objects(capsys.readouterr().out)
    assert (made["step"], made["succeeded"]) == ("SellerRegistry.offer", True)
    assert made["events"][0]["name"] == "Offered"
    assert made["events"][0]["arguments"]["offerId"] == str(offer_id)
    assert int(made["fee"]) > 0
    assert paused["events"][0]["name"] == "OfferPaused"
    with pytest.raises(click.ClickException), one_line_errors(machine.confirmation):
        offers.pause(machine.market, offer_id)
    (error,) = objects(capsys.readouterr().out)
    assert (error["type"], error["error"]) == ("error", "AlreadySo")
    assert error["step"] == "SellerRegistry.pause"


def test_without_a_terminal_nothing_is_signed(session: Open) -> None:
    nobody = session(6, Mode(terminal=False))
    with pytest.raises(Declined, match="--yes"):
        offer(nobody)
    assert sent(nobody) == 0


def test_who_needs_content_is_told_to_name_a_store_before_it_is_asked(
    market: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(NODE_VARIABLE, raising=False)
    record = tmp_path / "deployment.json"
    market.record.write(record)
    asked: list[object] = []
    monkeypatch.setattr(Confirmation, "confirm", lambda *_: asked.append(1))
    confirmation, place = Confirmation(ASKS), Place(record, None, None)
    nowhere = connect(market.anvil.url, place, market.signer(7), confirmation=confirmation)
    bid = Bidding(1, STAKE, False, tmp_path, 0, None, None)
    for serve in (
        lambda: serve_cone(nowhere, ONWARDS),
        lambda: serve_buyer(nowhere, bid),
        lambda: serve_keys(nowhere, 1, 0),
    ):
        with pytest.raises(StoreError, match="no store is named"):
            serve()
    assert asked == []
    assert offers.standing_offers(nowhere.market) == {}  # this needs none


def test_what_a_bid_binds(market: World, session: Open) -> None:
    contracts = session(2, ASKS).market
    sealed = TERMS._replace(kind=1, reveal_blocks=20, increment_bps=0)
    request = contracts.auctions.request(market.auction_id)
    auction_id = session(1, Mode(yes=True)).market.auctions.open(request, sealed)
    deposit = estimate_bid(contracts, auction_id, 3 * STAKE, larger_deposit=False)
    assert (deposit.amount, deposit.occasions) == (4 * STAKE, SEALED_BID)
    assert estimate_bid(contracts, auction_id, 3 * STAKE, larger_deposit=True).amount == 8 * STAKE
    assert estimate_bid(contracts, auction_id, STAKE - 1, larger_deposit=False).amount == 0
    assert estimate_keys(contracts, auction_id).amount == 0
    assert estimate_seller(contracts, None, 1).amount == BOND
    assert estimate_seller(contracts, 1, 1).amount == 0


def test_an_account_that_cannot_pay_for_the_dearest_form_tries_the_estimate(
    market: World,
) -> None:
    chain = market.chain(9)
    register = Market(chain).key_rings.functions.register(KEY)
    market.mine_to(chain.block_number() + 200)  # the base fee falls to nothing
    estimate = register.estimate_gas({"from": chain.address})
    form = span(MAINNET, "KeyRings.register", {})
    assert form is not None
    enough, wanted = estimate * 125 // 100, form.limit(estimate)
    assert enough < wanted - 2000
    wei = chain.price().most(wanted - 1000)
    chain.w3.provider.make_request(RPCEndpoint("anvil_setBalance"), [chain.address, hex(wei)])
    receipt = chain.send(register)
    assert chain.w3.eth.get_transaction(receipt.raw["transactionHash"])["gas"] == enough
    nothing = [chain.address, hex(chain.price().most(TRANSFER_GAS))]
    chain.w3.provider.make_request(RPCEndpoint("anvil_setBalance"), nothing)
    with pytest.raises(NotEnoughEther):
        chain.send(register)


# --- without a chain


@pytest.mark.parametrize("rules", [MAINNET, SEPOLIA])
def test_the_gas_of_plans_is_what_was_measured(rules: str) -> None:
    sellers = [seller_occasions(tags, has_offer=bool(tags % 2)) for tags in range(1, 9)]
    for plan in (CONE, OPEN_BID, OPENER, SEALED_BID, *sellers):
        for calls in plan.values():
            assert all(dearest(rules, call) > 21_000 for call in calls)


def test_amounts_are_shown_in_both_units() -> None:
    assert shown_amount(5 * 10**17) == "0.5 ether (500000000000000000 wei)"
    assert shown_amount(0) == "0 ether (0 wei)"
    assert shown_amount(1) == "0.000000000000000001 ether (1 wei)"
    whole = 123456789012345678901234567890123456789
    assert shown_amount(whole) == f"123456789012345678901.234567890123456789 ether ({whole} wei)"
    assert shown_amount(7, "0xAb") == "7 (smallest units of token 0xAb)"
    assert shown_amount(7, None) == "7 (smallest units of its token)"


def test_the_token_of_an_event_is_found_in_its_structs() -> None:
    receipt: Any = SimpleNamespace(
        step="AuctionHouse.open", succeeded=True, block=1, gas_used=2, fee=3
    )
    opened: Any = {"event": "AuctionOpened", "args": {"auctionId": 1, "terms": TERMS}}
    assert "reserve=1 ether (" in mined_lines(receipt, [("AuctionHouse", opened)])[1]


def test_arguments_in_short_and_in_full() -> None:
    assert (
        shown("tags", [b"digits".ljust(32, b"\0")] * 4, None)
        == "[digits, digits, digits, … 4 in all]"
    )
    assert shown("key", bytes(range(128, 160)), None) == "0x8081828384858687…"
    assert shown("terms", TERMS, ETHER).count("reserve=1 ether (1000000000000000000 wei)") == 1
    assert shown("token", ETHER, None) == "ether"
    assert shown("slashed", 1, "0xAb").endswith("(1 wei)")
    assert plain({}) == {}
    assert plain({"a": 1, "b": b"\1", "c": [True, None]}) == {
        "a": "1",
        "b": "0x01",
        "c": [True, None],
    }
