"""Tables of the nodes: votes, pay, slashes, and Byzantine parties by themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from d2m.demo.report.cells import behaviour_cell, money_cell, net_cell
from d2m.demo.report.criteria import judged_votes
from d2m.demo.report.model import Payout, Report
from d2m.demo.report.names import Names
from d2m.demo.report.tables import Cell, Column, Line, Section, Table
from d2m.protocol.amounts import ether, wei_exact


def nodes(report: Report, names: Names) -> Section:
    """Table of each CONE node's income and costs from the job."""
    columns = (
        Column("node"),
        Column("behaviour", wraps=True),
        Column("asked", numeric=True),
        Column("right", numeric=True),
        Column("pay", numeric=True, wraps=True),
        Column("of slashes", numeric=True, wraps=True),
        Column("slashed", numeric=True, wraps=True),
        Column("net", numeric=True, wraps=True),
    )
    behaviours = {address: payout.behaviour for address, payout in report.payouts_wei.items()}
    rows = tuple(
        (
            Cell(names(address)),
            behaviour_cell(behaviours[address]),
            Cell(str(account.asked)),
            Cell(str(account.right_votes)),
            money_cell(account.pay_wei),
            money_cell(account.slash_share_wei),
            money_cell(account.slashed_wei),
            net_cell(account.net_wei),
        )
        for address, account in report.nodes.items()
    )
    accounts = report.nodes.values()
    lines = (
        Line("pay", f"{ether(sum(each.pay_wei for each in accounts))}, by right votes"),
        Line("of slashes", "the stake that others lost, shared by right votes in the same way"),
    )
    return Section("CONE nodes: votes, pay, slashes", Table(columns, rows), lines)


def slashes(report: Report, names: Names) -> Section:
    """Table of slashes: who, where and for what, how much, and who received it."""
    columns = (
        Column("node"),
        Column("behaviour"),
        Column("round", numeric=True),
        Column("mini", numeric=True),
        Column("for"),
        Column("lost", numeric=True),
        Column("reported by"),
    )
    rows = tuple(
        (
            Cell(names(slash.node)),
            behaviour_cell(slash.behaviour),
            Cell(str(slash.round)),
            Cell(str(slash.mini_round)),
            Cell(slash.conduct, "bad"),
            money_cell(slash.wei),
            Cell(names(slash.sender)),
        )
        for slash in report.slashes
    )
    if not rows:
        return Section("Slashed stakes", lines=(Line("none", "no offence was punished"),))
    received = [
        f"{names(address)} {ether(account.slash_share_wei)}"
        for address, account in report.nodes.items()
        if account.slash_share_wei
    ]
    lines = [
        Line("all slashes", _exact(sum(slash.wei for slash in report.slashes))),
        Line("received", _exact(sum(each.slash_share_wei for each in report.nodes.values()))),
        Line("by", ", ".join(received) or "nobody: no vote was right"),
    ]
    if any(slash.wei == 0 for slash in report.slashes):
        lines.append(Line("lost 0", "nothing was left of the stake"))
    return Section("Slashed stakes", Table(columns, rows), tuple(lines))


def byzantine(report: Report, names: Names) -> Section:
    """Each Byzantine party: how often it was caught, what it lost, what it earned all the same."""
    columns = (
        Column("party"),
        Column("behaviour"),
        Column("acted"),
        Column("caught", wraps=True),
        Column("slashed", numeric=True),
        Column("earned", numeric=True),
    )
    rows = tuple(_byzantine_rows(report, names))
    if not rows:
        return Section("Byzantine parties", lines=(Line("none", "every party was honest"),))
    return Section("Byzantine parties", Table(columns, rows))


def _byzantine_rows(report: Report, names: Names) -> Iterator[tuple[Cell, ...]]:
    for address, payout in report.payouts_wei.items():
        if payout.behaviour == "honest":
            continue
        acted, caught = _counts(report, address, payout)
        account = report.nodes.get(address)
        yield (
            Cell(names(address)),
            Cell(payout.behaviour, "bad"),
            Cell(acted),
            Cell(caught),
            money_cell(account.slashed_wei) if account else Cell("-"),
            money_cell(payout.wei),
        )


def _counts(report: Report, address: str, payout: Payout) -> tuple[str, str]:
    if payout.role == "seller":
        posted = [u for played in report.rounds for u in played.updates if u.seller == address]
        filtered = sum(not update.kept for update in posted)
        return f"{len(posted)} posted", f"{filtered} filtered"
    conducts = Counter(voter.conduct for voter in judged_votes(report) if voter.node == address)
    caught = [f"{count} {conduct}" for conduct, count in conducts.items() if conduct != "right"]
    return f"{conducts.total()} judged", ", ".join(sorted(caught)) or "0"


def _exact(wei: int) -> str:
    """An amount twice: to read, and to the wei."""
    return f"{ether(wei)} ({wei_exact(wei)})"
