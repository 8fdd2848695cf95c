"""The auction's section: the bids, who won, who took a refund, which sellers were matched."""

from __future__ import annotations

from d2m.demo.report.cells import ADDRESS, address_cell, money_cell
from d2m.demo.report.model import Auction, Report
from d2m.demo.report.names import Names
from d2m.demo.report.tables import Cell, Column, Line, Section, Table, Tone
from d2m.protocol.amounts import ether

AUCTION_KINDS = {
    "open": "open, ascending bids",
    "sealed-first": "sealed, the winner pays its own bid",
    "sealed-second": "sealed, the winner pays the highest other bid",
}
BID_TONES: dict[str, Tone] = {"wins": "good", "not revealed": "bad"}


def auction(report: Report, names: Names) -> Section:
    """The bids, who won, who took a refund, which sellers were matched."""
    held = report.auction
    table = _open_bids(held, names) if held.kind == "open" else _sealed_bids(held, names)
    pays = f"{names(held.winner)} pays {ether(held.price_wei)}"
    lines = [
        Line("kind", AUCTION_KINDS[held.kind]),
        Line("tag", held.tag),
        Line("winner", pays, "good"),
        *(Line("refund", f"{names(to)} {ether(wei)}") for to, wei in report.refunds_wei.items()),
        Line("matched", names.all(held.matched)),
        Line("not matched", names.all(held.unmatched)),
    ]
    if held.forfeits_wei:
        forfeits = f"{ether(held.forfeits_wei)} of bids not revealed, added to the price"
        lines.insert(3, Line("forfeited", forfeits))
    return Section("Auction", table, tuple(lines))


def _open_bids(held: Auction, names: Names) -> Table:
    columns = (
        Column("bidder"),
        Column("bid", numeric=True),
        Column("block", numeric=True),
        Column("result"),
        ADDRESS,
    )
    rows = tuple(
        (
            Cell(names(bid.bidder)),
            money_cell(bid.deposit_wei),
            Cell(str(bid.block)),
            Cell(bid.outcome, "good" if bid.outcome == "wins" else "plain"),
            address_cell(bid.bidder),
        )
        for bid in held.bids
    )
    return Table(columns, rows)


def _sealed_bids(held: Auction, names: Names) -> Table:
    """In the order of the commitments, which decides ties."""
    columns = (
        Column("bidder"),
        Column("tier", numeric=True),
        Column("deposit", numeric=True),
        Column("revealed", numeric=True),
        Column("result"),
        Column("forfeits", numeric=True),
        ADDRESS,
    )
    rows = tuple(
        (
            Cell(names(bid.bidder)),
            Cell(str(bid.tier)),
            money_cell(bid.deposit_wei),
            Cell("-") if bid.wei is None else money_cell(bid.wei),
            Cell(bid.outcome, BID_TONES.get(bid.outcome, "plain")),
            money_cell(bid.forfeited_wei),
            address_cell(bid.bidder),
        )
        for bid in held.bids
    )
    return Table(columns, rows)
