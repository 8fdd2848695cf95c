"""Stacked updates and what rules compute from them, exactly."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from d2m.learning.grid import DIMENSION_LIMIT, EXACT_LIMIT, UPDATE_LIMIT, IntVector

_PRODUCT_CHUNK = 1 << 14
"""Entries per exact float64 product: 2**38 per square times 2**14 stays below 2**53."""
_MIXING_CHUNK = 1 << 12
"""Columns combined at a time, so that the intermediate float64 and int64 stay in the cache."""


class RuleError(ValueError):
    """Input that a rule is not defined on, or a rule that there is not; the message says why."""


class Stack:
    """Updates int32 (n, d) with their inner products. Raises RuleError on anything else.

    n and d are at least 1, d at most DIMENSION_LIMIT, entries within ±UPDATE_LIMIT.
    """

    def __init__(self, updates: IntVector) -> None:
        _check(updates)
        self.rows = updates

    def __len__(self) -> int:
        return len(self.rows)

    def row(self, index: int) -> IntVector:
        """One update by itself."""
        row: IntVector = self.rows[index].copy()
        return row

    @cached_property
    def products(self) -> list[list[int]]:
        """All inner products, in Python's integers: what follows from them cannot overflow."""
        products: list[list[int]] = gram(self.rows).tolist()
        return products

    @cached_property
    def distances(self) -> list[list[int]]:
        """All squared distances."""
        norms = [row[i] for i, row in enumerate(self.products)]
        return [
            [norms[i] + norms[j] - 2 * product for j, product in enumerate(row)]
            for i, row in enumerate(self.products)
        ]


def gram(updates: IntVector) -> npt.NDArray[np.int64]:
    """All inner products (n, n), exact.

    Float64 products of chunks are exact (every partial sum is an integer below 2**53) and fast;
    chunks add up in int64, below 2**60.
    """
    total = np.zeros((len(updates), len(updates)), dtype=np.int64)
    for start in range(0, updates.shape[1], _PRODUCT_CHUNK):
        chunk = updates[:, start : start + _PRODUCT_CHUNK].astype(np.float64)
        total += (chunk @ chunk.T).astype(np.int64)
    return total


def combine(coefficients: list[list[int]], denominator: int, updates: IntVector) -> IntVector:
    """Rows Σ_j c_ij·x_j / denominator, rounded to the nearest integer, halves up.

    The products are exact: with Σ_j |c_ij| below 2**53 / UPDATE_LIMIT every partial sum in float64
    is an integer below 2**53. Raises ValueError beyond it.
    """
    if max(sum(map(abs, row)) for row in coefficients) * UPDATE_LIMIT >= EXACT_LIMIT:
        raise ValueError("coefficients too large to combine exactly")
    matrix = np.array(coefficients, dtype=np.float64)
    combined = np.empty((len(matrix), updates.shape[1]), dtype=np.int32)
    for start in range(0, updates.shape[1], _MIXING_CHUNK):
        chunk = updates[:, start : start + _MIXING_CHUNK].astype(np.float64)
        sums = (matrix @ chunk).astype(np.int64)
        combined[:, start : start + _MIXING_CHUNK] = rounded_quotient(sums, denominator)
    return combined


def rounded_quotient(sums: npt.NDArray[np.int64], denominator: int) -> IntVector:
    """``sums / denominator`` to the nearest integer, halves up: floor((2s + q)/(2q)), as int32."""
    quotient: IntVector = ((2 * sums + denominator) // (2 * denominator)).astype(np.int32)
    return quotient


def integer_mean(updates: IntVector) -> IntVector:
    """Elementwise mean rounded to the nearest integer, halves up."""
    return rounded_quotient(updates.sum(axis=0, dtype=np.int64), len(updates))


def _check(updates: IntVector) -> None:
    if not isinstance(updates, np.ndarray) or updates.ndim != 2 or 0 in updates.shape:
        shape = getattr(updates, "shape", type(updates).__name__)
        raise RuleError(f"expected an array of shape (n, d), both at least 1, got {shape}")
    if updates.dtype.kind in "fc" and not np.isfinite(updates).all():
        raise RuleError("NaN or infinity among the updates; a rule takes int32 on the grid")
    if updates.dtype != np.int32:
        raise RuleError(f"expected int32 updates on the grid, got {updates.dtype}: see to_grid")
    if updates.shape[1] > DIMENSION_LIMIT:
        raise RuleError(f"{updates.shape[1]} entries; at most {DIMENSION_LIMIT}")
    if int(updates.max()) > UPDATE_LIMIT or int(updates.min()) < -UPDATE_LIMIT:
        raise RuleError(f"an entry exceeds {UPDATE_LIMIT} grid units")
