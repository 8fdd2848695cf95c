"""The whole path in miniature: from bid to withdrawal, with Byzantine parties, and its failures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from d2m.protocol.constants import BPS, CONE_BPS
from d2m.protocol.types import AuctionKind, Conduct, JobState, Terms
from d2m.store.fetch import content_hash
from tests.support.money import deposited, withdrawn
from tests.support.world import NODES, RULES, SELLERS, STAKE, WINDOW_BLOCKS, World, world


def slashes(market: World) -> list[tuple[str, Conduct, int]]:
    """Kind of the node, what it did, wei that it lost."""
    kinds = {market.signer(20 + number).address: kind for number, kind in enumerate(NODES)}
    logs = [log["args"] for log in market.chain(0).logs("ConePool", "NodeSlashed")]
    return [(kinds[each["node"]], Conduct(each["conduct"]), each["amount"]) for each in logs]


def balance(market: World, contract: str) -> int:
    return market.chain(0).balance(market.deployment.contracts[contract])


@pytest.mark.parametrize(
    "reborn",
    [False, pytest.param(True, marks=pytest.mark.slow)],
    ids=["steady", "restarted at every look"],
)
def test_a_job_from_bid_to_withdrawal(tmp_path: Path, reborn: bool) -> None:
    with world(tmp_path) as market:
        market.register()
        market.open()
        market.play(reborn=reborn)

        job, contracts = market.job(), market.contracts
        assert job.state == JobState.SETTLED
        assert job.accepted_rounds == RULES.rounds
        assert job.buyer == market.signer(2).address

        price = contracts.auctions.auction(1).highest_bid
        cone_pot = price * CONE_BPS // BPS
        slashed = sum(amount for _kind, _conduct, amount in slashes(market))
        sellers = [withdrawn(market, 10 + number) for number in range(len(SELLERS))]
        nodes = [withdrawn(market, 20 + number) for number in range(len(NODES))]
        assert sum(nodes) == cone_pot + slashed
        assert sum(sellers) == price - cone_pot
        assert sellers[SELLERS.index("sign_flip")] == 0
        assert nodes[NODES.index("random")] == nodes[NODES.index("copier")] == 0
        assert all(paid > 0 for paid, kind in zip(nodes, NODES, strict=True) if kind == "honest")
        assert balance(market, "Escrow") == balance(market, "AuctionHouse") == 0
        assert balance(market, "ConePool") == STAKE * len(NODES) - slashed
        assert {kind for kind, _conduct, _amount in slashes(market)} == {"random", "copier"}
        assert ("random", Conduct.LOST_RESULT, STAKE // 2) in slashes(market)
        # The copier copies the digest that won, and its audit gives it away.
        assert ("copier", Conduct.WRONG_AUDIT, STAKE // 4) in slashes(market)

        rounds = market.rounds(20)
        for number in range(1, RULES.rounds + 1):
            assert rounds.answer(1, number).result == contracts.jobs.result(1, number)
        delivery = json.loads((tmp_path / "delivered-1" / "delivery.json").read_text())
        last = contracts.jobs.result(1, RULES.rounds)
        assert delivery["hash_matches"]
        assert delivery["accuracy"] == last.metric_numerator / last.metric_denominator


def test_a_job_paid_in_a_token_after_a_sealed_auction(tmp_path: Path) -> None:
    with world(tmp_path) as market:
        market.register()
        token = market.token("PlainToken", holders=(1, 2))
        kind = AuctionKind.SEALED_SECOND_PRICE
        terms = Terms(
            kind, token, WINDOW_BLOCKS, reveal_blocks=WINDOW_BLOCKS, increment_bps=0, reserve=STAKE
        )
        market.open(RULES._replace(rounds=1), terms=terms)
        market.seal()
        market.play()

        assert market.job().state == JobState.SETTLED
        price = 2 * STAKE  # the second bid
        cone_pot = price * CONE_BPS // BPS
        slashed = sum(amount for _kind, _conduct, amount in slashes(market))
        nodes = range(20, 20 + len(NODES))
        assert slashed == STAKE // 2 + STAKE // 4
        assert sum(withdrawn(market, node) for node in nodes) == slashed
        assert sum(withdrawn(market, node, token) for node in nodes) == cone_pot
        sellers = range(10, 10 + len(SELLERS))
        assert sum(withdrawn(market, seller, token) for seller in sellers) == price - cone_pot
        # The winner's deposit of 4 STAKE came back but for the price, the loser's as a whole.
        held = [market.holdings(token, buyer) for buyer in (1, 2)]
        assert held == [10 * STAKE, 10 * STAKE - price]


@pytest.mark.slow  # half a minute and more: several jobs, or one played twice
def test_one_seed_gives_the_same_digests(tmp_path: Path) -> None:
    digests = []
    for name in ("first", "second"):
        with world(tmp_path / name) as market:
            market.register()
            market.open()
            market.play()
            contracts = market.contracts
            digests.append([contracts.yoda.verdict(1, r + 1).digest for r in range(RULES.rounds)])
    assert digests[0] == digests[1]
    assert bytes(32) not in digests[0]


def test_when_no_seller_answers_the_buyer_gets_everything_back(tmp_path: Path) -> None:
    with world(tmp_path) as market:
        market.register()
        market.open(RULES._replace(update_blocks=5))
        market.play(["buyer 0", "buyer 1"])
        assert market.job().state == JobState.FAILED
        assert withdrawn(market, 2) == deposited(market, 2)
        assert balance(market, "Escrow") == balance(market, "AuctionHouse") == 0


def test_when_no_node_answers_the_job_fails_after_the_redraw(tmp_path: Path) -> None:
    with world(tmp_path) as market:
        market.register()
        market.open(RULES._replace(commit_blocks=5, reveal_blocks=5))
        market.play(["buyer 0", "buyer 1", *(f"seller {n}" for n in range(len(SELLERS)))])
        assert market.job().state == JobState.FAILED
        opened = market.chain(0).logs("Yoda", "MiniRoundOpened")
        assert len({log["args"]["firstMiniRound"] for log in opened}) == 2
        assert withdrawn(market, 2) == deposited(market, 2)


@pytest.mark.parametrize("part", ["specification", "evaluation set"])
def test_a_buyer_that_posts_rubbish_fails_its_own_job_only(tmp_path: Path, part: str) -> None:
    with world(tmp_path) as market:
        market.register()
        cid = market.store.put(b"rubbish")
        hashed = content_hash(b"rubbish")
        rules = RULES._replace(update_blocks=40, commit_blocks=5, reveal_blocks=5)
        if part == "specification":
            market.open(rules, spec_hash=hashed, spec_cid=cid.binary)
        else:
            market.open(rules, evaluation_hash=hashed, evaluation_cid=cid.binary)
        market.play()
        assert market.job().state == JobState.FAILED
        assert withdrawn(market, 2) == deposited(market, 2)
