"""What must hold when a chaos run is over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eth_typing import ChecksumAddress

from offchain.chain.records import ETHER, Conduct, JobState
from offchain.market.record.holdings import bonds, escrow_owes, stakes
from offchain.parties.buyer import DELIVERY_FILE, MODEL_FILE
from offchain.parties.ledger import Ledger
from offchain.store.fetch import content_hash


@dataclass(frozen=True)
class Ending:
    """How a job ended."""

    job: int
    state: str
    rounds: int
    blocks: int
    """From its creation to its end."""


def endings(ledger: Ledger) -> list[Ending]:
    """How every job ended so far; the running ones are left out."""
    chain = ledger.chain
    created = {log["args"]["jobId"]: log["blockNumber"] for log in chain.logs("Jobs", "JobCreated")}
    over: dict[int, int] = {}
    for event in ("JobSettled", "JobFailed"):
        over |= {log["args"]["jobId"]: log["blockNumber"] for log in chain.logs("Jobs", event)}
    return [
        Ending(job_id, job.state.name.lower(), job.accepted_rounds, over[job_id] - created[job_id])
        for job_id in sorted(over)
        for job in [ledger.situation(job_id).job]
    ]


def unpaid(ledger: Ledger, accounts: list[ChecksumAddress]) -> int:
    """Wei that the market still owes its parties."""
    return sum(sum(ledger.credits(account, [ETHER])) for account in accounts)


def faults(ledger: Ledger, jobs: int, deliveries: Path, logs: dict[str, str]) -> list[str]:
    """What contradicts that nothing was lost and nobody honest punished; all parties are honest.

    `deliveries`: a folder by auction. `logs`: what each process wrote, by its name.
    """
    return [
        *_jobs(ledger, jobs, deliveries),
        *_slashes(ledger),
        *_balances(ledger),
        *_logs(logs),
    ]


def _jobs(ledger: Ledger, jobs: int, deliveries: Path) -> Iterator[str]:
    found = ledger.job_count()
    if found != jobs:
        yield f"{jobs} jobs were to be played, {found} were created"
    won = ledger.chain.logs("AuctionHouse", "AuctionWon")
    auctions = {log["args"]["jobId"]: log["args"]["auctionId"] for log in won}
    for job_id in range(1, found + 1):
        view = ledger.situation(job_id)
        if not view.job.state.ended:
            yield f"job {job_id} is still {view.job.state.name.lower()}"
        elif view.job.accepted_rounds:
            yield from _delivery(job_id, view.job.model_hash, deliveries / str(auctions[job_id]))
        elif view.job.state == JobState.FAILED and view.pots.seller_pot + view.pots.cone_pot:
            yield f"job {job_id} failed without a round, and its buyer was not refunded"


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


def _slashes(ledger: Ledger) -> Iterator[str]:
    for log in ledger.chain.logs("ConePool", "NodeSlashed"):
        args = log["args"]
        conduct = Conduct(args["conduct"]).name.lower()
        place = f"job {args['jobId']}, round {args['round']}.{args['miniRound']}"
        yield f"the honest node {args['node']} was slashed in {place}: {conduct}"


def _balances(ledger: Ledger) -> Iterator[str]:
    """Conservation: what each contract holds is what it owes, and of prices nothing is left."""
    owed = {"ConePool": stakes(ledger), "SellerRegistry": bonds(ledger), "Escrow": 0}
    for name, wei in owed.items():
        held = ledger.chain.balance(ledger.chain.deployment.contracts[name])
        if held != wei:
            yield f"{name} holds {held} wei, owes {wei}"
    for part, wei in escrow_owes(ledger).items():
        if wei:
            yield f"{wei} wei of {part} were not paid out"


def _logs(logs: dict[str, str]) -> Iterator[str]:
    for name, text in logs.items():
        for line in text.splitlines():
            if '"missed: the window has passed"' in line:
                yield f"{name} missed a duty: {line}"
            elif line.startswith("Traceback"):
                yield f"{name} crashed: see its log"
