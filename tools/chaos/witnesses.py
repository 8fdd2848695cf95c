"""Findings in the parties' logs and on the chain: who missed what in a run, and who lacked what."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from d2m.chain.contracts.market import Market
from d2m.parties.cone.node import SEED_CONFIRMATIONS
from tools.chaos.chain_node import Replaced

FOLLOWING_BLOCKS = 20
"""After the last replaced block in which what it held is mined again, and a mini-round with it."""


@dataclass(frozen=True)
class Place:
    """A duty: whose it was, and where."""

    party: str
    job: int
    round: int
    mini_round: int

    def __str__(self) -> str:
        return f"job {self.job}, round {self.round}.{self.mini_round}"


class Witnesses:
    """All that the processes have written."""

    def __init__(self, logs: dict[str, str]) -> None:
        """`logs` by the process's name."""
        self.crashes = [
            f"{name} crashed: see its log"
            for name, text in logs.items()
            if any(line.startswith("Traceback") for line in text.splitlines())
        ]
        entries = [(name, each) for name, text in logs.items() for each in _entries(text)]
        self.missed = [
            (_place(each), f"{name} missed a duty: {each.get('duty')} in {_place(each)}")
            for name, each in entries
            if each.get("event") == "missed: the window has passed"
        ]
        parties = {name: each["address"] for name, each in entries if "address" in each}
        self._lacked = {
            (parties.get(name), each.get("job"), each.get("round"))
            for name, each in entries
            if each.get("event") == LACKING
        }

    def lacked(self, party: str, job: int, round_number: int) -> bool:
        """Whether the party has said that it did not get what the round needs."""
        return (party, job, round_number) in self._lacked


LACKING = "update absent"
"""Message that a party logs where an update did not come in time."""


def displaced(market: Market, replaced: list[Replaced]) -> set[tuple[int, int, int]]:
    """The mini-rounds, as (job, round, mini-round), whose seed may have changed after commitments.

    Those that were scheduled in, or soon after, replaced blocks, where more of these were replaced
    at once than a node waits for before it commits.
    """
    deep = [each for each in replaced if each.last - each.first + 1 > SEED_CONFIRMATIONS]
    return {
        (log["args"]["jobId"], log["args"]["round"], log["args"]["miniRound"])
        for log in market.chain.logs("Yoda", "MiniRoundScheduled")
        if any(
            each.first <= log["args"]["seedBlock"] <= each.last + FOLLOWING_BLOCKS for each in deep
        )
    }


def _place(entry: dict[str, Any]) -> Place:
    """Where a log entry is about."""
    numbers = (int(entry.get(name, 0)) for name in ("job", "round", "mini_round"))
    return Place(str(entry.get("address")), *numbers)


def _entries(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        if not line.startswith("{"):
            continue
        try:
            yield json.loads(line)
        except ValueError:  # cut off by a kill
            continue
