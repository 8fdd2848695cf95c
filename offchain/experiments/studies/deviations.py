"""Payoffs of lying.

CONE nodes: rounds of the vote are played with the contracts' rules of pay and slash, some nodes
deviating; then again with one of these nodes honest, the seats asked in the same order. The
difference is what a bribe would have to make up for. Sellers: jobs of the demo's size on digits are
played with some sellers deviating, and again with all honest.

Deviations of nodes: `bribed` ones vote for one wrong digest to the end, `joining` ones until they
are outnumbered, `waiting` ones only in a draw that will accept it, whose order they know before
they vote. A `copier` votes for the leading digest without having computed it; a `silent` node does
not vote.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import count

import click
import numpy as np
import torch
from rich.progress import track

from d2m.adversaries.cone import NOTHING_SEEN
from d2m.demo.options import BUYER_LIMITS, SELLER_BEHAVIOURS, STAKE_UNIT, DemoOptions
from d2m.incentives.bribery import JobIncentives
from d2m.protocol.constants import BPS, LOST_RESULT_BPS, SILENCE_BPS, WRONG_AUDIT_BPS
from d2m.protocol.likelihood import Pool, is_accepted
from d2m.protocol.sortition import asked_after
from experiments.studies import digits
from experiments.studies.deviations_table import NodeRow, SellerRow, page
from experiments.studies.yoda import MAX_DRAWS
from experiments.study import Facts, Recorded, command, option

SEATS = 50
"""The paper's CONE nodes."""
JOB = JobIncentives(DemoOptions().rules(sample_size=1), SEATS, STAKE_UNIT, BUYER_LIMITS[-1])
"""The demo's rules, stake and price."""
NODE_DEVIATIONS = {
    "bribed": (1, 10, 15, 20, 24, 30),
    "joining": (10, 15, 20, 24, 30),
    "waiting": (15, 20, 24),
    "copier": (1, 10),
    "silent": (1, 10),
}
"""How many nodes deviate alike; of 50, f = 0.3 tolerates 15."""
SELLER_COUNTS = (1, 2)
"""Deviating sellers among the demo's twelve: one alone, and as many as its job tolerates."""
TRUE, LIE = b"true", b"wrong"


@dataclass(frozen=True)
class Ballot:
    """A node's vote: `digest` is None where it was asked and stayed silent."""

    seat: int
    digest: bytes | None
    audited: bool = False
    """Whether the node has computed what it votes for, so that it knows the audit word."""


@dataclass(frozen=True)
class Outcome:
    """Outcome of one round: accepted digest, and the payoff of every node asked, in wei by seat."""

    accepted: bytes | None
    payoffs: Mapping[int, float]


def play_round(
    job: JobIncentives, deviating: Mapping[int, str], orders: Sequence[Sequence[int]]
) -> Outcome:
    """One round's vote; `deviating` by seat, `orders` the seats as each draw would ask them."""
    if "waiting" in deviating.values():
        lying = play_round(job, dict.fromkeys(deviating, "bribed"), orders)
        return lying if lying.accepted == LIE else play_round(job, {}, orders)
    ballots: list[Ballot] = []
    for order in orders:
        accepted, cast = _draw(job, deviating, order)
        ballots += cast
        if accepted is not None:
            return Outcome(accepted, _judged(job, accepted, ballots))
    return Outcome(None, {})


def _draw(
    job: JobIncentives, deviating: Mapping[int, str], order: Sequence[int]
) -> tuple[bytes | None, list[Ballot]]:
    ballots: list[Ballot] = []
    tally: Counter[bytes] = Counter()
    pool = Pool(job.seats, job.rules.byzantine_bps)
    for mini_round in count(1):
        asked = asked_after(job.rules.base, mini_round, job.seats)
        cast = [_ballot(seat, deviating.get(seat), tally) for seat in order[len(ballots) : asked]]
        ballots += cast
        tally.update(ballot.digest for ballot in cast if ballot.digest is not None)
        votes = tuple(sorted(tally.items()))
        if _is_accepted(pool, votes, job.rules.error_ppm, asked - tally.total()):
            return tally.most_common(1)[0][0], ballots
        if asked == job.seats:
            break
    return None, ballots


@cache
def _is_accepted(
    pool: Pool, votes: tuple[tuple[bytes, int], ...], error_ppm: int, silent: int
) -> bool:
    return is_accepted(pool, dict(votes), error_ppm, silent)


def _ballot(seat: int, kind: str | None, tally: Counter[bytes]) -> Ballot:
    """Vote of a node, given the votes of earlier mini-rounds."""
    if kind == "silent":
        return Ballot(seat, None)
    if kind == "copier":
        return Ballot(seat, tally.most_common(1)[0][0] if tally else NOTHING_SEEN)
    lies = kind == "bribed" or (kind == "joining" and tally[TRUE] <= tally[LIE])
    return Ballot(seat, LIE if lies else TRUE, audited=True)


def _judged(job: JobIncentives, accepted: bytes, ballots: Sequence[Ballot]) -> dict[int, float]:
    """Pay and slash: right votes share the round's part of the price and what the others lose."""
    payoffs = {ballot.seat: 0.0 for ballot in ballots}
    pot = (job.price - job.gain) / job.rules.rounds
    for ballot in ballots:
        penalty = job.stake_unit * _penalty_bps(accepted, ballot) / BPS
        payoffs[ballot.seat] -= penalty
        pot += penalty
    right = [ballot for ballot in ballots if ballot.digest == accepted and ballot.audited]
    for ballot in right:
        payoffs[ballot.seat] += pot / len(right)
    return payoffs


def _penalty_bps(accepted: bytes, ballot: Ballot) -> int:
    if ballot.digest is None:
        return SILENCE_BPS
    if ballot.digest != accepted:
        return LOST_RESULT_BPS
    return 0 if ballot.audited else WRONG_AUDIT_BPS


def play_nodes(kind: str, nodes: int, rounds: int) -> NodeRow:
    """Seats 0 to `nodes` - 1 deviate; then all of these but seat 0."""
    random = np.random.default_rng(nodes)
    everyone = dict.fromkeys(range(nodes), kind)
    others = dict.fromkeys(range(1, nodes), kind)
    deviating = honest = lies = 0.0
    for _ in range(rounds):
        orders = [random.permutation(SEATS).tolist() for _ in range(MAX_DRAWS)]
        outcome = play_round(JOB, everyone, orders)
        lies += outcome.accepted == LIE
        deviating += sum(outcome.payoffs.get(seat, 0.0) for seat in everyone) / nodes
        honest += play_round(JOB, others, orders).payoffs.get(0, 0.0)
    least = None if kind in ("copier", "silent") else JOB.bribe(nodes).each
    if kind == "waiting":  # it never loses a vote
        least = 0.0
    return NodeRow(kind, nodes, deviating / rounds, honest / rounds, lies / rounds, least)


def play_sellers(kind: str, sellers: int, seeds: Sequence[int]) -> SellerRow:
    """The demo's last `sellers` deviate; the same market with all honest beside it."""
    everybody = DemoOptions().sellers
    deviating = DemoOptions(byzantine_sellers=sellers / everybody, seller_behaviour=kind)
    shares = [
        (_share(digits.play(seed, deviating), sellers), _share(_all_honest(seed), sellers))
        for seed in seeds
    ]
    lying, honest = (float(np.mean(column)) for column in zip(*shares, strict=True))
    gains = sum(one > other for one, other in shares)
    return SellerRow(kind, sellers, lying * JOB.gain, honest * JOB.gain, gains, len(seeds))


@cache
def _all_honest(seed: int) -> digits.Outcome:
    return digits.play(seed, DemoOptions(byzantine_sellers=0))


def _share(outcome: digits.Outcome, sellers: int) -> float:
    """Average part that each of the last sellers has in all contributions."""
    return sum(outcome.contributions[-sellers:]) / sum(outcome.contributions) / sellers


def run(rounds: int, seeds: int) -> Facts:
    """Play every deviation."""
    torch.set_num_threads(1)
    voting = [(kind, nodes) for kind, counts in NODE_DEVIATIONS.items() for nodes in counts]
    training = [(kind, sellers) for kind in SELLER_BEHAVIOURS for sellers in SELLER_COUNTS]
    nodes = [play_nodes(*each, rounds) for each in track(voting, description="nodes")]
    sellers = [play_sellers(*each, range(seeds)) for each in track(training, "sellers")]
    return {
        "command": command("deviations", rounds=rounds, seeds=seeds),
        "nodes": [asdict(row) for row in nodes],
        "sellers": [asdict(row) for row in sellers],
    }


STUDY = Recorded(
    name="deviations",
    about="What lying brings: deviating nodes and sellers beside honest ones.",
    takes="4 min of one core beside other work",
    options=(
        option("--rounds", type=click.IntRange(1), default=20_000, help="Of the vote."),
        option("--seeds", type=click.IntRange(1), default=20, help="Jobs."),
    ),
    play=run,
    pages=lambda facts, folder: [page(JOB, facts, folder)],
)
