"""Real-valued features as bytes, by ranges that all parties of a job share."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from d2m.learning.grid import ByteArray

RealArray = npt.NDArray[np.floating[Any]]

PERCENTILES = (1, 99)
"""A range that is derived from data: an outlier neither stretches it nor can be read from it."""
_LARGEST = 255


def ranges(values: RealArray) -> tuple[RealArray, RealArray]:
    """Lowest and highest value (k,) of each feature of ``values`` (n, k), at PERCENTILES.

    A feature whose percentiles are equal gets a range of 1, so that it can be divided by.
    """
    low, high = np.percentile(values, PERCENTILES, axis=0)
    return low, np.where(high > low, high, low + 1)


def quantise(values: RealArray, low: RealArray, high: RealArray) -> ByteArray:
    """round(255 · (x − low)/(high − low)) of each feature, clipped to 0..255; uint8 (n, k)."""
    scaled = np.rint((values - low) / (high - low) * _LARGEST)
    levels: ByteArray = scaled.clip(0, _LARGEST).astype(np.uint8)
    return levels
