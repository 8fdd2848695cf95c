"""Clipping and Gaussian noise in integers.

The clipped value is put on an integer grid before the noise is added, and the noise is rounded to
the same grid without looking at the data: round(x + noise) = x + round(noise) for integers x. So
the result is a function of what the continuous Gaussian mechanism gives, the sum is exact, and the
low bits of floats, by which Mironov (CCS 2012) undoes floating-point noise, reach nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

LongVector = npt.NDArray[np.int64]
Entropy = Callable[[int], bytes]
"""So many unpredictable bytes, uniform: ``os.urandom`` wherever privacy is meant."""

_WORD_BYTES = 8
_MARGIN = 1 - 2.0**-30
"""Keeps a norm below its limit whatever float64 rounds, for up to 2**22 entries."""


def clipped(rows: npt.NDArray[np.floating[Any]], limit: float) -> LongVector:
    """Rows (n, d) scaled to an L2 norm of at most ``limit`` and rounded towards zero: int64 (n, d).

    The norm of the integers is at most ``limit`` exactly. A row that is not finite becomes zeros.
    """
    wide = rows.astype(np.float64)
    wide[~np.isfinite(wide).all(axis=1)] = 0
    norms = np.linalg.norm(wide, axis=1)
    factors = _MARGIN * limit / np.maximum(norms, limit)
    scaled: LongVector = np.trunc(wide * factors[:, None]).astype(np.int64)
    return scaled


def rounded_normal(count: int, deviation: float, entropy: Entropy) -> LongVector:
    """Independent entries (count,) of N(0, deviation²), each rounded to an integer.

    By inversion of 63 uniform bits and a sign: no entry is beyond 9.1 deviations, which the true
    distribution is with a chance of 2**-63.
    """
    words = random_words(count, entropy)
    tails = ((words >> np.uint64(1)).astype(np.float64) + 0.5) * 2.0**-64
    signs = 1 - 2 * (words & np.uint64(1)).astype(np.int64)
    rounded: LongVector = signs * np.rint(-ndtri(tails) * deviation).astype(np.int64)
    return rounded


def poisson_batch(samples: int, batch_size: int, entropy: Entropy) -> npt.NDArray[np.intp]:
    """Indices of the records of one batch: each of them with probability batch_size/samples."""
    if batch_size >= samples:
        return np.arange(samples)
    threshold = np.uint64((batch_size << 64) // samples)
    return np.flatnonzero(random_words(samples, entropy) < threshold)


def random_words(count: int, entropy: Entropy) -> npt.NDArray[np.uint64]:
    """Uniform words uint64 (count,)."""
    return np.frombuffer(entropy(_WORD_BYTES * count), dtype="<u8").astype(np.uint64)
