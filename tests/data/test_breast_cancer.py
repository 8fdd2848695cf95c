"""A tabular set goes the whole way: held back, partitioned, trained on, evaluated in rounds."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from eth_utils.crypto import keccak

from d2m.data import breast_cancer
from d2m.data.datasets import TUMOURS_EVALUATION, TUMOURS_TEST, Dataset, load
from d2m.data.partition import Partition
from d2m.learning.defaults import digits_spec
from d2m.learning.network.exact import predict
from d2m.learning.network.model import ModelSpec, initial_weights
from d2m.learning.round import initial_state, next_state
from d2m.learning.spec import TrainingSpec
from d2m.learning.training.local import train
from d2m.learning.updates import EvaluationSet, encode_update

LOGISTIC = ModelSpec("logistic", (30,), 2)
PERCEPTRON = ModelSpec("perceptron", (30,), 2, hidden=(16,))
TRAINING = TrainingSpec(epochs=40, batch_size=16, learning_rate=Decimal("0.03"), optimiser="adam")


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load("breast-cancer")


def test_a_fifth_is_held_back_for_the_buyer_and_a_fifth_for_the_test(data):
    assert data.classes == 2
    assert data.train_inputs.shape == (569 - TUMOURS_EVALUATION - TUMOURS_TEST, 30)
    assert data.evaluation_inputs.shape == (TUMOURS_EVALUATION, 30)
    assert data.test_inputs.shape == (TUMOURS_TEST, 30)
    assert data.train_inputs.dtype == data.test_inputs.dtype == np.uint8
    for labels in (data.train_labels, data.evaluation_labels, data.test_labels):
        assert np.mean(labels) == pytest.approx(357 / 569, abs=0.01)


def test_features_are_scaled_by_the_training_part_alone(data):
    """One per cent of a part of 341 is clipped at either end, so its 0 and 255 are common."""
    for level in (0, 255):
        assert ((data.train_inputs == level).sum(axis=0) >= 4).all()
    values, labels = breast_cancer.read()
    assert len(data.train_inputs) + len(data.evaluation_inputs) + len(data.test_inputs) == 569
    benign = values[labels == 1, 0]
    assert benign.mean() < values[labels == 0, 0].mean()
    levels, classes = data.test_inputs[:, 0], data.test_labels
    assert levels[classes == 1].mean() < levels[classes == 0].mean()


@pytest.mark.parametrize("model", [LOGISTIC, PERCEPTRON], ids=["logistic", "perceptron"])
def test_local_training_reaches_nine_tenths_on_the_held_out_part(data, model):
    start = initial_weights(model, keccak(text="tumours"))
    delta = train(model, start, data.train_inputs, data.train_labels, TRAINING, seed=1)
    hits = predict(model, start + delta, data.test_inputs) == data.test_labels
    assert hits.mean() >= 0.9


def test_a_market_of_six_sellers_learns_it(data):
    spec = replace(
        digits_spec(keccak(text="tumours")),
        dataset="breast-cancer",
        model=LOGISTIC,
        training=replace(TRAINING, epochs=10),
        sample_size=6,
    )
    parts = Partition("iid").split(data.train_labels, 6, seed=1)
    evaluation = EvaluationSet(data.evaluation_inputs, data.evaluation_labels)
    state = initial_state(spec, len(parts), keccak(text="draw"))
    for number in range(1, 7):
        posted = {}
        for seller in state.sampled:
            part = parts[seller]
            inputs = data.train_inputs[part.indices]
            delta = train(LOGISTIC, state.weights, inputs, part.labels, spec.training, number)
            posted[seller] = encode_update(delta)
        output = next_state(state, posted, evaluation, keccak(bytes([number])), spec)
        state = output.state
    assert output.metric_numerator >= 0.9 * output.metric_denominator
    assert (predict(LOGISTIC, state.weights, data.test_inputs) == data.test_labels).mean() >= 0.9
