from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d2m.learning.grid import EXACT_LIMIT, GRID_BITS, WEIGHT_LIMIT
from d2m.learning.network import exact
from d2m.learning.network.exact import predict
from d2m.learning.network.model import ModelSpec, to_tensors
from d2m.learning.network.operators import Operator


def reference(spec, weights, sample):
    """The same forward pass on Python's integers, sum by sum; also the largest sum it met.

    Operators act in the order of the specification, each layer's sums requantised at once.
    """
    tensors = {name: t.astype(object) for name, t in to_tensors(spec, weights).items()}
    values, fraction, largest = sample.astype(object) - spec.input_centre, 8, 0
    top = 2**spec.activation_bits - 1
    for step in spec.steps:
        operator = step.operator
        if operator.kind == "relu":
            values = np.maximum(values, 0)
        elif operator.kind == "flatten":
            values = values.reshape(-1)
        elif operator.kind == "max_pool":
            values = slide(operator, values, lambda window: window.max(axis=(1, 2)))
        elif operator.kind == "average_pool":
            area = operator.side**2
            values = slide(operator, values, lambda window, n=area: window.sum(axis=(1, 2)) // n)
        else:
            weight, bias = tensors[f"{step.name}.weight"], tensors[f"{step.name}.bias"]
            sums = affine(operator, weight, bias * 2**fraction, values)
            largest = max(largest, *(abs(s) for s in sums.reshape(-1)))
            shift = fraction + GRID_BITS - spec.activation_fraction_bits
            values = np.clip(sums >> shift, -top, top)
            fraction = spec.activation_fraction_bits
    return list(sums).index(max(sums)), largest


def affine(operator, weight, bias, values):
    if operator.kind == "dense":
        return np.array([sum(row * values) for row in weight]) + bias
    pad = operator.padding
    wide = np.pad(values, ((0, 0), (pad, pad), (pad, pad)))
    return slide(operator, wide, lambda window: (weight * window).sum(axis=(1, 2, 3)) + bias)


def slide(operator, values, function):
    """``function`` of every window (depth, side, side), as an array (outputs, rows, columns)."""
    side, stride = operator.side, operator.stride
    rows, columns = (range(0, size - side + 1, stride) for size in values.shape[1:])
    found = [[function(values[:, y : y + side, x : x + side]) for x in columns] for y in rows]
    return np.moveaxis(np.array(found, dtype=object), 2, 0)


RELU, FLATTEN = Operator("relu"), Operator("flatten")
SPECS = [
    ModelSpec("convolution", (2, 5, 4), 3, channels=3, kernel=3),
    ModelSpec("convolution", (1, 4, 4), 3, channels=2, kernel=1, activation_bits=28),
    ModelSpec("perceptron", (6,), 4, hidden=(5, 4), activation_bits=31),
    ModelSpec("logistic", (7,), 3),
    ModelSpec("convolution", (1, 7, 8), 3, channels=2, kernel=3, pool=3, input_centre=128),
    ModelSpec("convolution", (2, 3, 4), 3, channels=2, kernel=5, pool=1, input_centre=255),
    ModelSpec("perceptron", (6,), 4, hidden=(5,), input_centre=100),
    ModelSpec(  # overlapping windows, pools before and after a ReLU, a layer without one
        "sequence",
        (2, 9, 8),
        3,
        input_centre=77,
        operators=(
            Operator("convolution", outputs=3, side=3, stride=2, padding=2),
            Operator("max_pool", side=3, stride=1),
            RELU,
            Operator("max_pool", side=2, stride=1),
            Operator("convolution", outputs=4, side=1, stride=1),
            FLATTEN,
            Operator("dense", outputs=5),
            RELU,
            Operator("dense", outputs=3),
        ),
    ),
    ModelSpec(  # means of signed values, and a ReLU after one
        "sequence",
        (1, 6, 7),
        3,
        operators=(
            Operator("convolution", outputs=2, side=2, stride=1, padding=1),
            Operator("average_pool", side=3, stride=2),
            RELU,
            Operator("max_pool", side=2, stride=1),
            FLATTEN,
            Operator("dense", outputs=3),
        ),
    ),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.architecture}-{spec.input_shape}")
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([2, 1 << 12, WEIGHT_LIMIT]))
def test_predictions_equal_the_big_integer_reference(spec, seed, scale):
    generator = np.random.default_rng(seed)
    weights = generator.integers(-scale, scale, spec.dimension, dtype=np.int32, endpoint=True)
    inputs = generator.integers(0, 256, (4, *spec.input_shape), dtype=np.uint8)
    expected = [reference(spec, weights, sample)[0] for sample in inputs]
    assert predict(spec, weights, inputs).tolist() == expected


def test_the_largest_sums_that_a_specification_allows_are_still_exact():
    """All weights at the limit, and two logits near 2**53 that differ by one unit.

    The first hidden unit is 1; class 1 weighs it by one unit more than class 0 does.
    """
    spec = ModelSpec(
        "perceptron", (64,), 2, hidden=(1022,), activation_bits=24, activation_fraction_bits=16
    )
    weights = np.full(spec.dimension, WEIGHT_LIMIT, dtype=np.int32)
    tensors = to_tensors(spec, weights)
    tensors["hidden0.weight"][0] = 0
    tensors["hidden0.bias"][0] = 1
    tensors["dense.weight"][0, 0] -= 1
    inputs = np.full((1, 64), 255, dtype=np.uint8)
    klass, largest = reference(spec, weights, inputs[0])
    assert 0.99 * EXACT_LIMIT < largest < EXACT_LIMIT
    assert predict(spec, weights, inputs).tolist() == [klass] == [1]


def test_ties_go_to_the_lowest_class():
    spec = ModelSpec("logistic", (3,), 5)
    inputs = np.ones((2, 3), dtype=np.uint8)
    assert predict(spec, np.zeros(spec.dimension, dtype=np.int32), inputs).tolist() == [0, 0]
    weights = np.zeros(spec.dimension, dtype=np.int32)
    weights[-3:] = 9
    assert predict(spec, weights, inputs).tolist() == [2, 2]


@pytest.mark.parametrize("samples", [0, 1, 7])
def test_the_internal_batch_does_not_change_a_prediction(monkeypatch, samples):
    spec = SPECS[0]
    generator = np.random.default_rng(samples)
    weights = generator.integers(-9999, 9999, spec.dimension, dtype=np.int32)
    inputs = generator.integers(0, 256, (samples, *spec.input_shape), dtype=np.uint8)
    whole = predict(spec, weights, inputs)
    assert whole.shape == (samples,)
    for size in (1, 3000, 10**9):
        monkeypatch.setattr(exact, "BATCH_BYTES", size)
        assert (predict(spec, weights, inputs) == whole).all()


def test_many_classes_are_predicted_in_two_bytes():
    spec = ModelSpec("logistic", (2,), 300)
    weights = np.zeros(spec.dimension, dtype=np.int32)
    weights[-1] = 1
    found = predict(spec, weights, np.zeros((1, 2), dtype=np.uint8))
    assert (found.dtype.str, found.tolist()) == ("<u2", [299])
    assert found.tobytes() == b"\x2b\x01"


def test_inputs_and_weights_that_do_not_fit_are_refused():
    spec = SPECS[0]
    weights = np.zeros(spec.dimension, dtype=np.int32)
    inputs = np.zeros((1, *spec.input_shape), dtype=np.uint8)
    with pytest.raises(ValueError, match="uint8 inputs"):
        predict(spec, weights, inputs.astype(np.float64))
    with pytest.raises(ValueError, match="uint8 inputs"):
        predict(spec, weights, inputs.reshape(1, math.prod(spec.input_shape)))
    with pytest.raises(ValueError, match="int32 weights"):
        predict(spec, weights[:-1], inputs)
    weights[0] = WEIGHT_LIMIT + 1
    with pytest.raises(ValueError, match="limit"):
        predict(spec, weights, inputs)
