"""Updates that repeat each other: such as have nearly the direction of another of their round."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import isqrt
from statistics import median_low

COSINE_ONE = 10**6
"""Cosines are compared in millionths."""


def copies(products: Sequence[Sequence[int]], way: Fraction) -> list[int]:
    """By update, how many are its copies, itself included.

    ``products`` (k, k) are the inner products of a round's updates. Two updates are copies when
    their cosine is at least ``way`` of the way from the round's median pair to 1. No fixed bound
    would do: honest updates of one distribution had cosines of 0.86 in a first round and 0.4 later,
    when two from the same data had 0.67.
    """
    k = range(len(products))
    cosines = [[_cosine(products, i, j) for j in k] for i in k]
    pairs = [cosine for i in k for cosine in cosines[i][:i]]
    typical = median_low(pairs) if pairs else 0
    bound = typical + way * (COSINE_ONE - typical)
    return [1 + sum(cosines[i][j] >= bound for j in k if j != i) for i in k]


def _cosine(products: Sequence[Sequence[int]], i: int, j: int) -> int:
    """Cosine in units of 1/COSINE_ONE, rounded down; 0 where negative or an update is all zeros."""
    if products[i][j] <= 0:
        return 0
    return isqrt((products[i][j] * COSINE_ONE) ** 2 // (products[i][i] * products[j][j]))
