"""Schedule of disturbances: a sequence that follows from a seed alone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, Flag, auto

MEAN_GAP_SECONDS = 4.0
"""Between two disturbances: some ten in the life of a job."""


class Needs(Flag):
    """Things that a run must have for a disturbance."""

    NOTHING = 0
    GETH = auto()
    KUBO = auto()
    NAMESPACES = auto()


class Kind(Enum):
    """Disturbances, with how often each comes (weights), how long it lasts (seconds), and where."""

    KILL = "kill -9", 8, (0.0, 10.0), Needs.NOTHING
    """A party's process, which is started again after that time."""
    PAUSE = "pause", 5, (1.0, 15.0), Needs.NOTHING
    """A party's process, by SIGSTOP."""
    CUT = "cut off", 3, (2.0, 12.0), Needs.NOTHING
    """All parties of one site lose the chain's node."""
    STORM = "storm", 3, (5.0, 20.0), Needs.NOTHING
    """Requests to the chain's node and its answers are lost and late, at all sites."""
    CHAIN_PAUSE = "chain node pauses", 1, (2.0, 8.0), Needs.NOTHING
    CHAIN_STOP = "chain node stops", 1, (1.0, 8.0), Needs.NOTHING
    """Its process ends and is started again; what was not mined is forgotten."""
    CHAIN_KILL = "chain node killed", 1, (1.0, 20.0), Needs.GETH
    """By kill -9: the last blocks are gone, too, and nobody sends again what they held."""
    REORGANISATION = "re-organisation", 2, (0.0, 0.0), Needs.GETH
    """The last blocks are replaced by others."""
    STORE_KILL = "IPFS node killed", 2, (1.0, 40.0), Needs.KUBO
    """One site's, by kill -9."""
    STORE_PAUSE = "IPFS node pauses", 2, (1.0, 40.0), Needs.KUBO
    """One site's, by SIGSTOP: it takes connections and never answers."""
    STORE_COLLECTION = "garbage collection", 2, (0.0, 0.0), Needs.KUBO
    """One site's IPFS node drops all that nobody pins."""
    PARTITION = "partition", 3, (2.0, 12.0), Needs.NAMESPACES
    """No packet leaves or reaches a site's network namespace."""

    def __init__(self, text: str, weight: int, seconds: tuple[float, float], needs: Needs) -> None:
        self.text = text
        self.weight = weight
        self.seconds = seconds
        self.needs = needs


LONGEST_SECONDS = max(kind.seconds[1] for kind in Kind)
"""Longest time of a single disturbance."""


@dataclass(frozen=True)
class Disturbance:
    """One disturbance. `target` in [0, 1) picks whom it meets among those there are."""

    number: int
    after_seconds: float
    """Since the one before began."""
    kind: Kind
    target: float
    """In a re-organisation it decides the fate of the transactions."""
    seconds: float
    severity: float
    """In [0, 1): of a storm, or of how many blocks are replaced or lost."""

    def blocks(self, most: int) -> int:
        """From 1 to `most`, mostly few, as on real networks."""
        return 1 + int(self.severity**3 * most)


def disturbances(seed: int, there: Needs) -> Iterator[Disturbance]:
    """An endless sequence, the same for the same arguments whatever happens meanwhile.

    `there`: what the run has.
    """
    kinds = [each for each in Kind if each.needs in there]
    number = 0
    while True:
        chance = random.Random(f"{seed}/{number}")
        (kind,) = chance.choices(kinds, [each.weight for each in kinds])
        yield Disturbance(
            number,
            chance.expovariate(1 / MEAN_GAP_SECONDS),
            kind,
            chance.random(),
            chance.uniform(*kind.seconds),
            chance.random(),
        )
        number += 1
