"""Sellers trained together learn what each learns alone."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from d2m.learning.network.model import ModelSpec, initial_weights
from d2m.learning.network.operators import Operator
from d2m.learning.spec import TrainingSpec
from d2m.learning.training.local import train
from d2m.learning.training.many import STACKED_DIMENSION, Work, train_many, train_stacked

HYPER = TrainingSpec(3, 8, Decimal("0.01"), "adam")
SIZES = (5, 8, 23, 16)
"""Less than a batch, one batch, some and a rest, some without a rest."""
MODELS = (
    ModelSpec("convolution", (1, 6, 6), 3, channels=4, kernel=3),
    ModelSpec("perceptron", (1, 6, 6), 3, hidden=(8,)),
    ModelSpec("logistic", (1, 6, 6), 3),
    ModelSpec(
        "sequence",
        (1, 6, 6),
        3,
        operators=(
            Operator("convolution", outputs=4, side=3, stride=2, padding=1),
            Operator("average_pool", side=2, stride=1),
            Operator("flatten"),
            Operator("dense", outputs=3),
        ),
    ),
)
ROUNDING = 2
"""Grid units: what another order of float32 sums may move a weight of so short a training."""


def work_of(spec: ModelSpec) -> list[Work]:
    random = np.random.default_rng(1)
    return [
        Work(
            random.integers(0, 256, (size, *spec.input_shape), dtype=np.uint8),
            random.integers(0, spec.classes, size, dtype=np.uint8),
            seed,
        )
        for seed, size in enumerate(SIZES)
    ]


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.architecture)
@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
@pytest.mark.parametrize("augmentation", ["none", "flip_shift"])
def test_each_learns_what_it_learns_alone(
    spec: ModelSpec, optimiser: str, augmentation: str
) -> None:
    hyper = replace(HYPER, optimiser=optimiser, augmentation=augmentation, label_smoothing=900)
    hyper = replace(hyper, decay_rounds=4, logit_adjustment=8000)
    weights, work = initial_weights(spec, bytes(32)), work_of(spec)
    together = train_stacked(spec, weights, work, hyper, round_number=2)
    for each, update in zip(work, together, strict=True):
        alone = train(spec, weights, each.inputs, each.labels, hyper, each.seed, 2)
        assert update.dtype == np.int32
        assert np.abs(update - alone).max() <= ROUNDING
        assert np.abs(alone).max() > 50 * ROUNDING  # it has learnt something


def test_a_large_network_is_trained_one_seller_after_the_other() -> None:
    spec = ModelSpec("logistic", (1, 50, 50), 3)
    assert spec.dimension > STACKED_DIMENSION
    weights, work = initial_weights(spec, bytes(32)), work_of(spec)
    updates = train_many(spec, weights, work, HYPER)
    for each, update in zip(work, updates, strict=True):
        alone = train(spec, weights, each.inputs, each.labels, HYPER, each.seed)
        assert np.array_equal(update, alone)


def test_a_small_one_is_trained_together() -> None:
    spec = MODELS[0]
    weights, work = initial_weights(spec, bytes(32)), work_of(spec)
    expected = train_stacked(spec, weights, work, HYPER)
    assert np.array_equal(train_many(spec, weights, work, HYPER), expected)


def test_nobody_has_nothing_to_train() -> None:
    assert train_many(MODELS[0], initial_weights(MODELS[0], bytes(32)), [], HYPER) == []


def test_data_that_do_not_fit_are_refused() -> None:
    spec = MODELS[0]
    work = work_of(spec)
    work[1] = work[1]._replace(labels=work[1].labels + np.uint8(spec.classes))
    with pytest.raises(ValueError, match="a label below 3"):
        train_stacked(spec, initial_weights(spec, bytes(32)), work, HYPER)
