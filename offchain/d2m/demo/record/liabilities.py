"""What the contracts hold for whom, asked of each of them: the parts that a balance must equal."""

from __future__ import annotations

from d2m.chain.contracts.market import Market
from d2m.protocol.types import ETHER, Node, Offer, Pots


def stakes(market: Market) -> int:
    """Wei that the pool holds for all nodes that ever joined."""
    joined = {log["args"]["node"] for log in market.chain.logs("ConePool", "NodeJoined")}
    node_of = market.pool.functions.nodeOf
    found = market.chain.call_many([node_of(address) for address in sorted(joined)])
    return sum(Node(*node).stake for node in found)


def bonds(market: Market) -> int:
    """Wei that the registry holds for all offers."""
    registry = market.registry.functions
    count = market.chain.call(registry.offerCount())
    found = market.chain.call_many([registry.offerOf(i) for i in range(1, count + 1)])
    return sum(Offer(*offer).bond for offer in found)


def escrow_owes(market: Market) -> dict[str, int]:
    """Wei that the escrow owes, by what for."""
    chain, escrow = market.chain, market.escrow.functions
    auctions = chain.call(market.auctions.functions.auctionCount())
    purses = chain.call_many([escrow.purseOf(i) for i in range(1, auctions + 1)])
    jobs = range(1, market.job_count() + 1)
    pots = [Pots(*each) for each in chain.call_many([escrow.potsOf(job) for job in jobs])]
    credited = {log["args"]["account"] for log in chain.logs("Escrow", "Credited")}
    credit = chain.call_many([escrow.credit(ETHER, account) for account in sorted(credited)])
    return {
        "auctions' purses": sum(purses),
        "unsettled prices": sum(each.price for each in pots if not each.settled),
        "sellers' pots": sum(each.seller_pot - each.seller_paid for each in pots),
        "CONE pots": sum(_unclaimed(each.cone_pot, each) for each in pots),
        "slash pots": sum(_unclaimed(each.slash_pot, each) for each in pots),
        "credits": sum(credit),
    }


def _unclaimed(pot: int, pots: Pots) -> int:
    """What the votes paid so far have left of a pot: they got ⌊pot · paid / all⌋ together."""
    if not pots.right_votes:
        return pot
    return pot - pot * pots.paid_votes // pots.right_votes
