from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
import torch

from d2m.learning.grid import UPDATE_LIMIT, add_update, from_grid
from d2m.learning.network.exact import predict
from d2m.learning.network.model import ModelSpec, initial_weights, to_tensors
from d2m.learning.network.operators import Operator
from d2m.learning.spec import TrainingSpec
from d2m.learning.training.local import (
    SHIFT,
    adjustment,
    augmented,
    channels_last,
    loaded,
    network,
    network_inputs,
    train,
)

HYPER = TrainingSpec(10, 8, Decimal("0.01"), "adam")
MODELS = [
    ModelSpec("convolution", (1, 6, 6), 2, channels=4, kernel=3),
    ModelSpec("perceptron", (1, 6, 6), 2, hidden=(8,)),
    ModelSpec("logistic", (1, 6, 6), 2),
    ModelSpec("convolution", (1, 6, 6), 2, channels=4, kernel=3, pool=3, input_centre=128),
    ModelSpec(
        "sequence",
        (1, 6, 6),
        2,
        operators=(
            Operator("convolution", outputs=4, side=3, stride=1, padding=1),
            Operator("relu"),
            Operator("average_pool", side=2, stride=2),
            Operator("flatten"),
            Operator("dense", outputs=6),
            Operator("dense", outputs=2),
        ),
    ),
]


def halves(samples=60):
    """Images that are bright on the left (class 0) or on the right (class 1)."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, samples, dtype=np.uint8)
    inputs = generator.integers(0, 60, (samples, 1, 6, 6), dtype=np.uint8)
    for image, label in zip(inputs, labels, strict=True):
        image[:, :, 3 * label : 3 * label + 3] += 150
    return inputs, labels


def accuracy(spec, weights, inputs, labels):
    return float((predict(spec, weights, inputs) == labels).mean())


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.architecture)
@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_training_learns_and_the_exact_pass_sees_it(spec, optimiser):
    inputs, labels = halves()
    weights = initial_weights(spec, bytes(32))
    rate = {"adam": Decimal("0.01"), "sgd": Decimal("0.3")}[optimiser]
    hyper = replace(HYPER, optimiser=optimiser, learning_rate=rate)
    delta = train(spec, weights, inputs, labels, hyper, seed=1)
    assert delta.dtype == np.int32
    assert delta.shape == (spec.dimension,)
    assert accuracy(spec, add_update(weights, delta), inputs, labels) > 0.95


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.architecture)
def test_training_and_exact_inference_see_the_same_network(spec):
    inputs, labels = halves()
    start = initial_weights(spec, bytes(32))
    weights = add_update(start, train(spec, start, inputs, labels, HYPER, seed=1))
    model = network(spec)
    model.load_state_dict(
        {n: torch.from_numpy(from_grid(t)).float() for n, t in to_tensors(spec, weights).items()}
    )
    logits = model((torch.from_numpy(inputs).float() - spec.input_centre) / 256).detach().numpy()
    assert (predict(spec, weights, inputs) == logits.argmax(axis=1)).mean() > 0.98


def test_one_seed_gives_one_update():
    spec = MODELS[0]
    inputs, labels = halves()
    weights = initial_weights(spec, bytes(32))
    first = train(spec, weights, inputs, labels, HYPER, seed=5)
    torch.manual_seed(99)  # the global generator is not used
    assert (train(spec, weights, inputs, labels, HYPER, seed=5) == first).all()
    assert (train(spec, weights, inputs, labels, HYPER, seed=6) != first).any()


def test_an_update_stays_inside_the_limit():
    spec = MODELS[2]
    inputs, labels = halves()
    hyper = TrainingSpec(1, 8, Decimal(1000), "sgd")
    delta = train(spec, initial_weights(spec, bytes(32)), inputs, labels, hyper, seed=1)
    assert np.abs(delta).max() == UPDATE_LIMIT


@pytest.mark.parametrize(
    ("inputs", "labels"),
    [
        (halves()[0].astype(np.float32), halves()[1]),
        (halves()[0], halves()[1][:-1]),
        (halves()[0], halves()[1] + 1),
        (halves()[0][:0], halves()[1][:0]),
    ],
    ids=["floats", "fewer labels", "class", "empty"],
)
def test_data_that_does_not_fit_is_refused(inputs, labels):
    spec = MODELS[2]
    with pytest.raises(ValueError, match="expected"):
        train(spec, initial_weights(spec, bytes(32)), inputs, labels, HYPER, seed=1)


@pytest.mark.parametrize("augmentation", ["flip", "flip_shift"])
def test_augmented_training_learns_what_mirrors_and_shifts_leave_alone(augmentation):
    labels = np.random.default_rng(0).integers(0, 2, 60, dtype=np.uint8)
    noise = np.random.default_rng(1).integers(0, 60, (60, 1, 6, 6), dtype=np.uint8)
    inputs = noise + 150 * labels[:, None, None, None]
    spec = MODELS[0]
    weights = initial_weights(spec, bytes(32))
    hyper = replace(HYPER, augmentation=augmentation)
    delta = train(spec, weights, inputs, labels, hyper, seed=1)
    assert accuracy(spec, add_update(weights, delta), inputs, labels) > 0.95
    assert (delta != train(spec, weights, inputs, labels, HYPER, seed=1)).any()


def test_a_mirrored_side_tells_nothing():
    inputs, labels = halves()
    spec = MODELS[2]
    hyper = replace(HYPER, augmentation="flip")
    weights = initial_weights(spec, bytes(32))
    delta = train(spec, weights, inputs, labels, hyper, seed=1)
    assert accuracy(spec, add_update(weights, delta), inputs, labels) < 0.75


def test_later_rounds_take_smaller_steps():
    inputs, labels = halves()
    spec = MODELS[0]
    weights = initial_weights(spec, bytes(32))
    hyper = replace(HYPER, decay_rounds=10)
    first, last = (train(spec, weights, inputs, labels, hyper, 1, number) for number in (1, 10))
    assert np.abs(last).sum() < np.abs(first).sum() / 4


def test_each_image_is_moved_by_itself_and_nothing_of_it_is_new():
    images = torch.arange(5 * 2 * 6 * 6, dtype=torch.float32).view(5, 2, 6, 6)
    moved = augmented(images, "shift", torch.Generator().manual_seed(3))
    padded = torch.nn.functional.pad(images, (SHIFT,) * 4, mode="replicate")
    places = [
        [
            (top, left)
            for top in range(2 * SHIFT + 1)
            for left in range(2 * SHIFT + 1)
            if torch.equal(image, whole[:, top : top + 6, left : left + 6])
        ]
        for image, whole in zip(moved, padded, strict=True)
    ]
    assert all(len(found) == 1 for found in places)
    assert len({found[0] for found in places}) > 1


def test_smoothed_labels_keep_the_scores_closer_together():
    inputs, labels = halves()
    spec = MODELS[2]
    weights = initial_weights(spec, bytes(32))
    hyper = replace(HYPER, epochs=60)
    hard, soft = (
        train(spec, weights, inputs, labels, replace(hyper, label_smoothing=share), seed=1)
        for share in (0, 1000)
    )
    assert accuracy(spec, add_update(weights, soft), inputs, labels) > 0.95
    assert np.abs(soft).sum() < np.abs(hard).sum()


def test_adjusted_scores_do_not_learn_how_often_a_class_occurs():
    spec = MODELS[2]
    labels = np.repeat(np.arange(2, dtype=np.uint8), (90, 10))
    inputs = np.full((100, *spec.input_shape), 128, np.uint8)  # they tell nothing
    weights = initial_weights(spec, bytes(32))
    hyper = replace(HYPER, epochs=60)
    gaps = []
    for share in (0, 5_000, 10_000):
        adjusted = replace(hyper, logit_adjustment=share)
        delta = train(spec, weights, inputs, labels, adjusted, seed=1)
        model = loaded(spec, add_update(weights, delta))
        zero, one = model(network_inputs(spec, inputs[:1]))[0, :2].tolist()
        gaps.append(zero - one)
    assert gaps[0] == pytest.approx(math.log(9), abs=0.3)
    assert gaps[1] == pytest.approx(math.log(9) / 2, abs=0.3)
    assert gaps[2] == pytest.approx(0, abs=0.3)


def test_the_adjustment_is_the_log_share_with_one_more_of_each_class():
    labels = np.array([0, 0, 2], np.uint8)
    added = adjustment(labels, 4, replace(HYPER, logit_adjustment=10_000))
    assert torch.allclose(added.exp(), torch.tensor([3, 1, 2, 1]) / 7)
    assert not adjustment(labels, 4, HYPER).any()


@pytest.mark.parametrize("channels", [1, 3])
def test_images_reach_the_convolution_channels_last(channels):
    images = torch.rand(2, channels, 4, 5)
    laid_out = channels_last(images)
    assert torch.equal(laid_out, images)
    assert laid_out.stride() == (20 * channels, 1, 5 * channels, channels)
    convolved = torch.nn.Conv2d(channels, 8, 3)(laid_out)
    assert convolved.is_contiguous(memory_format=torch.channels_last)
