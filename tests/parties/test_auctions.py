"""Buyers in sealed auctions and with tokens, on a real chain."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from d2m.chain.contracts.market import Market
from d2m.chain.errors import Reverted
from d2m.chain.remedies import explained
from d2m.errors import PartyError
from d2m.parties.buyer.buyer import Buyer
from d2m.protocol.constants import MAX_TIER
from d2m.protocol.sealed_bids import bid_salt, sealed_commitment, tier_for
from d2m.protocol.types import ETHER, AuctionKind, AuctionState, JobState, Terms
from tests.support.world import BUYERS, RULES, STAKE, World, world

SEALED = Terms(AuctionKind.SEALED_SECOND_PRICE, ETHER, 400, 400, 0, reserve=STAKE)
OPEN = Terms(AuctionKind.OPEN, ETHER, 1000, 0, 1000, reserve=STAKE)
FORFEIT_BPS = 2000


@pytest.fixture
def market(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as found:
        found.register()
        yield found


def is_decided(market: World) -> bool:
    return market.auction().state != AuctionState.OPEN


def won(market: World) -> dict[str, Any]:
    logs = market.chain(0).logs("AuctionHouse", "AuctionWon")
    return dict(logs[0]["args"])


def test_the_smallest_deposit_that_covers_a_bid() -> None:
    reserve = 100
    assert [tier_for(bid, reserve, ETHER) for bid in (100, 101, 200, 201, 400)] == [0, 1, 1, 2, 2]
    assert tier_for(401, reserve, ETHER) == 3
    assert tier_for(100, reserve, ETHER, larger=True) == 1
    assert tier_for(reserve << MAX_TIER, reserve, ETHER, larger=True) == MAX_TIER
    with pytest.raises(
        PartyError, match=rf"at most 0\.0+104\d+ ether \({reserve << MAX_TIER} wei\)"
    ):
        tier_for((reserve << MAX_TIER) + 1, reserve, ETHER)


def test_a_salt_differs_from_auction_to_auction() -> None:
    secret = keccak(b"secret")
    assert bid_salt(secret, 1) == bid_salt(secret, 1)
    assert len({bid_salt(secret, 1), bid_salt(secret, 2), bid_salt(keccak(secret), 1)}) == 3


def test_a_commitment_is_what_the_contract_computes(market: World) -> None:
    house, chain = market.contracts.auctions, market.chain(0)
    place = (chain.address, 3, 7, keccak(b"salt"))
    expected = chain.call(house.functions.sealedCommitment(*place))
    assert sealed_commitment(market.anvil.chain_id, house.address, *place) == expected


@pytest.mark.parametrize(
    ("kind", "price"),
    [(AuctionKind.SEALED_FIRST_PRICE, 3 * STAKE), (AuctionKind.SEALED_SECOND_PRICE, 2 * STAKE)],
)
def test_sealed_bids_are_revealed_after_a_restart_and_the_auction_ends_early(
    market: World, kind: AuctionKind, price: int
) -> None:
    market.open(terms=SEALED._replace(kind=kind))
    market.seal(reborn=True)
    market.look_until(lambda: is_decided(market), BUYERS, reborn=True)
    auction = market.auction()
    assert auction.state == AuctionState.WON
    assert won(market)["winner"] == market.signer(2).address
    assert (won(market)["price"], won(market)["forfeits"]) == (price, 0)
    assert market.chain(0).block_number() < auction.latest_block

    # It opened the auction, so it stays until it has handed out the job's key.
    market.look_until(lambda: market.parties["buyer 0"].is_out, ["buyer 0"])
    assert len(market.contracts.key_rings.rings(1)) == 1
    loser = market.parties["buyer 0"]
    # Deposits: 2 STAKE by the loser, 4 STAKE by the winner, of which it may have its change.
    assert market.contracts.lens.credits(loser.chain.address, [ETHER]) == [0]
    assert market.contracts.lens.credits(market.signer(2).address, [ETHER]) == [4 * STAKE - price]


def test_a_bid_that_is_not_revealed_loses_a_part_and_gets_back_the_rest(market: World) -> None:
    market.open(terms=SEALED)
    market.seal()
    market.look_until(lambda: market.auction().revealed_bids == 1, ["buyer 0"])
    market.mine_to(market.auction().latest_block)
    market.look_until(lambda: is_decided(market), ["buyer 0"])
    deposit = 4 * STAKE
    forfeited = deposit * FORFEIT_BPS // 10_000
    assert (won(market)["price"], won(market)["forfeits"]) == (STAKE, forfeited)

    late = market.buyer(1)
    late.poll_jobs(late.chain.block_number())
    assert late.is_out
    logs = market.chain(0).logs(
        "Escrow", "Withdrawn", argument_filters={"account": late.chain.address}
    )
    assert [log["args"]["amount"] for log in logs] == [deposit - forfeited]


def test_a_larger_deposit_hides_more(market: World) -> None:
    market.open(terms=SEALED)
    buyer = market.buyer(0, larger_deposit=True)
    buyer.poll_jobs(buyer.chain.block_number())
    assert market.contracts.auctions.sealed_bid(1, buyer.chain.address).deposit == 4 * STAKE


def test_a_bid_below_the_reserve_is_not_made(market: World) -> None:
    market.open(terms=SEALED)
    buyer = market.buyer(0, limit=STAKE - 1)
    buyer.poll_jobs(buyer.chain.block_number())
    assert market.auction().sealed_bids == 0


def test_another_limit_after_a_restart_is_said_in_time(market: World) -> None:
    market.open(terms=SEALED)
    buyer = market.buyer(0)
    buyer.poll_jobs(buyer.chain.block_number())
    market.mine_to(market.auction().close_block)
    changed = market.buyer(0, limit=5 * STAKE)
    with pytest.raises(PartyError, match="made with another limit"):
        changed.poll_jobs(changed.chain.block_number())


def test_an_auction_that_can_never_be(market: World) -> None:
    with pytest.raises(PartyError, match="no auction 0: they are counted from 1"):
        market.buyer(0)


def test_cancelling_before_and_after_the_first_bid(market: World) -> None:
    contracts = Market(market.chain(1))
    market.open()
    contracts.auctions.cancel(market.auction_id)
    assert market.auction().state == AuctionState.CANCELLED
    buyer = market.buyer(1)
    buyer.poll_jobs(buyer.chain.block_number())
    assert buyer.is_out

    market.open()
    buyer = market.buyer(1)
    buyer.poll_jobs(buyer.chain.block_number())
    with pytest.raises(Reverted) as refused:
        contracts.auctions.cancel(market.auction_id)
    assert "before anybody has bid" in explained(refused.value)


# --- tokens


def allowance(market: World, token: str, account: int) -> int:
    function = market.tokens[token].functions.allowance
    escrow = market.deployment.contracts["Escrow"]
    return int(market.chain(0).call(function(market.signer(account).address, escrow)))


def test_open_bids_in_a_token_approve_no_more_than_they_are(market: World) -> None:
    token = market.token("PlainToken", holders=(1, 2))
    market.open(RULES._replace(update_blocks=5), terms=OPEN._replace(token=token))
    market.play(BUYERS)
    price = market.auction().highest_bid
    assert market.job().state == JobState.FAILED
    assert price > STAKE
    # No seller answered, so both have all back, and nothing is left that could be taken.
    assert [market.holdings(token, account) for account in (1, 2)] == [10 * STAKE] * 2
    assert [allowance(market, token, account) for account in (1, 2)] == [0, 0]


def first_look(market: World, token: str, terms: Terms = OPEN) -> Buyer:
    market.open(terms=terms._replace(token=token))
    return market.buyer(0)


@pytest.mark.parametrize("terms", [OPEN, SEALED], ids=["open", "sealed"])
def test_a_token_that_takes_a_fee_is_refused(market: World, terms: Terms) -> None:
    buyer = first_look(market, market.token("FeeToken", holders=(1,)), terms)
    with pytest.raises(Reverted) as refused:
        buyer.poll_jobs(buyer.chain.block_number())
    assert "tokens that take a fee are refused" in explained(refused.value)


def test_a_token_that_says_false_is_refused(market: World) -> None:
    token = market.token("FalseToken", holders=(1,))
    market.chain(0).send(market.tokens[token].functions.stop(True))
    buyer = first_look(market, token)
    with pytest.raises(Reverted) as refused:
        buyer.poll_jobs(buyer.chain.block_number())
    assert "refused the transfer" in explained(refused.value)


def test_too_few_tokens_are_said_before_anything_is_sent(market: World) -> None:
    token = market.token("PlainToken", holders=(1,), amount=STAKE - 1)
    buyer = first_look(market, token)
    with pytest.raises(PartyError, match=f"holds {STAKE - 1} of token"):
        buyer.poll_jobs(buyer.chain.block_number())
    assert allowance(market, token, 1) == 0


def test_a_token_that_stops_later_stops_no_party(market: World) -> None:
    token = market.token("FalseToken", holders=(2,))
    market.open(RULES._replace(update_blocks=5), terms=OPEN._replace(token=token))
    market.look_until(lambda: is_decided(market), ["buyer 1"])
    market.chain(0).send(market.tokens[token].functions.stop(True))
    market.look_until(lambda: market.parties["buyer 1"].jobs_ended == 1, ["buyer 1"])
    assert market.contracts.lens.credits(market.signer(2).address, [token]) == [STAKE]

    market.chain(0).send(market.tokens[token].functions.stop(False))
    assert Market(market.chain(2)).escrow.withdraw(token) == STAKE
