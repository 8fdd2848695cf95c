"""Byzantine sellers: what they do to their data or to their update."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from offchain.data.files import Labels
from offchain.learning.grid import IntVector
from offchain.learning.models import ModelSpec
from offchain.parties.seller import Samples, Training, train_honestly


def sign_flip(delta: IntVector) -> IntVector:
    """The honest update reversed."""
    return np.negative(delta)


def label_flip(labels: Labels, classes: int) -> Labels:
    """Labels y -> classes − 1 − y, of the same type."""
    return (classes - 1 - labels.astype(np.int64)).astype(labels.dtype)


def train_then_flip(
    samples: Samples, _model: ModelSpec, training: Callable[[Samples], IntVector]
) -> IntVector:
    """Train honestly, post the opposite."""
    return sign_flip(training(samples))


def train_on_flipped_labels(
    samples: Samples, model: ModelSpec, training: Callable[[Samples], IntVector]
) -> IntVector:
    """Train on data whose labels are reversed."""
    return training(replace(samples, labels=label_flip(samples.labels, model.classes)))


TRAINING: dict[str, Training] = {
    "honest": train_honestly,
    "sign_flip": train_then_flip,
    "label_flip": train_on_flipped_labels,
}
"""By the names that the commands and reports use."""
