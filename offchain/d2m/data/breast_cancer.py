"""Breast Cancer Wisconsin (Diagnostic), from scikit-learn: 569 tumours, 30 measurements of each.

Source: Wolberg, Mangasarian, Street, Street, UCI (1995). Class 0 is malignant, class 1 benign.
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_breast_cancer

from d2m.data.scaling import RealArray
from d2m.learning.grid import ByteArray


def read() -> tuple[RealArray, ByteArray]:
    """Measurements float64 (569, 30), as measured, and labels uint8 (569,)."""
    bunch = load_breast_cancer()
    return bunch.data.astype(np.float64), bunch.target.astype(np.uint8)
