"""Votes on the rounds of a cell, among the CONE's honest and Byzantine nodes.

The vote follows Modified YODA (docs/protocol.md) with the exact test, on uniform draws. Nobody
learns anything here: whose result a round accepts does not depend on the weights.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from d2m.protocol.constants import BPS, PPM
from d2m.protocol.likelihood import Pool, is_accepted
from d2m.protocol.sortition import asked_after
from experiments.paper.cells import Cell
from experiments.studies.yoda import MAX_DRAWS

NODES = 50
"""CONE nodes, as in the paper."""
TOLERATED_BPS = 4000
"""f of the job: the largest share of liars for which the experiments promise something."""
BASE = 4
"""Nodes of the first execution set, less one."""
ERROR_PPM = PPM // 1000
"""β: one wrong result in a thousand rounds."""

TRUE_DIGEST = b"true"
WRONG_DIGEST = b"wrong"


Bools = NDArray[np.bool_]


class Outcome(Enum):
    """Outcome of a round's vote."""

    TRUE = "true"
    """The honest nodes' result."""
    WRONG = "wrong"
    """A Byzantine result."""
    UNDECIDED = "undecided"
    """None, in two draws: the job fails and keeps its last accepted model."""


def outcomes(cell: Cell) -> list[Outcome]:
    """By round, up to the one with which the job ends."""
    random = np.random.Generator(np.random.PCG64(cell.integer(f"votes {cell.voting}")))
    liars = np.arange(NODES) < NODES * cell.byzantine_nodes // BPS
    found: list[Outcome] = []
    while len(found) < cell.rounds and Outcome.UNDECIDED not in found:
        found.append(_vote(cell, liars, random) if cell.yoda else _one_node(liars, random))
    return found


def _one_node(liars: Bools, random: np.random.Generator) -> Outcome:
    """Without YODA: whatever one node says."""
    return Outcome.WRONG if liars[random.integers(len(liars))] else Outcome.TRUE


def _vote(cell: Cell, liars: Bools, random: np.random.Generator) -> Outcome:
    for _ in range(MAX_DRAWS):
        accepted = _draw(cell.voting, random.permutation(liars).tolist())
        if accepted is not None:
            return Outcome.TRUE if accepted == TRUE_DIGEST else Outcome.WRONG
    return Outcome.UNDECIDED


def _draw(voting: str, order: Sequence[bool]) -> bytes | None:
    """The digest accepted when the pool is asked in this order, None where it is asked in vain."""
    pool = Pool(len(order), TOLERATED_BPS)
    asked = mini_round = 0
    while asked < pool.seats:
        mini_round += 1
        asked = asked_after(BASE, mini_round, pool.seats)
        said = [_digest(voting, node, lies) for node, lies in enumerate(order[:asked])]
        tally = Counter(digest for digest in said if digest is not None)
        if is_accepted(pool, tally, ERROR_PPM, silent=said.count(None)):
            return tally.most_common(1)[0][0]
    return None


def _digest(voting: str, node: int, lies: bool) -> bytes | None:
    """Vote of one node. Stale results are all the same one, random ones all differ."""
    if not lies:
        return TRUE_DIGEST
    if voting == "silent":
        return None
    return f"random {node}".encode() if voting == "random" else WRONG_DIGEST
