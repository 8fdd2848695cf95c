"""What content a job has, by what the chain says of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from d2m.chain.contracts.market import Market
from d2m.jobs.keys import heeded_rings
from d2m.protocol.ballots import RoundResult
from d2m.protocol.types import Request, fields
from d2m.store.cid import Cid
from d2m.store.errors import InvalidCid

SPECIFICATION, EVALUATION, RING = "specification", "evaluation set", "key ring"
UPDATE, MODEL = "update", "model"
SAMPLER = "sampler"
"""Roles of contents; the last one is that of what sellers prove their shares with."""


class Content(NamedTuple):
    """One content of a job, as the chain names it."""

    role: str
    round: int
    """The round it came of; 0 where the job began with it."""
    cid: Cid
    content_hash: bytes
    author: str
    """The account that named it; of results, all who voted for them."""


def job_contents(market: Market, job_id: int) -> list[Content]:
    """Specification, evaluation set, key rings, posted updates and accepted results, in that order.

    What was posted under no CID has no content. What nodes pinned for a result that was never
    opened is not on the chain, and not here.
    """
    found = request_contents(market.request(job_id), market.opener(job_id))
    for ring in heeded_rings(market, job_id):
        found += _contents(ring.poster, (RING, 0, ring.cid, ring.content_hash))
    for update in _events(market, "UpdatePosted", job_id):
        seller, named = (
            market.sellers(job_id)[update["index"]],
            (update["cid"], update["contentHash"]),
        )
        found += _contents(seller, (UPDATE, update["round"], *named))
    for accepted in _events(market, "RoundAccepted", job_id):
        result = RoundResult(*fields(accepted["result"]))
        found += _contents(
            "nodes",
            (MODEL, result.round, result.model_cid, result.model_hash),
            (SAMPLER, result.round, result.sampler_cid, result.sampler_hash),
        )
    return found


def request_contents(request: Request, opener: str = "") -> list[Content]:
    """What a request names that `opener` made."""
    return _contents(
        opener,
        (SPECIFICATION, 0, request.spec_cid, request.spec_hash),
        (EVALUATION, 0, request.evaluation_cid, request.evaluation_hash),
    )


def end_blocks(market: Market) -> dict[int, int]:
    """The block in which each job ended that has, by job."""
    logs = [
        log for event in ("JobSettled", "JobFailed") for log in market.chain.logs("Jobs", event)
    ]
    return {log["args"]["jobId"]: log["blockNumber"] for log in logs}


def open_requests(market: Market) -> list[Request]:
    """The requests of all auctions that have not ended."""
    opened = {
        log["args"]["auctionId"]: log["args"]["request"]
        for log in market.chain.logs("AuctionHouse", "AuctionOpened")
    }
    for event in ("AuctionWon", "AuctionVoid", "AuctionCancelled"):
        for log in market.chain.logs("AuctionHouse", event):
            opened.pop(log["args"]["auctionId"], None)
    return [Request.from_abi(request) for request in opened.values()]


def _events(market: Market, event: str, job_id: int) -> list[dict[str, Any]]:
    logs = market.chain.logs("Jobs", event, argument_filters={"jobId": job_id})
    return [dict(log["args"]) for log in logs]


def _contents(author: str, *named: tuple[str, int, bytes, bytes]) -> list[Content]:
    found = []
    for role, round_number, cid, content_hash in named:
        try:
            found.append(Content(role, round_number, Cid(cid), content_hash, author))
        except InvalidCid:
            continue
    return found
