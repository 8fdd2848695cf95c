"""The table of chaos runs in a document, one row a run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from statistics import median

from tools.chaos.play import Outcome
from tools.chaos.schedule import Kind

BEGIN, END = "<!-- chaos runs -->", "<!-- end of chaos runs -->"
KEYS = 2
"""Columns that tell rows apart: where it was played, and the seed."""
COLUMNS = {
    "kill -9": (Kind.KILL,),
    "pauses": (Kind.PAUSE,),
    "cuts and storms": (Kind.CUT, Kind.STORM),
    "chain node away": (Kind.CHAIN_PAUSE, Kind.CHAIN_STOP),
    "killed with blocks": (Kind.CHAIN_KILL,),
    "re-organised": (Kind.REORGANISATION,),
    "IPFS node away": (Kind.STORE_KILL, Kind.STORE_PAUSE),
    "garbage collected": (Kind.STORE_COLLECTION,),
    "partitions": (Kind.PARTITION,),
}
"""Disturbances by column."""


def row(outcome: Outcome) -> dict[str, str]:
    """A run's figures by column."""
    states = Counter(ending.state for ending in outcome.endings)
    options, hits = outcome.options, outcome.disturbances
    store = "Kubo" if options.kubo else "a folder"
    trouble = {
        column: str(sum(hits[kind.text] for kind in kinds))
        if any(kind.needs in options.there for kind in kinds)
        else "–"
        for column, kinds in COLUMNS.items()
    }
    return {
        "chain, store": f"{options.chain}, {store}",
        "seed": str(options.seed),
        "jobs": str(len(outcome.endings)),
        "settled": str(states["settled"]),
        "void auctions": str(outcome.void),
        "failed, refunded": str(states["failed"]),
        "blocks a job (median)": f"{median(each.blocks for each in outcome.endings):.0f}",
        **trouble,
        "pieces lost": str(outcome.pieces_lost),
        "process starts": str(outcome.starts),
        "inherent": str(len(outcome.inherent)),
        "faults": str(len(outcome.faults)),
        "minutes": f"{outcome.seconds / 60:.0f}",
    }


def write_table(document: Path, outcome: Outcome) -> None:
    """Put the run's row into the table between the markers, in place of one with the same key.

    Raises ValueError when the document has no such place.
    """
    text = document.read_text()
    if BEGIN not in text or END not in text:
        raise ValueError(f"{document} has no {BEGIN} … {END}: put them where the table shall be")
    before, rest = text.split(BEGIN, 1)
    old, after = rest.split(END, 1)
    found = row(outcome)
    new = _line(list(found.values()))
    lines = [line for line in old.strip().splitlines()[2:] if _key(line) != _key(new)]
    lines = sorted([*lines, new], key=_key)
    table = [_line(list(found)), "|---" * len(found) + "|", *lines]
    document.write_text(f"{before}{BEGIN}\n\n" + "\n".join(table) + f"\n\n{END}{after}")


def _key(line: str) -> tuple[list[str], int]:
    """Key of a row, which tells it from others and orders the rows."""
    *where, seed = (cell.strip() for cell in line.split("|")[1 : KEYS + 1])
    return where, int(seed)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
