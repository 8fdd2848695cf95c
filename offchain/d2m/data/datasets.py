"""Data sets by name, with the buyer's evaluation set held back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedShuffleSplit

from d2m.data import breast_cancer, cifar10, digits, idx
from d2m.data.errors import DataError
from d2m.data.partition import IndexVector
from d2m.data.scaling import quantise, ranges
from d2m.learning.grid import ByteArray

NAMES = ("digits", "mnist", "fashion-mnist", "cifar-10", "breast-cancer")
DIGITS_EVALUATION = 360
"""About a fifth of the 1,797 digits."""
IMAGE_EVALUATION = 2_000
"""Held back from 50,000 or 60,000 training images; a round evaluates it once per update."""
TUMOURS_EVALUATION = 114
TUMOURS_TEST = 114
"""A fifth of the 569 tumours for each: the set is published as one."""
_SPLIT_SEED = 0


@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs uint8 (n, channels, height, width), or (n, features); labels uint8 (n,)."""

    name: str
    classes: int
    train_inputs: ByteArray
    train_labels: ByteArray
    evaluation_inputs: ByteArray
    """The buyer's measure, held back from the training data, stratified by class."""
    evaluation_labels: ByteArray
    test_inputs: ByteArray
    """The published test set, which no round sees; held out where none is published, but empty for
    digits."""
    test_labels: ByteArray
    note: str = ""
    """Remark that a reader of a figure made with this copy of the data needs; mostly empty."""


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
    if name == "breast-cancer":
        return _tumours(name)
    raise DataError(f"unknown data set {name!r}; choose one of {', '.join(NAMES)}")


def _tumours(name: str) -> Dataset:
    """Scaled by the ranges of the training part alone, as a market's sellers could agree on."""
    values, labels = breast_cancer.read()
    rest, test = _hold_back(labels, TUMOURS_TEST)
    train, _ = _hold_back(labels[rest], TUMOURS_EVALUATION)
    inputs = quantise(values, *ranges(values[rest[train]]))
    return _split(name, TUMOURS_EVALUATION, inputs[rest], labels[rest], inputs[test], labels[test])


def _split(
    name: str,
    held_back: int,
    inputs: ByteArray,
    labels: ByteArray,
    test_inputs: ByteArray,
    test_labels: ByteArray,
    note: str = "",
) -> Dataset:
    train, evaluation = _hold_back(labels, held_back)
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


def _hold_back(labels: ByteArray, count: int) -> tuple[IndexVector, IndexVector]:
    """Ascending indices of what stays and of ``count`` samples held back, stratified by class."""
    splitter = StratifiedShuffleSplit(n_splits=1, test_size=count, random_state=_SPLIT_SEED)
    stays, held = next(splitter.split(labels, labels))
    return np.sort(stays), np.sort(held)
