"""Tables of the facts that `status` gathers, for people."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from d2m.cli.formatting import clean
from d2m.cli.status import Facts
from d2m.protocol.amounts import shown_amount
from d2m.protocol.types import ETHER

WIDE = 200
"""Columns where no terminal says how many there are: nothing is folded."""
OF_TOKEN = ("price", "reserve", "highest_bid", "amount")
OF_ETHER = ("balance", "bond", "stake")


def print_market(facts: Facts) -> None:
    """Jobs and auctions, a line each."""
    console = _console()
    console.print(f"block {facts['block']}")
    jobs = [
        (
            str(job["job"]),
            job["state"] if not job["failure"] else f"failed: {_words(job['failure'])}",
            clean(job["tag"]),
            f"{job['round']} of {job['rounds']}",
            str(job["sellers"]),
            shown_amount(job["price"], job["token"]),
            _deadline(job),
        )
        for job in facts["jobs"]
    ]
    header = ("job", "state", "tag", "round", "sellers", "price", "window")
    _print_table(console, "jobs", header, jobs)
    auctions = [
        (
            str(auction["auction"]),
            auction["state"],
            _words(auction["kind"]),
            _bid(auction),
            shown_amount(auction["reserve"], auction["token"]),
            str(auction["job"] or ""),
            _deadline(auction),
        )
        for auction in facts["auctions"]
    ]
    header = ("auction", "state", "kind", "highest bid", "reserve", "job", "closes")
    _print_table(console, "auctions", header, auctions)


def print_facts(facts: Facts) -> None:
    """Everything about one thing, a line for each fact."""
    console = _console()
    for line in _lines(facts, facts.get("token", ETHER)):
        console.print(line, markup=False, highlight=False)


def _lines(facts: Facts, token: str, indent: str = "") -> list[str]:
    lines: list[str] = []
    width = max(len(_words(name)) for name in facts)
    for name, value in facts.items():
        if isinstance(value, dict):
            lines += [f"{indent}{_words(name)}:", *_lines(value, token, indent + "  ")]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            lines += [f"{indent}{_words(name)}:", *(f"{indent}  {_line(each)}" for each in value)]
        else:
            lines.append(f"{indent}{_words(name):{width}}  {_shown(name, value, token)}")
    return lines


def _line(facts: Facts) -> str:
    """A small thing on one line."""
    token = facts.get("token", ETHER)
    shown = {name: _shown(name, value, token) for name, value in facts.items() if name != "token"}
    return ", ".join(f"{_words(name)} {value}" for name, value in shown.items())


def _shown(name: str, value: Any, token: str) -> str:
    if value is None or value == []:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name in OF_ETHER:
        return shown_amount(value)
    if name in OF_TOKEN:
        return shown_amount(value, token)
    if name == "token":
        return "ether" if value == ETHER else str(value)
    return clean(", ".join(map(str, value)) if isinstance(value, list) else str(value))


def _bid(auction: Facts) -> str:
    if auction["highest_bid"] is None:
        sealed = auction["sealed_bids"]
        return f"{sealed} sealed, {auction['revealed_bids']} revealed" if sealed else "none"
    return shown_amount(auction["highest_bid"], auction["token"])


def _deadline(thing: Facts) -> str:
    if thing.get("due"):
        return "over: anybody can push it on"
    if thing["deadline"] is None:
        return ""
    return f"block {thing['deadline']}, {thing['blocks_left']} left"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _print_table(
    console: Console, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    if not rows:
        console.print(f"no {title}")
        return
    table = Table(*header, title=title, title_justify="left", box=None)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _console() -> Console:
    return Console(markup=False, width=None if sys.stdout.isatty() else WIDE)
