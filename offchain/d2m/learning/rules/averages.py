"""Rules that look at every coordinate by itself."""

from __future__ import annotations

import numpy as np

from d2m.learning.grid import IntVector
from d2m.learning.rules.base import Rule
from d2m.learning.rules.stack import Stack, integer_mean


class Mean(Rule):
    """The mean of all updates, rounded to the nearest integer, halves up. Tolerates nothing.

    Formula: (1/n)·Σ x_i. It keeps all updates, whatever f is. Cost: O(n·d). Source: FedAvg
    (McMahan et al., AISTATS 2017) with equal weights.

    >>> Mean()(np.array([[1, 4], [2, 8]], dtype=np.int32)).tolist()
    [2, 6]
    """

    def _aggregate(self, stack: Stack) -> IntVector:
        return integer_mean(stack.rows)

    def _kept(self, stack: Stack) -> tuple[int, ...]:
        return tuple(range(len(stack)))


class Median(Rule):
    """The coordinate-wise median; of an even number the mean of the middle two, halves up.

    Needs n ≥ 2f+1 for every entry to lie between honest entries; it is defined for every n, and f
    only decides what is kept: the n−f best Krum scores. Cost: O(n·log n·d) by sorting, and O(n²·d)
    for the scores. Source: Yin et al., ICML 2018.

    >>> Median(f=1)(np.array([[1, 9], [2, 5], [90, 6]], dtype=np.int32)).tolist()
    [2, 6]
    """

    def _aggregate(self, stack: Stack) -> IntVector:
        return _middle(stack, (len(stack) - 1) // 2)


class TrimmedMean(Rule):
    """Coordinate-wise mean without the f smallest and the f largest entries.

    Formula, with x_(1) ≤ … ≤ x_(n) in each coordinate: Σ_{f<i≤n−f} x_(i) / (n−2f), halves up.
    Needs n ≥ 2f+1; with fewer updates it trims ⌊(n−1)/2⌋ on each side, which is the median. It
    keeps the n−f best Krum scores. Cost: O(n·log n·d) by sorting, and O(n²·d) for the scores.
    Source: Yin et al., ICML 2018.

    >>> TrimmedMean(f=1)(np.array([[1], [2], [5], [90]], dtype=np.int32)).tolist()
    [4]
    """

    def _aggregate(self, stack: Stack) -> IntVector:
        return _middle(stack, min(self.f, (len(stack) - 1) // 2))


def _middle(stack: Stack, trimmed: int) -> IntVector:
    """Mean of what is left of each sorted column without ``trimmed`` entries at either end."""
    return integer_mean(np.sort(stack.rows, axis=0)[trimmed : len(stack) - trimmed])
