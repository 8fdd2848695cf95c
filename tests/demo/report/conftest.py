"""A made-up but realistic run, as the orchestrator's plain dictionary."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

ETHER = 10**18
STAKE = ETHER
BOND = ETHER // 10
TARGET = 0.9
SELLERS = 12
UNMATCHED = 2
NODES = 10
BYZANTINE_SHARE = 0.3
BETA = 1e-3
SAMPLE_SIZE = 5
BASE = 2
ACCURACIES = (187, 251, 288, 307, 319, 328)
DENOMINATOR = 360
POISONERS = {3: "sign_flip", 8: "label_flip"}
BYZANTINE_NODES = {2: "random", 5: "stale", 7: "copier"}

Facts = dict[str, Any]


def address(kind: int, number: int) -> str:
    """An address told apart by its digits; no letters, so its checksummed form is the same."""
    return f"0x{kind}{number:03d}{7 * number + kind:032d}{number:04d}"


def digest(*parts: object) -> str:
    return f"0x{random.Random(repr(parts)).getrandbits(256):064x}"


def seller(number: int) -> str:
    return address(1, number)


def node(number: int) -> str:
    return address(2, number)


def buyer(number: int) -> str:
    return address(3, number)


@pytest.fixture
def facts() -> Facts:
    return sample()


@pytest.fixture
def sealed_facts() -> Facts:
    return sealed_sample()


@pytest.fixture
def failed_facts() -> Facts:
    return failed_sample()


def sample() -> Facts:
    """A job that reaches its target in six rounds, with five Byzantine parties."""
    draw = random.Random(7)
    probabilities = [1 / SELLERS] * SELLERS
    rounds = []
    for number, correct in enumerate(ACCURACIES, start=1):
        sampled = draw.choices(range(SELLERS), probabilities, k=SAMPLE_SIZE)
        updates = [_update(number, index, draw) for index in sorted(set(sampled))]
        probabilities = _next(probabilities, updates)
        rounds.append(_round(number, correct, sampled, updates, probabilities, draw))
    facts = _frame()
    price = facts["auction"]["price_wei"]
    facts["rounds"] = rounds
    facts["slashes"] = _slashes(rounds)
    facts["offences"] = len(facts["slashes"])
    slashed = sum(slash["wei"] for slash in facts["slashes"])
    facts["payouts_wei"], facts["nodes"] = _settlement(price, slashed, rounds, facts["slashes"])
    paid = sum(payout["wei"] for payout in facts["payouts_wei"].values())
    refunds = sum(facts["refunds_wei"].values())
    facts["stakes_wei"]["ConePool"] -= slashed
    facts["contract_balances_wei"]["ConePool"] -= slashed
    held = sum(facts["stakes_wei"].values())
    facts["conservation"] = {
        "paid_in_wei": price + refunds + NODES * STAKE + SELLERS * BOND,
        "paid_out_wei": paid + refunds,
        "held_wei": held,
        "holds": paid == price + slashed,
    }
    return facts


def sealed_sample() -> Facts:
    """The same job won in a sealed second-price auction in which one bidder never reveals."""
    facts = sample()
    auction = facts["auction"]
    amounts = {buyer(2): 10 * ETHER, buyer(0): None, buyer(1): 10 * ETHER + 1}
    outcomes = {buyer(2): "outbid", buyer(0): "not revealed", buyer(1): "wins"}
    auction.update(kind="sealed-second", price_wei=9 * ETHER, forfeits_wei=ETHER + 1)
    auction["bids"] = [
        {
            "bidder": bidder,
            "wei": amount,
            "deposit_wei": 16 * ETHER if amount else 5 * ETHER + 5,
            "tier": 4,
            "forfeited_wei": 0 if amount else ETHER + 1,
            "block": 30 + place,
            "outcome": outcomes[bidder],
        }
        for place, (bidder, amount) in enumerate(amounts.items())
    ]
    return facts


def failed_sample() -> Facts:
    """A job whose first round accepts nothing: the buyer gets its money back."""
    facts = sample()
    first = facts["rounds"][0]
    for key in ("accuracy", "numerator", "denominator", "digest", "opened_by"):
        first[key] = None
    first["probabilities"] = {}
    first["mini_rounds"] = [
        {
            **mini,
            "accepted": False,
            "certain": False,
            "score": 0.4 if mini["mini_round"] == 1 else None,
            "voters": [{**voter, "conduct": "unjudged"} for voter in mini["voters"]],
        }
        for mini in first["mini_rounds"]
    ]
    facts["rounds"] = [first]
    price = facts["auction"]["price_wei"]
    facts["refunds_wei"][facts["auction"]["winner"]] = price
    facts["payouts_wei"] = {
        party: {**payout, "wei": 0, "why": "no round was accepted"}
        for party, payout in facts["payouts_wei"].items()
    }
    nothing = dict.fromkeys(facts["nodes"][node(0)], 0)
    facts["nodes"] = {party: {**nothing, "stake_left_wei": STAKE} for party in facts["nodes"]}
    for amounts in (facts["stakes_wei"], facts["contract_balances_wei"]):
        amounts["ConePool"] = NODES * STAKE
    sums = facts["conservation"]
    sums["held_wei"] = sum(facts["stakes_wei"].values())
    sums["paid_out_wei"] = sums["paid_in_wei"] - sums["held_wei"]
    facts.update(
        offences=0,
        slashes=[],
        outcome="failed: round 1 accepted no result",
        final_accuracy=None,
        delivered_accuracy=None,
        delivery=None,
    )
    return facts


def _update(number: int, index: int, draw: random.Random) -> Facts:
    behaviour = POISONERS.get(index, "honest")
    kept = behaviour == "honest"
    utility = draw.uniform(0.02, 0.3) / number if kept else -draw.uniform(0.05, 0.4)
    reason = "kept" if kept else "harmful: utility below zero"
    return {
        "seller": seller(index),
        "index": index,
        "behaviour": behaviour,
        "kept": kept,
        "reason": reason,
        "utility": round(utility, 4),
    }


def _next(probabilities: list[float], updates: list[Facts]) -> list[float]:
    weights = list(probabilities)
    for update in updates:
        weights[update["index"]] *= math.exp(2 * update["utility"])
    total = sum(weights)
    return [weight / total for weight in weights]


def _round(
    number: int,
    correct: int,
    sampled: list[int],
    updates: list[Facts],
    probabilities: list[float],
    draw: random.Random,
) -> Facts:
    true = digest("round", number)
    return {
        "round": number,
        "accuracy": correct / DENOMINATOR,
        "numerator": correct,
        "denominator": DENOMINATOR,
        "sampled": [seller(index) for index in sampled],
        "digest": true,
        "opened_by": node(draw.randrange(2)),
        "updates": updates,
        "probabilities": {seller(i): p for i, p in enumerate(probabilities)},
        "mini_rounds": _mini_rounds(number, true, draw),
    }


def _mini_rounds(number: int, true: str, draw: random.Random) -> list[Facts]:
    order = draw.sample(range(NODES), NODES)
    threshold = math.log((1 - BETA) / BETA)
    minis: list[Facts] = []
    tally: dict[str, int] = {}
    while order:
        size = BASE + 2 ** len(minis)
        asked, order = order[:size], order[size:]
        voters = [_voter(number, len(minis) + 1, member, true) for member in asked]
        votes: dict[str, int] = {}
        for voter in voters:
            votes[voter["digest"]] = votes.get(voter["digest"], 0) + 1
            tally[voter["digest"]] = tally.get(voter["digest"], 0) + 1
        ranked = sorted(tally.items(), key=lambda vote: -vote[1])
        runner_up = ranked[1][1] if len(ranked) > 1 else 0
        score = _score(ranked[0][1], runner_up)
        certain = ranked[0][1] > NODES * BYZANTINE_SHARE
        accepted = certain or (score is not None and score >= threshold)
        minis.append(
            {
                "mini_round": len(minis) + 1,
                "asked": len(asked),
                "committed": len(asked),
                "revealed": len(asked),
                "votes": votes,
                "voters": voters,
                "leader": ranked[0][0],
                "leader_votes": ranked[0][1],
                "runner_up_votes": runner_up,
                "score": score,
                "threshold": threshold,
                "certain": certain,
                "accepted": accepted,
            }
        )
        if accepted:
            break
    return minis


def _score(leader: int, runner_up: int) -> float | None:
    """ln L_A - ln L_B of the pool; None once B can no longer be the true result."""
    bad = round(NODES * BYZANTINE_SHARE)
    good, votes = NODES - bad, leader + runner_up
    rival = math.comb(good, runner_up) * math.comb(bad, votes - runner_up)
    own = math.comb(good, leader) * math.comb(bad, votes - leader)
    return math.log(own / rival) if own and rival else None


def _voter(number: int, mini_round: int, member: int, true: str) -> Facts:
    behaviour = BYZANTINE_NODES.get(member, "honest")
    said = {
        "honest": true,
        "copier": true if mini_round > 1 else digest("round", number - 1),
        "random": digest("random", number),
        "stale": digest("round", number - 1),
    }[behaviour]
    right = "right" if behaviour == "honest" else "wrong audit"
    conduct = right if said == true else "lost result"
    return {"node": node(member), "behaviour": behaviour, "digest": said, "conduct": conduct}


def _slashes(rounds: list[Facts]) -> list[Facts]:
    left = dict.fromkeys(map(node, range(NODES)), STAKE)
    slashes = []
    for played, mini, voter in _votes(rounds):
        if voter["conduct"] == "right":
            continue
        penalty = STAKE // (2 if voter["conduct"] == "lost result" else 4)
        wei = min(penalty, left[voter["node"]])
        left[voter["node"]] -= wei
        slashes.append(
            {
                "node": voter["node"],
                "behaviour": voter["behaviour"],
                "round": played["round"],
                "mini_round": mini["mini_round"],
                "conduct": voter["conduct"],
                "wei": wei,
                "sender": node(0),
            }
        )
    return slashes


def _votes(rounds: list[Facts]) -> Iterator[tuple[Facts, Facts, Facts]]:
    for played in rounds:
        for mini in played["mini_rounds"]:
            for voter in mini["voters"]:
                yield played, mini, voter


def _settlement(
    price: int, slashed: int, rounds: list[Facts], slashes: list[Facts]
) -> tuple[Facts, Facts]:
    """What every party was paid and why, and every node's account."""
    earned = dict.fromkeys(range(SELLERS), 0.0)
    for played in rounds:
        for update in played["updates"]:
            earned[update["index"]] += update["utility"] if update["kept"] else 0.0
    sellers_pot = price * 7 // 10
    payouts = {}
    for index, wei in enumerate(_split(sellers_pot, list(earned.values()))):
        payouts[seller(index)] = {
            "role": "seller",
            "behaviour": POISONERS.get(index, "honest"),
            "wei": wei,
            "why": f"{100 * wei / sellers_pot:.1f} % of contributions",
        }
    conducts: dict[str, list[str]] = {node(member): [] for member in range(NODES)}
    for _, _, voter in _votes(rounds):
        conducts[voter["node"]].append(voter["conduct"])
    right = [float(each.count("right")) for each in conducts.values()]
    pays, shares = _split(price - sellers_pot, right), _split(slashed, right)
    accounts = {}
    for member, (pay, share) in enumerate(zip(pays, shares, strict=True)):
        lost = sum(slash["wei"] for slash in slashes if slash["node"] == node(member))
        accounts[node(member)] = {
            "asked": len(conducts[node(member)]),
            "right_votes": int(right[member]),
            "paid_votes": int(right[member]),
            "pay_wei": pay,
            "slash_share_wei": share,
            "slashed_wei": lost,
            "stake_left_wei": STAKE - lost,
        }
        payouts[node(member)] = {
            "role": "cone",
            "behaviour": BYZANTINE_NODES.get(member, "honest"),
            "wei": pay + share,
            "why": f"{int(right[member])} of {len(conducts[node(member)])} votes right",
        }
    return payouts, accounts


def _split(pot: int, weights: list[float]) -> list[int]:
    total = sum(weights)
    edges = [int(pot * sum(weights[:i]) / total) for i in range(len(weights))] + [pot]
    return [end - start for start, end in pairwise(edges)]


def _frame() -> Facts:
    bids = {buyer(0): 6 * ETHER, buyer(1): 10 * ETHER + 1, buyer(2): 8 * ETHER}
    bound = {"ConePool": NODES * STAKE, "SellerRegistry": SELLERS * BOND}
    gas = {"register seller": 121_004, "bid": 61_870, "commit": 71_233, "reveal": 89_450}
    return {
        "target": TARGET,
        "final_accuracy": ACCURACIES[-1] / DENOMINATOR,
        "delivered_accuracy": ACCURACIES[-1] / DENOMINATOR,
        "outcome": "target reached",
        "seed": 1,
        "options": {"sellers": SELLERS, "nodes": NODES, "dataset": "digits", "rounds": 10},
        "chain": {
            "client": "anvil/v1.7.1",
            "chain_id": 31337,
            "block_seconds": 0.25,
            "blocks": 412,
        },
        "seconds": 95.2,
        "seconds_by_phase": {"deploy": 6.1, "auction": 9.0, "rounds": 71.4, "settlement": 8.7},
        "auction": {
            "kind": "open",
            "tag": "digits",
            "opener": buyer(0),
            "winner": buyer(1),
            "price_wei": bids[buyer(1)],
            "forfeits_wei": 0,
            "bids": [
                _open_bid(buyer(0), 5 * ETHER, 31),
                _open_bid(buyer(2), bids[buyer(2)], 33),
                _open_bid(buyer(0), bids[buyer(0)], 34),
                _open_bid(buyer(1), bids[buyer(1)], 36, "wins"),
            ],
            "matched": [seller(index) for index in range(SELLERS)],
            "unmatched": [seller(SELLERS + index) for index in range(UNMATCHED)],
        },
        "bids_wei": bids,
        "refunds_wei": {buyer(0): bids[buyer(0)], buyer(2): bids[buyer(2)]},
        "rounds": [],
        "payouts_wei": {},
        "contract_balances_wei": {"Escrow": 0, **bound, "AuctionHouse": 0},
        "stakes_wei": dict(bound),
        "escrow_owes_wei": {"unsettled prices": 0, "slash pots": 0, "credits": 0},
        "conservation": {},
        "gas": {
            step: {"count": 12, "mean": used - 0.5, "max": used, "total": 12 * used - 6}
            for step, used in gas.items()
        },
        "delivery": {
            "model_cid": "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
            "model_hash": digest("model"),
            "hash_matches": True,
        },
        "artifacts": {"JSON": "build/market/report.json", "page": "build/market/report.html"},
    }


def _open_bid(bidder: str, wei: int, block: int, outcome: str = "outbid") -> Facts:
    return {
        "bidder": bidder,
        "wei": wei,
        "deposit_wei": wei,
        "tier": None,
        "forfeited_wei": 0,
        "block": block,
        "outcome": outcome,
    }
