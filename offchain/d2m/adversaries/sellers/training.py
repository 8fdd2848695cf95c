"""Updates that one Byzantine seller's process can train and post alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from eth_utils.crypto import keccak

from d2m.adversaries.sellers.labels import label_flip
from d2m.adversaries.sellers.simple import noise
from d2m.learning.grid import IntVector
from d2m.parties.seller.seller import LocalTask, Samples, Trainer, train_honestly


def train_then_flip(samples: Samples, training: LocalTask) -> IntVector:
    """Train honestly, post the opposite."""
    return np.negative(training(samples))


def train_then_forget(samples: Samples, training: LocalTask) -> IntVector:
    """Post Gaussian noise. The honest update seeds it: asked again, the seller posts the same."""
    delta = training(samples)
    return noise(np.random.default_rng(list(keccak(delta.tobytes()))), delta.shape)


def train_on_flipped_labels(samples: Samples, training: LocalTask) -> IntVector:
    """Train on data whose labels are reversed."""
    labels = label_flip(samples.labels, training.spec.model.classes)
    return training(replace(samples, labels=labels))


def post_zeros(_samples: Samples, training: LocalTask) -> IntVector:
    """Train nothing: the model as it is, as if it could not be bettered."""
    return np.zeros(training.spec.model.dimension, dtype=np.int32)


TRAINERS: dict[str, Trainer] = {
    "honest": train_honestly,
    "sign_flip": train_then_flip,
    "label_flip": train_on_flipped_labels,
    "gaussian": train_then_forget,
    "lazy": post_zeros,
}
"""By the names that the commands and reports use."""
