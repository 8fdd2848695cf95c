"""Byzantine sellers: what they do to their data or to their update."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from offchain.learning.grid import IntVector


def sign_flip(delta: IntVector) -> IntVector:
    """The honest update reversed."""
    return np.negative(delta)


def label_flip(labels: npt.NDArray[np.integer[Any]], classes: int) -> npt.NDArray[np.integer[Any]]:
    """Labels y -> classes − 1 − y, of the same type."""
    return (classes - 1 - labels.astype(np.int64)).astype(labels.dtype)
