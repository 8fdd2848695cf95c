"""Byzantine sellers' knowledge of a round, and the type of an attack on its updates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from d2m.learning.grid import UPDATE_LIMIT, FloatVector, IntVector


@dataclass(frozen=True, eq=False)
class View:
    """One round as omniscient, colluding Byzantine sellers see it: h honest updates, m of theirs.

    Raises ValueError on shapes that do not fit, and where h + m = 0.
    """

    honest: IntVector
    """int32 (h, d): the honest updates of the round."""
    own: IntVector
    """int32 (m, d): what honest training would have given the Byzantine sellers."""
    previous: IntVector | None
    """int32 (m, d): what each of them has from an earlier round; None where there is none."""
    rule: Callable[[IntVector], IntVector]
    """The aggregation in use: int32 (n, d) -> int32 (d,). Attacks ask it with honest rows first."""
    generator: np.random.Generator
    """The attack's only source of randomness: one seed gives one attack."""

    def __post_init__(self) -> None:
        if self.honest.ndim != 2 or self.honest.shape[1:] != self.own.shape[1:]:
            raise ValueError(f"updates of shapes {self.honest.shape} and {self.own.shape}")
        if not len(self.honest) + len(self.own):
            raise ValueError("a round without updates: there is nothing to attack")
        if self.previous is not None and self.previous.shape != self.own.shape:
            raise ValueError(f"previous {self.previous.shape}, but own {self.own.shape}")

    @property
    def benign(self) -> IntVector:
        """The updates to learn from: the honest ones, or without any (h = 0) their own."""
        return self.honest if len(self.honest) else self.own

    @property
    def mean(self) -> FloatVector:
        """μ, float64 (d,), of the benign updates in grid units."""
        mean: FloatVector = self.benign.mean(axis=0, dtype=np.float64)
        return mean

    @property
    def deviation(self) -> FloatVector:
        """σ, float64 (d,): by entry, over the benign updates (divided by h, not by h − 1)."""
        deviation: FloatVector = self.benign.std(axis=0, dtype=np.float64)
        return deviation

    def posted_by_all(self, values: FloatVector) -> IntVector:
        """Real values (d,) in grid units as the update of every Byzantine seller: int32 (m, d)."""
        return np.tile(on_grid(values), (len(self.own), 1))


Attack = Callable[[View], IntVector]
"""Makes the Byzantine sellers' updates: int32 (m, d) on the grid, no entry above UPDATE_LIMIT."""


def on_grid(values: FloatVector) -> IntVector:
    """Nearest integers (ties to even) of values in grid units, clipped to ±UPDATE_LIMIT."""
    grid: IntVector = np.clip(np.rint(values), -UPDATE_LIMIT, UPDATE_LIMIT).astype(np.int32)
    return grid
