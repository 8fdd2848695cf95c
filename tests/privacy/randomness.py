"""Repeatable randomness in place of the operating system's."""

from __future__ import annotations

import numpy as np

from d2m.privacy.gaussian import Entropy


def repeatable(seed: int) -> Entropy:
    """The same bytes in every run of a test."""
    return np.random.default_rng(seed).bytes
