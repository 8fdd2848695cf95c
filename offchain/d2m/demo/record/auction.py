"""The auction's facts: every bid, sealed or open, and what came of it."""

from __future__ import annotations

from d2m.cli.options.buyer import KINDS
from d2m.demo.record.source import Facts, Source
from d2m.protocol.constants import BPS
from d2m.protocol.types import Auction, AuctionKind, text_of

KIND_NAMES = {kind: name for name, kind in KINDS.items()}


def auction_facts(source: Source) -> Facts:
    """The auction and the match."""
    opened = source.logs("AuctionHouse", "AuctionOpened")[0]
    auction = source.market.auctions.auction(opened["auctionId"])
    won = source.logs("AuctionHouse", "AuctionWon")
    stage = source.run.stage
    matched = source.market.jobs.sellers(source.run.job_id) if source.job else []
    everybody = [seller.address for seller in (*stage.sellers, stage.bystander)]
    is_open = auction.kind == AuctionKind.OPEN
    return {
        "kind": KIND_NAMES[auction.kind],
        "tag": text_of(opened["tag"]),
        "opener": opened["opener"],
        "winner": auction.leader,
        "price_wei": won[0]["price"] if won else 0,
        "forfeits_wei": won[0]["forfeits"] if won else 0,
        "bids": _open_bids(source, auction) if is_open else _sealed_bids(source, auction),
        "matched": matched,
        "unmatched": [seller for seller in everybody if seller not in matched],
    }


def highest_bids(source: Source) -> dict[str, int]:
    """Each buyer's highest bid that became known, in wei."""
    highest: dict[str, int] = {buyer.address: 0 for buyer in source.run.stage.buyers}
    for bid in source.logs("AuctionHouse", "BidPlaced"):
        highest[bid["bidder"]] = max(highest[bid["bidder"]], bid["amount"])
    return {**highest, **_revealed(source)}


def _open_bids(source: Source, auction: Auction) -> list[Facts]:
    return [
        {
            "bidder": bid["bidder"],
            "wei": bid["amount"],
            "deposit_wei": bid["amount"],
            "tier": None,
            "forfeited_wei": 0,
            "block": bid["blockNumber"],
            "outcome": "wins" if bid["amount"] == auction.highest_bid else "outbid",
        }
        for bid in source.logs("AuctionHouse", "BidPlaced")
    ]


def _sealed_bids(source: Source, auction: Auction) -> list[Facts]:
    revealed = _revealed(source)
    forfeit_bps = source.market.auctions.forfeit_bps()
    bids = []
    for bid in source.logs("AuctionHouse", "BidSealed"):
        bidder, deposit = bid["bidder"], bid["deposit"]
        amount = revealed.get(bidder)
        bids.append(
            {
                "bidder": bidder,
                "wei": amount,
                "deposit_wei": deposit,
                "tier": (deposit // auction.reserve).bit_length() - 1,
                "forfeited_wei": deposit * forfeit_bps // BPS if amount is None else 0,
                "block": bid["blockNumber"],
                "outcome": _outcome(auction, bidder, amount),
            }
        )
    return bids


def _revealed(source: Source) -> dict[str, int]:
    reveals = source.logs("AuctionHouse", "BidRevealed")
    return {reveal["bidder"]: reveal["amount"] for reveal in reveals}


def _outcome(auction: Auction, bidder: str, amount: int | None) -> str:
    if amount is None:
        return "not revealed"
    if bidder == auction.leader:
        return "wins"
    return "tied, sealed later" if amount == auction.highest_bid else "outbid"
