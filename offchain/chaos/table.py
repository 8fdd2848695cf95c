"""The table of chaos runs in a document, one row a run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from statistics import median

from offchain.chaos.play import Outcome

BEGIN, END = "<!-- chaos runs -->", "<!-- end of chaos runs -->"


def row(outcome: Outcome) -> dict[str, str]:
    """A run's figures by column."""
    states = Counter(ending.state for ending in outcome.endings)
    hits = outcome.disturbances
    outages = hits["cut off"] + hits["storm"]
    chain = hits["chain node pauses"] + hits["chain node stops"]
    return {
        "seed": str(outcome.seed),
        "jobs": str(len(outcome.endings)),
        "settled": str(states["settled"]),
        "void auctions": str(outcome.void),
        "failed, refunded": str(states["failed"]),
        "blocks a job (median)": f"{median(each.blocks for each in outcome.endings):.0f}",
        "kill -9": str(hits["kill -9"]),
        "pauses": str(hits["pause"]),
        "cuts and storms": str(outages),
        "chain node away": str(chain),
        "IPFS node away": str(hits["IPFS node away"]) if outcome.has_ipfs else "no node",
        "partitions": str(hits["partition"]) if outcome.has_namespaces else "no namespaces",
        "pieces lost": str(outcome.pieces_lost),
        "process starts": str(outcome.starts),
        "honest slashed": str(sum("was slashed" in fault for fault in outcome.faults)),
        "faults": str(len(outcome.faults)),
        "minutes": f"{outcome.seconds / 60:.0f}",
    }


def write_table(document: Path, outcome: Outcome) -> None:
    """Put the run's row into the table between the markers, in place of one with its seed.

    Raises ValueError when the document has no such place.
    """
    text = document.read_text()
    if BEGIN not in text or END not in text:
        raise ValueError(f"{document} has no {BEGIN} … {END}: put them where the table shall be")
    before, rest = text.split(BEGIN, 1)
    old, after = rest.split(END, 1)
    found = row(outcome)
    lines = [line for line in old.strip().splitlines()[2:] if not _is_of(line, found["seed"])]
    lines.append(_line(list(found.values())))
    lines.sort(key=lambda line: int(line.split("|")[1]))
    table = [_line(list(found)), "|---" * len(found) + "|", *lines]
    document.write_text(f"{before}{BEGIN}\n\n" + "\n".join(table) + f"\n\n{END}{after}")


def _is_of(line: str, seed: str) -> bool:
    return line.split("|")[1].strip() == seed


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
