"""Holdings of the contracts, asked of each of them: the parts that a balance must equal."""

from __future__ import annotations

from d2m.chain.contracts.market import Market
from d2m.protocol.types import ETHER, Pots


def stakes(market: Market) -> int:
    """Wei that the pool holds for all nodes that ever joined."""
    return sum(node.stake for node in market.pool.all_nodes())


def bonds(market: Market) -> int:
    """Wei that the registry holds for all offers."""
    return sum(offer.bond for offer in market.registry.all_offers())


def escrow_owes(market: Market) -> dict[str, int]:
    """Wei that the escrow owes, by what for."""
    purses = market.escrow.purses(range(1, market.auctions.count() + 1))
    pots = market.escrow.pots(range(1, market.jobs.count() + 1))
    return {
        "auctions' purses": sum(purses),
        "unsettled prices": sum(each.price for each in pots if not each.settled),
        "sellers' pots": sum(each.seller_pot - each.seller_paid for each in pots),
        "CONE pots": sum(_unclaimed(each.cone_pot, each) for each in pots),
        "slash pots": sum(_unclaimed(each.slash_pot, each) for each in pots),
        "credits": sum(market.escrow.all_credits(ETHER)),
    }


def _unclaimed(pot: int, pots: Pots) -> int:
    """Rest of a pot after the votes paid so far: they got ⌊pot · paid / all⌋ together."""
    if not pots.right_votes:
        return pot
    return pot - pot * pots.paid_votes // pots.right_votes
