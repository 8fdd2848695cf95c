"""Text and tables of the report, section by section, from the collected facts."""

from __future__ import annotations

from d2m.demo.report.bids import auction
from d2m.demo.report.cells import ADDRESS, address_cell, behaviour_cell, money_cell
from d2m.demo.report.criteria import criteria
from d2m.demo.report.model import Report
from d2m.demo.report.names import Names, percent
from d2m.demo.report.nodes import byzantine, nodes, slashes
from d2m.demo.report.rounds import HOW_TO_READ, round_section
from d2m.demo.report.tables import Cell, Column, Line, Section, Table
from d2m.protocol.amounts import ether, wei_exact


def sections(report: Report) -> list[Section]:
    """Every section, in the order in which the job went."""
    names = Names(report)
    rounds = tuple(round_section(played, names) for played in report.rounds)
    lines = HOW_TO_READ if rounds else (Line("rounds", "none was played", "bad"),)
    return [
        outcome(report),
        must_show(report),
        auction(report, names),
        Section("Rounds", lines=lines, parts=rounds),
        nodes(report, names),
        slashes(report, names),
        byzantine(report, names),
        earnings(report, names),
        gas(report),
        accounts(report),
        delivery(report),
        files(report),
    ]


def outcome(report: Report) -> Section:
    """The result in a few lines."""
    reached = report.final_accuracy is not None and report.final_accuracy >= report.target
    final = f"{percent(report.final_accuracy)}, target {percent(report.target)}"
    phases = ", ".join(f"{phase} {took:.1f} s" for phase, took in report.seconds_by_phase.items())
    chain = report.chain
    blocks = f"{chain.blocks} blocks of {chain.block_seconds} s"
    lines = [
        Line("outcome", report.outcome, "good" if reached else "bad"),
        Line("final accuracy", final, "good" if reached else "bad"),
        Line("delivered", _delivered(report)),
        Line("rounds", f"{len(report.rounds)}"),
        Line("time", f"{report.seconds:.1f} s" + (f" ({phases})" if phases else "")),
        Line("chain", f"{chain.client}, id {chain.chain_id}, {blocks}"),
        Line("seed", str(report.seed)),
        Line("names", "S seller (its index on chain), C CONE node, B buyer"),
    ]
    if report.options:
        options = ", ".join(f"{name} {value}" for name, value in report.options.items())
        lines.append(Line("options", options))
    return Section("Outcome", lines=tuple(lines))


def must_show(report: Report) -> Section:
    """The criteria of a passed run, and what contradicts them."""
    lines = tuple(
        Line("holds", criterion.text, "good")
        if criterion.holds
        else Line("VIOLATED", f"{criterion.text}: {'; '.join(criterion.failures)}", "bad")
        for criterion in criteria(report)
    )
    return Section("What a run must show", lines=lines)


def earnings(report: Report, names: Names) -> Section:
    """Table of who earned what and why."""
    columns = (
        Column("party"),
        Column("behaviour"),
        Column("earned", numeric=True),
        Column("why", wraps=True),
        ADDRESS,
    )
    rows = tuple(
        (
            Cell(names(address)),
            behaviour_cell(payout.behaviour),
            money_cell(payout.wei),
            Cell(payout.why),
            address_cell(address),
        )
        for address, payout in report.payouts_wei.items()
    )
    sellers = sum(each.wei for each in report.payouts_wei.values() if each.role == "seller")
    pay = sum(account.pay_wei for account in report.nodes.values())
    lines = (
        Line("all sellers", _of_price(report, sellers)),
        Line("all CONE nodes", f"{_of_price(report, pay)}, slashed stake on top"),
    )
    return Section("Who earned what, and why", Table(columns, rows), lines)


def _of_price(report: Report, wei: int) -> str:
    price = report.auction.price_wei + report.auction.forfeits_wei
    return ether(wei) + (f" ({percent(wei / price)} of the price)" if price else "")


def gas(report: Report) -> Section:
    """Gas per step."""
    columns = (
        Column("step", wraps=True),
        Column("transactions", numeric=True),
        Column("mean gas", numeric=True),
        Column("largest", numeric=True),
        Column("total", numeric=True),
    )
    rows = tuple(
        (
            Cell(step),
            Cell(f"{used.count}"),
            Cell(f"{used.mean:,.0f}"),
            Cell(f"{used.max:,}"),
            Cell(f"{used.total:,}"),
        )
        for step, used in report.gas.items()
    )
    total = sum(used.total for used in report.gas.values())
    return Section("Gas by step", Table(columns, rows), (Line("all steps", f"{total:,} gas"),))


def accounts(report: Report) -> Section:
    """Table of the contracts' remaining holdings, and whether every wei is accounted for."""
    columns = (
        Column("contract"),
        Column("balance", numeric=True, wraps=True),
        Column("owed", numeric=True, wraps=True),
        Column("equal"),
    )
    rows = []
    for contract, balance in report.contract_balances_wei.items():
        owed = report.bound_wei(contract)
        equal = Cell("yes", "good") if balance == owed else Cell("NO", "bad")
        rows.append(
            (Cell(contract), Cell(wei_exact(balance)), Cell(wei_exact(owed)), equal),
        )
    parts = ", ".join(f"{part} {wei}" for part, wei in report.escrow_owes_wei.items())
    sums = report.conservation
    paid, out, held = map(wei_exact, (sums.paid_in_wei, sums.paid_out_wei, sums.held_wei))
    lines = (
        Line("owed", "ConePool: stakes; SellerRegistry: bonds; Escrow: the sum of the next line"),
        Line("escrow, wei", parts),
        Line("paid in", paid),
        Line("paid out", out),
        Line("still held", held),
        Line(
            "conservation",
            "holds: paid in = paid out + still held, to the wei"
            if sums.holds
            else "VIOLATED: paid in differs from paid out + still held",
            "good" if sums.holds else "bad",
        ),
    )
    return Section("Conservation of money", Table(columns, tuple(rows)), lines)


def delivery(report: Report) -> Section:
    """The model as the buyer got it."""
    got = report.delivery
    if got is None:
        return Section("Delivery", lines=(Line("model", "none was delivered", "bad"),))
    matches = Line("hash check", "the fetched weights match the hash on chain", "good")
    if not got.hash_matches:
        matches = Line("hash check", "MISMATCH: the weights are not those on chain", "bad")
    lines = (
        Line("CID", got.model_cid),
        Line("hash", got.model_hash),
        matches,
        Line("accuracy", _delivered(report)),
    )
    return Section("Delivery", lines=lines)


def _delivered(report: Report) -> str:
    if report.delivered_accuracy is None:
        return "nothing"
    return f"{percent(report.delivered_accuracy)} as re-measured by the buyer"


def files(report: Report) -> Section:
    """Where the files of this run lie."""
    lines = tuple(Line(kind, path) for kind, path in report.artifacts.items())
    return Section("The files of this run", lines=lines)
