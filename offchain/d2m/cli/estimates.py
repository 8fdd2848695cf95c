"""Estimates: what each party would bind and spend by serving now, read from the chain."""

from __future__ import annotations

from d2m.chain.contracts.market import Market
from d2m.chain.prepared import Price
from d2m.cli.costs import (
    CONE,
    OPEN_BID,
    OPENER,
    SEALED_BID,
    CostEstimate,
    seller_occasions,
)
from d2m.errors import PartyError
from d2m.incentives.auction import job_incentives
from d2m.incentives.formatting import headline, waiting
from d2m.protocol.sealed_bids import tier_for
from d2m.protocol.types import ETHER, AuctionKind


def estimate_cone(market: Market) -> CostEstimate:
    """A CONE node binds what its stake lacks of a unit."""
    missing = market.pool.stake_unit()
    missing -= market.pool.node(market.chain.address).stake
    binds = "a stake, of which a slashed part is lost" if missing else "no more, it has its stake"
    title = f"serve as CONE node {market.chain.address}"
    return CostEstimate(title, binds, max(missing, 0), ETHER, CONE, *_chain(market))


def estimate_seller(market: Market, offer_id: int | None, tags: int) -> CostEstimate:
    """A seller under so many tags binds a bond, unless its offer is there."""
    bond = 0 if offer_id else market.registry.bond_unit()
    binds = "no more, the offer has its bond" if offer_id else "a bond, unless the offer stands"
    title = f"serve as seller {market.chain.address}"
    before = len(market.registry.offer(offer_id).tags) if offer_id else 0
    occasions = seller_occasions(max(tags, before), has_offer=bool(offer_id))
    return CostEstimate(title, binds, bond, ETHER, occasions, *_chain(market))


def estimate_bid(
    market: Market, auction_id: int, limit: int, *, larger_deposit: bool
) -> CostEstimate:
    """A buyer binds its bids up to the limit, or the deposit of a sealed one."""
    auction = market.auctions.auction(auction_id)
    title = f"bid in auction {auction_id} as {market.chain.address}"
    chain, note = _chain(market), _incentives(market, auction_id, auction.token, limit)
    if auction.kind == AuctionKind.OPEN:
        return CostEstimate(title, "bids, at most", limit, auction.token, OPEN_BID, *chain, note)
    deposit = 0
    if limit >= auction.reserve > 0:
        tier = tier_for(limit, auction.reserve, auction.token, larger=larger_deposit)
        deposit = auction.reserve << tier
    return CostEstimate(title, "a deposit", deposit, auction.token, SEALED_BID, *chain, note)


def _incentives(market: Market, auction_id: int, token: str, limit: int) -> str:
    """Whether bribing nodes would pay at the highest price."""
    look = f"`ape run market incentives --auction {auction_id} --price AMOUNT`"
    if token != ETHER:
        return f"whether bribing nodes pays depends on what the token is worth in ether: {look}"
    try:
        job = job_incentives(market, auction_id, limit)
    except PartyError as error:
        return str(error)
    return f"at that price {headline(job)}; {waiting(job)}: {look}"


def estimate_keys(market: Market, auction_id: int) -> CostEstimate:
    """An opener that only hands out its job's key binds nothing."""
    title = f"hand out the key of auction {auction_id}'s job as {market.chain.address}"
    return CostEstimate(title, "nothing", 0, ETHER, OPENER, *_chain(market))


def _chain(market: Market) -> tuple[Price, str]:
    """Price of gas on the chain, and the rules by which it is counted."""
    return market.chain.price(), market.chain.rules()
