"""scikit-learn's real handwritten digits: 1,797 images of 8×8; nothing to download.

Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI (1998).
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from d2m.learning.grid import ByteArray

_BRIGHTEST = 16
"""Pixels are 0..16."""


def read() -> tuple[ByteArray, ByteArray]:
    """Inputs uint8 (1797, 1, 8, 8), scaled to 0..255, and labels uint8 (1797,)."""
    digits = load_digits()
    scaled = np.rint(digits.images * (255 / _BRIGHTEST)).astype(np.uint8)
    return scaled[:, None], digits.target.astype(np.uint8)
