"""Attacks on a seller's data, before it trains."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from d2m.data.files import Labels

Relabelling = Callable[[Labels, int], Labels]
"""From labels (n,) below the number of classes to the labels to train on."""


def label_flip(labels: Labels, classes: int) -> Labels:
    """Labels y -> classes − 1 − y, of the same type. Source: Fang et al. (USENIX Security 2020)."""
    return (classes - 1 - labels.astype(np.int64)).astype(labels.dtype)
