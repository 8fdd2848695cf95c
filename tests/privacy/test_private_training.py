"""Clipped and noised training beside training without either, and its bounds."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
import torch

from d2m.learning.grid import GRID_ONE, UPDATE_LIMIT, IntVector, add_update
from d2m.learning.network.exact import predict
from d2m.learning.network.model import ModelSpec, initial_weights
from d2m.learning.network.operators import Operator
from d2m.learning.spec import TrainingSpec
from d2m.learning.training.local import loaded, network_inputs, train
from d2m.privacy import training
from d2m.privacy.terms import PrivacyTerms
from d2m.privacy.training import UNITS, privatised, train_per_example
from tests.privacy.randomness import repeatable

SEQUENCE = (
    Operator("convolution", outputs=4, side=3, stride=1, padding=1),
    Operator("relu"),
    Operator("average_pool", side=2, stride=2),
    Operator("flatten"),
    Operator("dense", outputs=2),
)
MODELS = [
    ModelSpec("convolution", (1, 6, 6), 2, channels=4, kernel=3),
    ModelSpec("perceptron", (1, 6, 6), 2, hidden=(8,)),
    ModelSpec("logistic", (1, 6, 6), 2),
    ModelSpec("sequence", (1, 6, 6), 2, operators=SEQUENCE, input_centre=128),
]
LOGISTIC = MODELS[2]
ONE_STEP = TrainingSpec(1, 60, Decimal("0.5"), "sgd")
TERMS = PrivacyTerms("per-example", clip=1.0, noise=1.0, epsilon=8.0, delta=1e-5)

pytestmark = pytest.mark.usefixtures("one_thread")


def halves(samples: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Images that are bright on the left (class 0) or on the right (class 1)."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, samples, dtype=np.uint8)
    inputs = generator.integers(0, 60, (samples, 1, 6, 6), dtype=np.uint8)
    for image, label in zip(inputs, labels, strict=True):
        image[:, :, 3 * label : 3 * label + 3] += 150
    return inputs, labels


def private(spec: ModelSpec, hyper: TrainingSpec, terms: PrivacyTerms, seed: int = 1) -> IntVector:
    weights = initial_weights(spec, bytes(32))
    return train_per_example(spec, weights, *halves(), hyper, 1, terms, repeatable(seed))


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.architecture)
def test_with_a_wide_clip_and_hardly_any_noise_it_is_gradient_descent(spec: ModelSpec) -> None:
    weights = initial_weights(spec, bytes(32))
    plain = train(spec, weights, *halves(), ONE_STEP, seed=1)
    almost = private(spec, ONE_STEP, replace(TERMS, clip=8.0, noise=1e-9))
    assert np.abs(plain).max() > 1000
    assert np.abs(plain - almost).max() <= 2


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.architecture)
@pytest.mark.parametrize("clip", [2.0**-10, 0.1, 8.0])
def test_one_record_moves_the_sum_by_a_clip_at_most(spec: ModelSpec, clip: float) -> None:
    inputs, labels = halves()
    weights = initial_weights(spec, bytes(32)) * 4
    inputs[0] = 255
    labels[0] = 1 - predict(spec, weights, inputs[:1])[0]  # wrong by far
    model = loaded(spec, weights)
    values, targets = network_inputs(spec, inputs), torch.from_numpy(labels.astype(np.int64))
    hyper = TrainingSpec(1, 16, Decimal("0.02"), "adam", label_smoothing=1000)
    whole = training._clipped_sum(model, values, targets, hyper, clip)
    without = training._clipped_sum(model, values[1:], targets[1:], hyper, clip)
    moved = sum(int(x) ** 2 for x in whole - without)
    assert 0 < moved <= UNITS**2
    if clip < 1:  # that record's gradient is longer, so the bound is met
        assert moved > (0.999 * UNITS) ** 2


def test_gradients_in_several_chunks_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    once = private(LOGISTIC, ONE_STEP, TERMS)
    monkeypatch.setattr(training, "_CHUNK_VALUES", 7 * LOGISTIC.dimension)
    assert (private(LOGISTIC, ONE_STEP, TERMS) == once).all()


def test_the_noise_of_a_step_is_what_was_asked_for() -> None:
    one = private(LOGISTIC, ONE_STEP, replace(TERMS, noise=1e-9))
    noisy = [private(LOGISTIC, ONE_STEP, TERMS, seed) for seed in range(60)]
    deviation = np.std(np.stack(noisy) - one)
    step = 0.5 * GRID_ONE  # the rate
    assert deviation == pytest.approx(TERMS.noise * TERMS.clip / 60 * step, rel=0.03)


def test_it_learns() -> None:
    hyper = TrainingSpec(10, 16, Decimal("0.02"), "adam")
    weights = initial_weights(LOGISTIC, bytes(32))
    inputs, labels = halves()
    new = add_update(weights, private(LOGISTIC, hyper, TERMS))
    before = (predict(LOGISTIC, weights, inputs) == labels).mean()
    after = (predict(LOGISTIC, new, inputs) == labels).mean()
    assert after > max(0.9, before)


def test_empty_batches_and_augmented_images_are_trained_on() -> None:
    hyper = TrainingSpec(2, 1, Decimal("0.01"), "adam", 0, "flip_shift")
    update = private(MODELS[0], hyper, TERMS)
    assert (update != 0).all()  # noise reaches every weight


def test_data_that_does_not_fit_is_refused() -> None:
    inputs, labels = halves()
    weights = initial_weights(LOGISTIC, bytes(32))
    with pytest.raises(ValueError, match="label below 2"):
        train_per_example(LOGISTIC, weights, inputs, labels + 1, ONE_STEP, 1, TERMS, repeatable(1))


def test_an_update_is_cut_to_the_clip_before_it_is_noised() -> None:
    update = np.full(10_000, 1000, dtype=np.int32)  # of norm 100,000 steps, 1.5
    terms = PrivacyTerms("per-update", clip=1.0, noise=1e-9, epsilon=8.0, delta=1e-5)
    cut = privatised(update, terms, repeatable(1))
    assert cut.dtype == np.int32
    assert set(cut.tolist()) == {655}  # 65,536 / 100
    noisy = privatised(update, replace(terms, noise=2.0), repeatable(1))
    assert np.std(noisy - cut) == pytest.approx(2 * GRID_ONE, rel=0.03)


def test_a_noised_update_stays_within_the_limit() -> None:
    terms = PrivacyTerms("per-update", clip=8.0, noise=1000.0, epsilon=8.0, delta=1e-5)
    noisy = privatised(np.zeros(100, dtype=np.int32), terms, repeatable(1))
    assert np.abs(noisy).max() == UPDATE_LIMIT


def test_the_shares_of_the_labels_do_not_reach_the_update() -> None:
    adjusted = replace(ONE_STEP, logit_adjustment=10_000)
    assert (private(LOGISTIC, adjusted, TERMS) == private(LOGISTIC, ONE_STEP, TERMS)).all()
