from __future__ import annotations

import numpy as np
import pytest

from d2m.data import idx
from d2m.data.datasets import DIGITS_EVALUATION, load
from d2m.data.errors import DataError
from d2m.data.sources import DATA_VARIABLE, Source
from tests.data.conftest import write_idx


def test_digits_are_split_into_training_and_evaluation():
    data = load("digits")
    assert data.classes == 10
    assert data.train_inputs.shape == (1797 - DIGITS_EVALUATION, 1, 8, 8)
    assert data.evaluation_inputs.shape == (DIGITS_EVALUATION, 1, 8, 8)
    assert data.train_inputs.dtype == data.train_labels.dtype == np.uint8
    assert data.train_inputs.max() == 255
    assert len(data.test_labels) == 0


def test_the_evaluation_set_is_stratified_and_the_same_each_time():
    first, again = load("digits"), load("digits")
    assert (first.evaluation_inputs == again.evaluation_inputs).all()
    assert np.ptp(np.bincount(first.evaluation_labels)) <= 2


def test_no_sample_is_in_both_parts_and_none_is_lost():
    data = load("digits")
    pixels = np.concatenate([data.train_inputs, data.evaluation_inputs]).reshape(1797, -1)
    whole = np.rint(np.sort(pixels.astype(int).sum(axis=1)))
    from d2m.data import digits

    assert (whole == np.sort(digits.read()[0].reshape(1797, -1).astype(int).sum(axis=1))).all()


def test_a_set_of_idx_files_is_split_too(monkeypatch, tmp_path):
    """Small files in the original format, in the folder that the environment names."""
    sums = write_idx(tmp_path / "mnist", train=3000, test=50)
    monkeypatch.setattr(idx, "MNIST", Source("mnist", "http://localhost:1/", sums))
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    data = load("mnist")
    assert data.train_inputs.shape == (1000, 1, 28, 28)
    assert data.evaluation_inputs.shape == (2000, 1, 28, 28)
    assert data.test_inputs.shape == (50, 1, 28, 28)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(DataError, match="digits, mnist, fashion-mnist, cifar-10, breast-cancer"):
        load("cifar-100")
