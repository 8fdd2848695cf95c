"""What the report says, section by section, from the collected facts."""

from __future__ import annotations

from collections.abc import Iterator

from offchain.market.report.model import Payout, Report
from offchain.market.report.names import Names, ether, percent, short_address, wei_exact
from offchain.market.report.rounds import HOW_TO_READ, round_section
from offchain.market.report.tables import Cell, Column, Line, Section, Table, Tone

ADDRESS = Column("address", spelt_out=True)


def sections(report: Report) -> list[Section]:
    """Every section, in the order in which the job went."""
    names = Names(report)
    rounds = tuple(round_section(played, names) for played in report.rounds)
    lines = HOW_TO_READ if rounds else (Line("rounds", "none was played", "bad"),)
    return [
        outcome(report),
        auction(report, names),
        Section("Rounds", lines=lines, parts=rounds),
        byzantine(report, names),
        earnings(report, names),
        gas(report),
        money(report),
        delivery(report),
        absent(report),
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


def auction(report: Report, names: Names) -> Section:
    """The bids, who won, who took a refund, which sellers were matched."""
    held = report.auction
    columns = (
        Column("bidder"),
        Column("bid", numeric=True),
        Column("block", numeric=True),
        Column("result"),
        ADDRESS,
    )
    won = {held.winner: held.price_wei}
    rows = tuple(
        (
            Cell(names(bid.bidder)),
            Cell(ether(bid.wei), full=wei_exact(bid.wei)),
            Cell(str(bid.block)),
            Cell("wins", "good") if won.get(bid.bidder) == bid.wei else Cell("outbid"),
            _address(bid.bidder),
        )
        for bid in held.bids
    )
    lines = [
        Line("tag", held.tag),
        Line("winner", f"{names(held.winner)} pays {ether(held.price_wei)}", "good"),
        *(Line("refund", f"{names(to)} {ether(wei)}") for to, wei in report.refunds_wei.items()),
        Line("matched", names.all(held.matched)),
        Line("not matched", names.all(held.unmatched)),
    ]
    return Section("Auction", Table(columns, rows), tuple(lines))


def byzantine(report: Report, names: Names) -> Section:
    """Each Byzantine party: how often it was refused, and what it earned all the same."""
    columns = (
        Column("party"),
        Column("behaviour"),
        Column("acted", numeric=True),
        Column("refused", numeric=True),
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
        acted, refused = _counts(report, address, payout)
        yield (
            Cell(names(address)),
            Cell(payout.behaviour, "bad"),
            Cell(acted),
            Cell(refused),
            Cell(ether(payout.wei), full=wei_exact(payout.wei)),
        )


def _counts(report: Report, address: str, payout: Payout) -> tuple[str, str]:
    if payout.role == "seller":
        posted = [u for played in report.rounds for u in played.updates if u.seller == address]
        filtered = sum(not update.kept for update in posted)
        return f"{len(posted)} posted", f"{filtered} filtered"
    votes = [
        voter
        for played in report.rounds
        for mini in played.mini_rounds
        for voter in mini.voters
        if voter.node == address
    ]
    return f"{len(votes)} voted", f"{sum(vote.right is False for vote in votes)} outvoted"


def earnings(report: Report, names: Names) -> Section:
    """Who earned what and why."""
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
            Cell(behaviour_text(payout.behaviour), _tone(payout.behaviour)),
            Cell(ether(payout.wei), full=wei_exact(payout.wei)),
            Cell(payout.why),
            _address(address),
        )
        for address, payout in report.payouts_wei.items()
    )
    lines = (_total(report, "seller", "all sellers"), _total(report, "cone", "all CONE nodes"))
    return Section("Who earned what, and why", Table(columns, rows), lines)


def _total(report: Report, role: str, label: str) -> Line:
    wei = sum(payout.wei for payout in report.payouts_wei.values() if payout.role == role)
    price = report.auction.price_wei
    share = f" ({percent(wei / price)} of the price)" if price else ""
    return Line(label, ether(wei) + share)


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


def money(report: Report) -> Section:
    """What the contracts still hold, and whether every wei is accounted for."""
    columns = (
        Column("contract"),
        Column("balance", numeric=True, wraps=True),
        Column("stakes bonded", numeric=True, wraps=True),
        Column("balance = stakes"),
    )
    rows = []
    for contract, balance in report.contract_balances_wei.items():
        stake = report.stakes_wei.get(contract, 0)
        equal = Cell("yes", "good") if balance == stake else Cell("NO", "bad")
        rows.append(
            (Cell(contract), Cell(wei_exact(balance)), Cell(wei_exact(stake)), equal),
        )
    sums = report.conservation
    paid, out, held = map(wei_exact, (sums.paid_in_wei, sums.paid_out_wei, sums.held_wei))
    lines = (
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


def absent(report: Report) -> Section:
    """What is not built yet, and where the files of this run lie."""
    missing = tuple(Line("not built yet", part) for part in report.absent)
    files = tuple(Line(kind, path) for kind, path in report.artifacts.items())
    return Section("What is absent, and the files of this run", lines=missing + files)


def behaviour_text(behaviour: str) -> str:
    """Marks a Byzantine behaviour in words, so that it shows without colours."""
    return behaviour if behaviour == "honest" else f"{behaviour} (Byzantine)"


def _tone(behaviour: str) -> Tone:
    return "plain" if behaviour == "honest" else "bad"


def _address(address: str) -> Cell:
    return Cell(short_address(address), full=address)
