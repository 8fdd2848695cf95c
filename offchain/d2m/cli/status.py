"""The market as it stands: jobs, auctions, and what an account has in it. Reads only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eth_typing import ChecksumAddress

from d2m.chain.artifacts import MANIFEST, load_artifacts
from d2m.chain.client import Chain, read_deployment
from d2m.chain.contracts.market import Market
from d2m.errors import PartyError
from d2m.protocol.lens import Task
from d2m.protocol.types import (
    ETHER,
    NEVER,
    Auction,
    AuctionKind,
    AuctionState,
    FailureReason,
    JobState,
    JobView,
    Phase,
    text_of,
)

RECENT = 20
"""Jobs and auctions that are listed, beside the jobs that run: a screen."""
Facts = dict[str, Any]
"""Names and values; amounts are integers in the smallest unit of the `token` beside them."""


def read_only(rpc: str, deployment: Path) -> Market:
    """The contracts without an account."""
    return Market(Chain(rpc, read_deployment(deployment, rpc), load_artifacts(MANIFEST)))


def market_status(market: Market) -> Facts:
    """The jobs that run and the latest ones, and the latest auctions."""
    block = market.chain.block_number()
    job_ids = sorted({*market.pool.running_jobs(), *_latest(market.jobs.count())})
    jobs = zip(job_ids, market.lens.jobs(job_ids), strict=True)
    auction_ids = _latest(market.auctions.count())
    sales = zip(auction_ids, market.auctions.auctions(auction_ids), strict=True)
    return {
        "block": block,
        "jobs": [job_facts(job_id, view, block) for job_id, view in jobs],
        "auctions": [auction_facts(each, record, block) for each, record in sales],
    }


def job_status(market: Market, job_id: int) -> Facts:
    """All of one job, with its vote. Raises PartyError where there is none."""
    if not 0 < job_id <= market.jobs.count():
        raise PartyError(f"there is no job {job_id}: `market status` lists them")
    view, block = market.situation(job_id), market.chain.block_number()
    return job_facts(job_id, view, block) | {"block": block, "vote": _vote_facts(view)}


def auction_status(market: Market, auction_id: int) -> Facts:
    """All of one auction, with what it is for. Raises PartyError where there is none."""
    record, block = market.auctions.auction(auction_id), market.chain.block_number()
    if record.state == AuctionState.NONE:
        raise PartyError(f"there is no auction {auction_id}: `market status` lists them")
    request = market.auctions.request(auction_id)
    rules = request.rules._asdict()
    wanted = {"tag": text_of(request.tag), "rules": rules}
    return auction_facts(auction_id, record, block) | {"block": block, **wanted}


def account_status(market: Market, account: ChecksumAddress) -> Facts:
    """Holdings of an account in the market, and its duties now."""
    block = market.chain.block_number()
    tokens = sorted({ETHER, *market.auctions.tokens()})
    held = market.lens.holdings(account, tokens)
    node = market.pool.node(account)
    is_seated = bool(held.stake) and not node.exit_block
    return {
        "block": block,
        "account": account,
        "balance": market.chain.balance(account),
        "seat": node.seat if is_seated else None,
        "stake": held.stake,
        "stake_is_free": held.stake_is_free,
        "offers": [
            {
                "offer": offer_id,
                "state": "left" if each.exit_block else "listed" if each.listed else "paused",
                "tags": [text_of(tag) for tag in each.tags],
                "bond": each.bond,
            }
            for offer_id, each in market.registry.offers_by(account).items()
        ],
        "credits": [
            {"token": token, "amount": amount}
            for token, amount in zip(tokens, held.credits, strict=True)
            if amount
        ],
        "duties": [
            {
                "job": duty.job_id,
                "task": Task(duty.task).name.lower(),
                "seat": duty.seat,
                **_until(duty.deadline, block),
            }
            for duty in market.lens.duties(account)
        ],
    }


def job_facts(job_id: int, view: JobView, block: int) -> Facts:
    """One job, for the list."""
    job = view.job
    failed = job.state == JobState.FAILED
    return {
        "job": job_id,
        "state": job.state.name.lower(),
        "tag": text_of(job.tag),
        "buyer": job.buyer,
        "round": job.round,
        "rounds": job.rules.rounds,
        "accepted": job.accepted_rounds,
        "target_reached": job.target_reached,
        "failure": FailureReason(job.failure).name.lower() if failed else None,
        "sellers": job.sellers,
        "price": view.pots.price,
        "token": view.pots.token,
        "offences": job.offences,
        "slashed": view.slashed,
        "due": view.due,
        **_until(view.window_end if view.window_end != NEVER else 0, block),
    }


def auction_facts(auction_id: int, record: Auction, block: int) -> Facts:
    """One auction, for the list."""
    is_open = record.state == AuctionState.OPEN
    has_bid = bool(record.highest_bid)
    return {
        "auction": auction_id,
        "state": record.state.name.lower(),
        "kind": AuctionKind(record.kind).name.lower(),
        "opener": record.opener,
        "reserve": record.reserve,
        "highest_bid": record.highest_bid if has_bid else None,
        "leader": record.leader if has_bid else None,
        "token": record.token,
        "sealed_bids": record.sealed_bids,
        "revealed_bids": record.revealed_bids,
        "job": record.job_id or None,
        **_until(_auction_end(record, block) if is_open else 0, block),
    }


def _vote_facts(view: JobView) -> Facts:
    poll = view.poll
    return {
        "phase": Phase(poll.phase).name.lower(),
        "mini_round": poll.mini_round,
        "asked": poll.asked,
        "asked_now": poll.asked - poll.asked_before,
        "committed_now": view.mini_round.committed,
        "revealed_now": view.mini_round.revealed,
        "votes": poll.votes,
        "for_the_leader": poll.leader_votes,
        "nodes": view.frozen.seats,
    }


def _auction_end(record: Auction, block: int) -> int:
    """The last block of bidding, then that of revealing."""
    return record.close_block if block < record.close_block else record.last_block


def _until(deadline: int, block: int) -> Facts:
    """A deadline, and how many blocks are left of it; None where there is none."""
    if not deadline:
        return {"deadline": None, "blocks_left": None}
    return {"deadline": deadline, "blocks_left": max(0, deadline - block)}


def _latest(count: int) -> list[int]:
    return list(range(max(1, count - RECENT + 1), count + 1))
