"""The record of a run: every number of the report, read back from chain and store."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from d2m.demo.gas import gas_by_step, mined_transactions
from d2m.demo.options import BLOCK_SECONDS
from d2m.demo.record.auction import auction_facts, highest_bids
from d2m.demo.record.liabilities import bonds, escrow_owes, stakes
from d2m.demo.record.money import (
    balances,
    conservation,
    node_accounts,
    payouts,
    slashes,
    withdrawn,
)
from d2m.demo.record.rounds import rounds_facts
from d2m.demo.record.source import Facts, Source
from d2m.demo.run import Run
from d2m.parties.buyer.buyer import DELIVERY_FILE
from d2m.protocol.types import JobState


def record(run: Run) -> dict[str, Any]:
    """All facts of a finished run, in the shape of `report.Report`."""
    source, market = Source(run), run.market
    rounds = rounds_facts(source)
    mined = mined_transactions(run.chain)
    accepted = [played["accuracy"] for played in rounds if played["accuracy"] is not None]
    delivery = _delivery(run)
    return {
        "target": run.options.target,
        "final_accuracy": accepted[-1] if accepted else None,
        "delivered_accuracy": delivery["accuracy"] if delivery else None,
        "outcome": _outcome(source, accepted),
        **_about(run),
        "auction": auction_facts(source),
        "bids_wei": highest_bids(source),
        "refunds_wei": {
            buyer.address: withdrawn(source, buyer.address) for buyer in run.stage.buyers
        },
        "rounds": rounds,
        "payouts_wei": payouts(source),
        "offences": source.job.offences if source.job else 0,
        "slashes": slashes(source),
        "nodes": node_accounts(source, rounds),
        "contract_balances_wei": balances(source),
        "stakes_wei": {"ConePool": stakes(market), "SellerRegistry": bonds(market)},
        "escrow_owes_wei": escrow_owes(market),
        "conservation": conservation(source, mined),
        "gas": gas_by_step(mined),
        "delivery": delivery
        and {key: delivery[key] for key in ("model_cid", "model_hash", "hash_matches")},
        "artifacts": {
            "deployment": str(run.stage.deployment),
            "store": str(run.stage.store),
            "logs": str(run.stage.folder / "logs"),
            "delivered": str(run.stage.folder / "delivered"),
        },
    }


def _about(run: Run) -> Facts:
    return {
        "seed": run.options.seed,
        "options": asdict(run.options),
        "chain": {
            "client": run.chain.w3.client_version,
            "chain_id": run.anvil.chain_id,
            "block_seconds": BLOCK_SECONDS,
            "blocks": run.chain.block_number(),
        },
        "seconds": round(run.progress.elapsed(), 2),
        "seconds_by_phase": run.seconds_by_phase,
    }


def _outcome(source: Source, accepted: list[float]) -> str:
    if source.job is None:
        return "no job: the auction was void"
    if source.job.state == JobState.FAILED:
        return "failed: the buyer got back what was not earned"
    reached = accepted and accepted[-1] >= source.run.options.target
    return "target reached" if reached else "all rounds played"


def _delivery(run: Run) -> Facts | None:
    for buyer in run.stage.buyers:
        path = run.stage.delivery_folder(buyer) / DELIVERY_FILE
        if path.exists():
            found: Facts = json.loads(path.read_text())
            return found
    return None
