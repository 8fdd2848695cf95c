"""Contents of a job, by what the chain says of it."""

from __future__ import annotations

from typing import NamedTuple

from d2m.chain.contracts.market import Market
from d2m.jobs.keys import heeded_rings
from d2m.protocol.types import Request
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

    A post under no CID has no content. Content that nodes pinned for a result that was never opened
    is not on the chain, and not here.
    """
    found = request_contents(market.jobs.request(job_id), market.auctions.opener(job_id))
    for ring in heeded_rings(market, job_id):
        found += _contents(ring.poster, (RING, 0, ring.cid, ring.content_hash))
    for round_number, index, update in market.jobs.all_updates(job_id):
        seller = market.jobs.sellers(job_id)[index]
        found += _contents(seller, (UPDATE, round_number, update.cid, update.content_hash))
    for result in market.jobs.results(job_id):
        found += _contents(
            "nodes",
            (MODEL, result.round, result.model_cid, result.model_hash),
            (SAMPLER, result.round, result.sampler_cid, result.sampler_hash),
        )
    return found


def request_contents(request: Request, opener: str = "") -> list[Content]:
    """Contents that a request of `opener` names."""
    return _contents(
        opener,
        (SPECIFICATION, 0, request.spec_cid, request.spec_hash),
        (EVALUATION, 0, request.evaluation_cid, request.evaluation_hash),
    )


def _contents(author: str, *named: tuple[str, int, bytes, bytes]) -> list[Content]:
    found = []
    for role, round_number, cid, content_hash in named:
        try:
            found.append(Content(role, round_number, Cid(cid), content_hash, author))
        except InvalidCid:
            continue
    return found
