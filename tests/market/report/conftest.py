"""A made-up but realistic run, as the orchestrator's plain dictionary."""

from __future__ import annotations

import math
import random
from itertools import pairwise
from typing import Any

import pytest

ETHER = 10**18
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
    facts["payouts_wei"] = _payouts(price, rounds)
    paid = sum(payout["wei"] for payout in facts["payouts_wei"].values())
    refunds = sum(facts["refunds_wei"].values())
    stakes = facts["stakes_wei"]["ConePool"]
    facts["conservation"] = {
        "paid_in_wei": price + refunds + stakes,
        "paid_out_wei": paid + refunds,
        "held_wei": stakes,
        "holds": paid == price,
    }
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
            "voters": [{**voter, "right": None} for voter in mini["voters"]],
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
    facts["conservation"]["paid_out_wei"] = (
        facts["conservation"]["paid_in_wei"] - (facts["conservation"]["held_wei"])
    )
    facts.update(
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
        voters = [_voter(number, member, true) for member in asked]
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


def _voter(number: int, member: int, true: str) -> Facts:
    behaviour = BYZANTINE_NODES.get(member, "honest")
    said = {
        "honest": true,
        "copier": true,
        "random": digest("random", number),
        "stale": digest("round", number - 1),
    }[behaviour]
    return {"node": node(member), "behaviour": behaviour, "digest": said, "right": said == true}


def _payouts(price: int, rounds: list[Facts]) -> Facts:
    earned = dict.fromkeys(range(SELLERS), 0.0)
    right = dict.fromkeys(range(NODES), 0)
    for played in rounds:
        for update in played["updates"]:
            earned[update["index"]] += update["utility"] if update["kept"] else 0.0
        for mini in played["mini_rounds"]:
            for voter in mini["voters"]:
                right[int(voter["node"][3:6])] += voter["right"]
    sellers_pot = price * 7 // 10
    sellers = _split(sellers_pot, list(earned.values()))
    nodes = _split(price - sellers_pot, [float(count) for count in right.values()])
    payouts = {}
    for index, wei in enumerate(sellers):
        payouts[seller(index)] = {
            "role": "seller",
            "behaviour": POISONERS.get(index, "honest"),
            "wei": wei,
            "why": f"{100 * wei / sellers_pot:.1f} % of contributions",
        }
    for index, wei in enumerate(nodes):
        payouts[node(index)] = {
            "role": "cone",
            "behaviour": BYZANTINE_NODES.get(index, "honest"),
            "wei": wei,
            "why": f"{right[index]} of {sum(right.values())} accepted votes",
        }
    return payouts


def _split(pot: int, weights: list[float]) -> list[int]:
    total = sum(weights)
    edges = [int(pot * sum(weights[:i]) / total) for i in range(len(weights))] + [pot]
    return [end - start for start, end in pairwise(edges)]


def _frame() -> Facts:
    bids = {buyer(0): 6 * ETHER, buyer(1): 10 * ETHER + 1, buyer(2): 8 * ETHER}
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
            "tag": "digits",
            "opener": buyer(0),
            "winner": buyer(1),
            "price_wei": bids[buyer(1)],
            "bids": [
                {"bidder": buyer(0), "wei": 5 * ETHER, "block": 31},
                {"bidder": buyer(2), "wei": bids[buyer(2)], "block": 33},
                {"bidder": buyer(0), "wei": bids[buyer(0)], "block": 34},
                {"bidder": buyer(1), "wei": bids[buyer(1)], "block": 36},
            ],
            "matched": [seller(index) for index in range(SELLERS)],
            "unmatched": [seller(SELLERS + index) for index in range(UNMATCHED)],
        },
        "bids_wei": bids,
        "refunds_wei": {buyer(0): bids[buyer(0)], buyer(2): bids[buyer(2)]},
        "rounds": [],
        "payouts_wei": {},
        "contract_balances_wei": {"Escrow": 0, "ConePool": NODES * ETHER, "AuctionHouse": 0},
        "stakes_wei": {"ConePool": NODES * ETHER},
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
        "absent": ["slashing by audit words", "sealed bids", "IPFS nodes (a local store serves)"],
    }
