"""Steps before a rule: they turn updates into as many or fewer updates that are easier to judge.

The outcome lies on the grid again (rounded to the nearest integer, halves up), so that steps and
rules combine freely; the rounding is at most half a grid unit in each entry.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import isqrt

import numpy as np

from d2m.learning.grid import IntVector
from d2m.learning.rules.base import Rule, Tolerant
from d2m.learning.rules.stack import Stack, combine, integer_mean

_ONE = 1 << 32
"""Factors of clipping are integers over this."""
BUCKET_SIZE = 2
"""s; the source finds that 2 suffices."""


class Step(Tolerant, ABC):
    """A step before a rule: n updates to at most n."""

    def __call__(self, updates: IntVector) -> IntVector:
        """New updates int32 (m, d), m ≤ n, of stacked updates int32 (n, d). Raises RuleError."""
        return self._apply(self.stack(updates))

    @abstractmethod
    def _apply(self, stack: Stack) -> IntVector: ...


class NearestNeighbourMixing(Step):
    """NNM: every update becomes the mean of the n−f updates nearest to it, itself among them.

    Formula: y_i = (1/(n−f))·Σ_{j∈N_i} x_j, N_i the n−f smallest |x_i − x_j|, ties by index. Needs
    n ≥ 2f+1 and is defined for every n > f. Cost: O(n²·d). Source: Allouah, Farhadkhani, Guerraoui,
    Gupta, Pinot and Stephan, AISTATS 2023.

    >>> rows = np.array([[0], [2], [4], [90]], dtype=np.int32)
    >>> NearestNeighbourMixing(f=2)(rows).tolist()
    [[1], [1], [3], [47]]
    """

    def _apply(self, stack: Stack) -> IntVector:
        n = len(stack)
        nearest = [
            {j for _, j in sorted((distance, j) for j, distance in enumerate(row))[: n - self.f]}
            for row in stack.distances
        ]
        mixing = [[int(j in own) for j in range(n)] for own in nearest]
        return combine(mixing, n - self.f, stack.rows)


class Bucketing(Step):
    """Every two updates in the order of their indices become their mean.

    Formula: y_b = (1/|B_b|)·Σ_{i∈B_b} x_i, B_b the s = 2 rows from s·b on, ⌈n/s⌉ buckets. f rows
    reach at most f buckets, so n > 4f keeps an honest majority of buckets; below it nothing is
    bucketed. Cost: O(n·d). Source: Karimireddy, He and Jaggi, ICLR 2022, who permute at random.
    *Why not here:* a permutation that follows from the updates can be chosen by whoever posts last,
    one hash a try. A seller's index is fixed when the job is created, before anything is posted,
    and the guarantee is the same for every order.

    >>> Bucketing(f=1)(np.array([[0], [1], [2], [90], [5]], dtype=np.int32)).tolist()
    [[1], [46], [5]]
    """

    def _apply(self, stack: Stack) -> IntVector:
        rows = stack.rows
        buckets = range(0, len(rows), BUCKET_SIZE)
        if 2 * self.f >= len(buckets):
            return rows
        return np.stack([integer_mean(rows[first : first + BUCKET_SIZE]) for first in buckets])


class Clipping(Step):
    """ARC, adaptive robust clipping: the k longest updates get the length of the next longest.

    Formula: y_i = x_i·min(1, C/|x_i|), C the (k+1)-th largest |x_i|, k = ⌊2(f/n)(n−f)⌋, which is
    below n for every f; the factor is rounded down to 2**-32. Cost: O(n²·d) (through the inner
    products). Source: Allouah et al., Adaptive Gradient Clipping for Robust Federated Learning,
    ICLR 2025.

    >>> Clipping(f=1)(np.array([[3], [-4], [5], [-90]], dtype=np.int32)).tolist()
    [[3], [-4], [5], [-5]]
    """

    def _apply(self, stack: Stack) -> IntVector:
        n = len(stack)
        squares = [row[i] for i, row in enumerate(stack.products)]
        limit = sorted(squares, reverse=True)[2 * self.f * (n - self.f) // n]
        clipped = stack.rows.copy()
        for i, square in enumerate(squares):
            if square > limit:
                factor = isqrt(limit * _ONE * _ONE // square)
                clipped[i] = combine([[factor]], _ONE, stack.rows[i : i + 1])[0]
        return clipped


@dataclass(frozen=True, kw_only=True)
class Mixed(Rule):
    """A rule after steps, all with the same f.

    Formula: rule(step_k(… step_1(x))). Conditions and cost are those of the parts, at every part's
    own n. It *keeps* the n−f best Krum scores among the updates as they were posted: steps mix
    honest updates into Byzantine ones, and who posted those is not to be paid for it.

    >>> from d2m.learning.rules.averages import Mean
    >>> rows = np.array([[3], [4], [5], [-90]], dtype=np.int32)
    >>> Mixed(f=1, steps=(Clipping,), rule=Mean).decide(rows)
    Decision(aggregate=array([2], dtype=int32), kept=(0, 1, 2))
    """

    steps: tuple[type[Step], ...]
    rule: type[Rule]

    def _aggregate(self, stack: Stack) -> IntVector:
        rows = stack.rows
        for step in self.steps:
            rows = step(f=self.f)(rows)
        return self.rule(f=self.f)(rows)
