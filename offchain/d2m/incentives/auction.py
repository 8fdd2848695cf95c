"""The incentives of an auction's job, read from the chain before anyone bids."""

from __future__ import annotations

from d2m.chain.contracts.market import Market
from d2m.errors import PartyError
from d2m.incentives.bribery import JobIncentives
from d2m.protocol.constants import MIN_SEATS
from d2m.protocol.types import AuctionState


def job_incentives(market: Market, auction_id: int, price: int) -> JobIncentives:
    """Those of the job at a price in wei, with the pool as it stands.

    Raises PartyError where there is no such auction, or too few seats for any job.
    """
    if market.auctions.auction(auction_id).state == AuctionState.NONE:
        raise PartyError(f"there is no auction {auction_id}: `market status` lists them")
    seats = market.pool.seats_at(market.chain.block_number())
    if seats < MIN_SEATS:
        raise PartyError(f"{seats} of the {MIN_SEATS} CONE nodes that a job needs have a seat")
    rules = market.auctions.request(auction_id).rules
    return JobIncentives(rules, seats, market.pool.stake_unit(), price)
