"""The fixed-point grid on which weights and updates travel.

An entry is an int32 ``q`` that means ``q * 2**-GRID_BITS``. Every machine reads the same number
from it, and sums of such entries are exact integers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

IntVector = npt.NDArray[np.int32]
FloatVector = npt.NDArray[np.float64]
ByteArray = npt.NDArray[np.uint8]

GRID_BITS = 16
"""Fraction bits of a weight or update entry."""
GRID_ONE = 1 << GRID_BITS
WEIGHT_LIMIT = (1 << 19) - 1
"""Largest absolute weight entry in grid units (|w| < 8)."""
UPDATE_LIMIT = WEIGHT_LIMIT
"""Largest absolute update entry in grid units."""
DIMENSION_LIMIT = 1 << 22
"""Most parameters of a model: squared distances then stay below 2**63."""
EXACT_LIMIT = 1 << 53
"""Float64 holds every integer below this in absolute value, so sums below it are exact."""


def to_grid(values: npt.NDArray[np.floating[Any]], limit: int = WEIGHT_LIMIT) -> IntVector:
    """Nearest grid integers of real values (ties to even), clipped to ±limit.

    Raises ValueError when a value is not finite.
    """
    wide = np.asarray(values, dtype=np.float64)
    if not np.isfinite(wide).all():
        raise ValueError("cannot put a value on the grid that is not finite")
    grid: IntVector = np.clip(np.rint(wide * GRID_ONE), -limit, limit).astype(np.int32)
    return grid


def from_grid(integers: npt.NDArray[np.integer[Any]]) -> FloatVector:
    """Real values of grid integers, exact in float64."""
    return integers.astype(np.float64) / GRID_ONE


def add_update(weights: IntVector, update: npt.NDArray[np.integer[Any]]) -> IntVector:
    """``weights + update``, clipped to ±WEIGHT_LIMIT; int32 (d,) and int32 or int64 (d,)."""
    total = weights.astype(np.int64) + update
    return np.clip(total, -WEIGHT_LIMIT, WEIGHT_LIMIT).astype(np.int32)
