"""What happens when: a sequence of disturbances that follows from a seed alone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

MEAN_GAP_SECONDS = 4.0
"""Between two disturbances: some ten in the life of a job."""


class Kind(Enum):
    """Disturbances, with how often each comes (weights) and how long it lasts (seconds)."""

    KILL = "kill -9", 8, (0.0, 10.0)
    """A party's process, which is started again after that time."""
    PAUSE = "pause", 5, (1.0, 15.0)
    """A party's process, by SIGSTOP."""
    CUT = "cut off", 3, (2.0, 12.0)
    """All parties of one site lose the chain's node."""
    STORM = "storm", 3, (5.0, 20.0)
    """Requests and answers on all proxies are lost and late."""
    CHAIN_PAUSE = "chain node pauses", 1, (2.0, 8.0)
    CHAIN_STOP = "chain node stops", 1, (1.0, 8.0)
    """Its process ends and is started again; what was not mined is forgotten."""
    STORE_CUT = "IPFS node away", 2, (2.0, 12.0)
    """All parties lose the IPFS node, where the run has one."""
    PARTITION = "partition", 3, (2.0, 12.0)
    """No packet leaves or reaches a site's network namespace, where the run has them."""

    def __init__(self, text: str, weight: int, seconds: tuple[float, float]) -> None:
        self.text = text
        self.weight = weight
        self.seconds = seconds


LONGEST_SECONDS = max(kind.seconds[1] for kind in Kind)
"""Of a single disturbance."""


@dataclass(frozen=True)
class Disturbance:
    """One disturbance. `target` in [0, 1) picks whom it meets among those there are."""

    number: int
    after_seconds: float
    """Since the one before began."""
    kind: Kind
    target: float
    seconds: float
    severity: float
    """In [0, 1): of a storm."""


def disturbances(
    seed: int, *, has_ipfs: bool = False, has_namespaces: bool = False
) -> Iterator[Disturbance]:
    """An endless sequence, the same for the same arguments whatever happens meanwhile."""
    is_there = {Kind.STORE_CUT: has_ipfs, Kind.PARTITION: has_namespaces}
    kinds = [each for each in Kind if is_there.get(each, True)]
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
