"""Data sets by name, with the buyer's evaluation set held back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedShuffleSplit

from offchain.data import cifar10, digits, idx
from offchain.data.errors import DataError
from offchain.learning.grid import ByteArray

NAMES = ("digits", "mnist", "fashion-mnist", "cifar-10")
DIGITS_EVALUATION = 360
"""About a fifth of the 1,797 digits."""
IMAGE_EVALUATION = 2_000
"""Held back from 50,000 or 60,000 training images; a round evaluates it once per update."""
_SPLIT_SEED = 0


@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs uint8 (n, channels, height, width), labels uint8 (n,)."""

    name: str
    classes: int
    train_inputs: ByteArray
    train_labels: ByteArray
    evaluation_inputs: ByteArray
    """The buyer's measure, held back from the training data, stratified by class."""
    evaluation_labels: ByteArray
    test_inputs: ByteArray
    """The published test set, which no round sees; empty for digits, which has none."""
    test_labels: ByteArray
    note: str = ""
    """What a reader of a figure made with this copy of the data must know; mostly nothing."""


def load(name: str) -> Dataset:
    """A data set by name. Raises DataError when the name is unknown or the data cannot be had."""
    if name == "digits":
        inputs, labels = digits.read()
        return _split(name, DIGITS_EVALUATION, inputs, labels, inputs[:0], labels[:0])
    if name == "mnist":
        return _split(name, IMAGE_EVALUATION, *idx.read(idx.MNIST))
    if name == "fashion-mnist":
        return _split(name, IMAGE_EVALUATION, *idx.read(idx.FASHION_MNIST))
    if name == "cifar-10":
        arrays, note = cifar10.read(cifar10.CIFAR_10)
        return _split(name, IMAGE_EVALUATION, *arrays, note=note)
    raise DataError(f"unknown data set {name!r}; choose one of {', '.join(NAMES)}")


def _split(
    name: str,
    held_back: int,
    inputs: ByteArray,
    labels: ByteArray,
    test_inputs: ByteArray,
    test_labels: ByteArray,
    note: str = "",
) -> Dataset:
    splitter = StratifiedShuffleSplit(n_splits=1, test_size=held_back, random_state=_SPLIT_SEED)
    train, evaluation = (np.sort(part) for part in next(splitter.split(labels, labels)))
    return Dataset(
        name=name,
        classes=int(labels.max()) + 1,
        train_inputs=inputs[train],
        train_labels=labels[train],
        evaluation_inputs=inputs[evaluation],
        evaluation_labels=labels[evaluation],
        test_inputs=test_inputs,
        test_labels=test_labels,
        note=note,
    )
