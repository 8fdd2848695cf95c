"""Checks that must hold when a chaos run is over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eth_typing import ChecksumAddress

from d2m.chain.contracts.market import Market
from d2m.demo.record.liabilities import bonds, escrow_owes, stakes
from d2m.parties.buyer.buyer import DELIVERY_FILE, MODEL_FILE
from d2m.protocol.types import ETHER, Conduct, FailureReason, JobState
from d2m.store.fetch import content_hash
from tools.chaos.chain_node import Replaced
from tools.chaos.witnesses import Place, Witnesses, displaced


@dataclass(frozen=True)
class Ending:
    """How a job ended."""

    job: int
    state: str
    rounds: int
    blocks: int
    """From its creation to its end."""


@dataclass(frozen=True)
class Evidence:
    """Traces that a run leaves beside the chain."""

    jobs: int
    """That were to be played."""
    deliveries: Path
    """A folder by auction."""
    logs: dict[str, str]
    """Output of each process, by its name."""
    replaced: list[Replaced]
    """Blocks that were taken off the chain."""


def endings(market: Market) -> list[Ending]:
    """How every job ended so far; the running ones are left out."""
    chain = market.chain
    created = {log["args"]["jobId"]: log["blockNumber"] for log in chain.logs("Jobs", "JobCreated")}
    over: dict[int, int] = {}
    for event in ("JobSettled", "JobFailed"):
        over |= {log["args"]["jobId"]: log["blockNumber"] for log in chain.logs("Jobs", event)}
    return [
        Ending(job_id, job.state.name.lower(), job.accepted_rounds, over[job_id] - created[job_id])
        for job_id in sorted(over)
        for job in [market.situation(job_id).job]
    ]


def unpaid(market: Market, accounts: list[ChecksumAddress]) -> int:
    """Wei that the market still owes its parties."""
    return sum(sum(market.lens.credits(account, [ETHER])) for account in accounts)


def is_claimed(market: Market) -> bool:
    """Whether sellers and nodes have claimed all that the jobs earned."""
    pots = [market.situation(job_id).pots for job_id in range(1, market.jobs.count() + 1)]
    return all(
        each.seller_paid == each.seller_pot and each.paid_votes == each.right_votes for each in pots
    )


def find_faults(market: Market, evidence: Evidence) -> tuple[list[str], list[str]]:
    """Find signs that something was lost or somebody honest punished; all parties are honest.

    In the second list what the contracts make inherent: see `_excuse`.
    """
    witnesses = Witnesses(evidence.logs)
    punished, inherent = _sorted_by_excuse(market, evidence.replaced, witnesses)
    faults = [
        *_jobs(market, evidence),
        *_failures(market, witnesses),
        *_keys(market),
        *_balances(market),
        *witnesses.crashes,
        *punished,
    ]
    return faults, inherent


def _sorted_by_excuse(
    market: Market, replaced: list[Replaced], witnesses: Witnesses
) -> tuple[list[str], list[str]]:
    """Slashes and missed duties: those that are faults, and those that are inherent."""
    faults, inherent = [], []
    moved = displaced(market, replaced)
    for at, said in [*_slashes(market), *witnesses.missed]:
        excuse = _excuse(at, moved, witnesses)
        if excuse:
            inherent.append(f"{said}: {excuse}")
        else:
            faults.append(said)
    return faults, inherent


def _excuse(at: Place, moved: set[tuple[int, int, int]], witnesses: Witnesses) -> str:
    """Why an honest node could not help it under the present contracts; empty where it could.

    A commitment cannot be taken back, and it is bound to its mini-round's seed; a vote says what a
    node computed of what it had, and not what it lacked.
    """
    if (at.job, at.round, at.mini_round) in moved:
        return "the block of the seed was replaced after the commitment"
    if witnesses.lacked(at.party, at.job, at.round):
        return "it did not get what others had"
    return ""


def _jobs(market: Market, evidence: Evidence) -> Iterator[str]:
    found = market.jobs.count()
    if found < evidence.jobs:
        yield f"{evidence.jobs} jobs were to be played, {found} were created"
    won = market.chain.logs("AuctionHouse", "AuctionWon")
    auctions = {log["args"]["jobId"]: log["args"]["auctionId"] for log in won}
    for job_id in range(1, found + 1):
        view = market.situation(job_id)
        folder = evidence.deliveries / str(auctions[job_id])
        if not view.job.state.ended:
            yield f"job {job_id} is still {view.job.state.name.lower()}"
        elif view.job.accepted_rounds:
            yield from _delivery(job_id, view.job.model_hash, folder)
        elif view.job.state == JobState.FAILED and view.pots.seller_pot + view.pots.cone_pot:
            yield f"job {job_id} failed without a round, and its buyer was not refunded"


def _failures(market: Market, witnesses: Witnesses) -> Iterator[str]:
    """Jobs that failed though most of their nodes had all that the round needed."""
    for log in market.chain.logs("Jobs", "JobFailed"):
        job_id, round_number = log["args"]["jobId"], log["args"]["acceptedRounds"] + 1
        nodes = market.nodes(job_id)
        had = [node for node in nodes if not witnesses.lacked(node, job_id, round_number)]
        if 2 * len(had) > len(nodes):
            reason = FailureReason(log["args"]["reason"]).name.lower()
            yield (
                f"job {job_id} failed in round {round_number} ({reason}), though"
                f" {len(had)} of {len(nodes)} nodes had everything"
            )


def _keys(market: Market) -> Iterator[str]:
    for job_id in range(1, market.jobs.count() + 1):
        if not market.key_rings.rings(job_id):
            yield f"the key of job {job_id} was never handed out"


def _delivery(job_id: int, model_hash: bytes, folder: Path) -> Iterator[str]:
    try:
        delivery = json.loads((folder / DELIVERY_FILE).read_text())
        data = (folder / MODEL_FILE).read_bytes()
    except FileNotFoundError as error:
        yield f"job {job_id}: its model was not delivered ({error.filename})"
        return
    is_accepted = delivery["hash_matches"] and delivery["model_hash"] == "0x" + model_hash.hex()
    if not is_accepted or delivery["file_hash"] != "0x" + content_hash(data).hex():
        yield f"job {job_id}: the delivered model is not the accepted one"


def _slashes(market: Market) -> Iterator[tuple[Place, str]]:
    for log in market.chain.logs("ConePool", "NodeSlashed"):
        args = log["args"]
        at = Place(args["node"], args["jobId"], args["round"], args["miniRound"])
        conduct = Conduct(args["conduct"]).name.lower()
        yield at, f"the honest node {at.party} was slashed in {at}: {conduct}"


def _balances(market: Market) -> Iterator[str]:
    """Conservation: what each contract holds is what it owes, and of prices nothing is left."""
    owed = {"ConePool": stakes(market), "SellerRegistry": bonds(market), "Escrow": 0}
    for name, wei in owed.items():
        held = market.chain.balance(market.chain.deployment.contracts[name])
        if held != wei:
            yield f"{name} holds {held} wei, owes {wei}"
    for part, wei in escrow_owes(market).items():
        if wei:
            yield f"{wei} wei of {part} were not paid out"
