"""Aggregation rules behind one interface: ``Rule(f=…)(updates)``.

All distances are exact integers and ties break by index, so a rule gives the same vector
everywhere. ``decide`` also says which updates the aggregate was built from.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from offchain.learning.grid import DIMENSION_LIMIT, UPDATE_LIMIT, IntVector

_CHUNK = 1 << 14
"""Entries per exact float64 product: 2**38 per square times 2**14 stays below 2**53."""


class RuleError(ValueError):
    """Input that a rule is not defined on; the message says why."""


class Decision(NamedTuple):
    """What a rule decided."""

    aggregate: IntVector
    """int32 (d,)."""
    kept: tuple[int, ...]
    """Rows of the input that the rule let through, ascending."""


@dataclass(frozen=True, kw_only=True)
class Rule(ABC):
    """A rule that tolerates f Byzantine rows among n. Raises RuleError when f is negative."""

    f: int = 0

    def __post_init__(self) -> None:
        if self.f < 0:
            raise RuleError(f"f is the number of Byzantine updates, not {self.f}")

    def __call__(self, updates: IntVector) -> IntVector:
        """Aggregate int32 (d,) of stacked updates int32 (n, d). Raises RuleError."""
        return self.decide(updates).aggregate

    def decide(self, updates: IntVector) -> Decision:
        """Aggregate and the rows that were kept. Raises RuleError on input it is not defined on."""
        _check(updates)
        if self.f >= len(updates):
            raise RuleError(f"f = {self.f} of {len(updates)} updates leaves none to aggregate")
        return self._decide(updates)

    @abstractmethod
    def _decide(self, updates: IntVector) -> Decision: ...


class Mean(Rule):
    """The mean of all updates, rounded to the nearest integer, halves up. Tolerates nothing.

    >>> Mean()(np.array([[1, 4], [2, 8]], dtype=np.int32)).tolist()
    [2, 6]
    """

    def _decide(self, updates: IntVector) -> Decision:
        return Decision(integer_mean(updates), tuple(range(len(updates))))


class KrumMean(Rule):
    """Multi-Krum: the mean of the n−f updates with the best Krum scores.

    score_i = Σ of squared distances to the max(1, n−f−2) nearest other updates (Blanchard et al.,
    NeurIPS 2017: the neighbours exclude i itself). The guarantee needs n ≥ 2f+3; below it the rule
    is still defined: a single update is kept, and of two the lower index wins a tie.

    >>> rows = np.array([[0], [1], [2], [90]], dtype=np.int32)
    >>> KrumMean(f=1)(rows).tolist()
    [1]
    """

    def _decide(self, updates: IntVector) -> Decision:
        kept = krum_candidates(gram(updates), self.f)
        return Decision(integer_mean(updates[list(kept)]), kept)


class CorrectedKrum(Rule):
    """The one candidate nearest to the mean of the candidates (the paper's rule, our definition).

    The candidates are the n−f updates with the best Krum scores, as in ``KrumMean``; of them the
    update with the smallest squared distance to their mean is the aggregate (compared exactly,
    multiplied out; ties by index). Condition as for Krum: n ≥ 2f+3.

    >>> rows = np.array([[0], [1], [3], [90]], dtype=np.int32)
    >>> CorrectedKrum(f=1)(rows).tolist()
    [1]
    """

    def _decide(self, updates: IntVector) -> Decision:
        products = gram(updates)
        kept = krum_candidates(products, self.f)
        # |x_i − S/m|² = |x_i|² − 2 x_i·S/m + const: multiplied by m, in Python's integers.
        distances = [
            len(kept) * int(products[i, i]) - 2 * sum(int(products[i, j]) for j in kept)
            for i in kept
        ]
        nearest = kept[distances.index(min(distances))]
        return Decision(updates[nearest].copy(), kept)


RULES: dict[str, type[Rule]] = {
    "mean": Mean,
    "krum_mean": KrumMean,
    "corrected_krum": CorrectedKrum,
}
"""Rules by the name that a job's specification uses."""


def gram(updates: IntVector) -> npt.NDArray[np.int64]:
    """All inner products (n, n), exact.

    Float64 products of chunks are exact (every partial sum is an integer below 2**53) and fast;
    chunks add up in int64, below 2**60.
    """
    total = np.zeros((len(updates), len(updates)), dtype=np.int64)
    for start in range(0, updates.shape[1], _CHUNK):
        chunk = updates[:, start : start + _CHUNK].astype(np.float64)
        total += (chunk @ chunk.T).astype(np.int64)
    return total


def squared_distances(products: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Squared distances (n, n) from inner products; at most 2**62."""
    norms = np.diag(products)
    distances: npt.NDArray[np.int64] = norms[:, None] + norms[None, :] - 2 * products
    return distances


def krum_candidates(products: npt.NDArray[np.int64], f: int) -> tuple[int, ...]:
    """Indices, ascending, of the n−f best Krum scores; ties by index."""
    n = len(products)
    neighbours = max(1, n - f - 2)
    distances = squared_distances(products)
    scores = []
    for i in range(n):
        others = sorted(int(distance) for j, distance in enumerate(distances[i]) if j != i)
        scores.append(sum(others[:neighbours]))  # Python's integers: a sum may pass 2**63
    best = sorted(range(n), key=lambda i: (scores[i], i))[: n - f]
    return tuple(sorted(best))


def integer_mean(updates: IntVector) -> IntVector:
    """Elementwise mean rounded to the nearest integer, halves up: floor((2s + n)/(2n))."""
    n = len(updates)
    sums = updates.sum(axis=0, dtype=np.int64)
    mean: IntVector = ((2 * sums + n) // (2 * n)).astype(np.int32)
    return mean


def _check(updates: IntVector) -> None:
    if updates.ndim != 2 or 0 in updates.shape:
        raise RuleError(f"expected updates of shape (n, d), both at least 1, got {updates.shape}")
    if updates.dtype != np.int32:
        raise RuleError(f"expected int32 updates on the grid, got {updates.dtype}")
    if updates.shape[1] > DIMENSION_LIMIT:
        raise RuleError(f"{updates.shape[1]} entries; at most {DIMENSION_LIMIT}")
    if int(updates.max()) > UPDATE_LIMIT or int(updates.min()) < -UPDATE_LIMIT:
        raise RuleError(f"an entry exceeds {UPDATE_LIMIT} grid units")
