from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from d2m.learning.canonical import SpecError
from d2m.learning.defaults import SPECS
from d2m.learning.grid import GRID_ONE
from d2m.learning.network.model import (
    ExactnessError,
    ModelSpec,
    initial_weights,
    to_tensors,
    to_vector,
)
from d2m.learning.network.operators import Operator
from d2m.learning.training.local import network

SEQUENCE = (
    Operator("convolution", outputs=4, side=3, stride=2, padding=1),
    Operator("relu"),
    Operator("average_pool", side=2, stride=2),
    Operator("flatten"),
    Operator("dense", outputs=6),
    Operator("dense", outputs=5),
)
MODELS = [
    ModelSpec("convolution", (3, 7, 6), 5, channels=4, kernel=3),
    ModelSpec("perceptron", (1, 4, 4), 3, hidden=(7, 5)),
    ModelSpec("logistic", (10,), 2),
    ModelSpec("convolution", (1, 9, 7), 5, channels=2, kernel=5, pool=3, input_centre=128),
    ModelSpec("convolution", (1, 3, 4), 2, channels=2, kernel=1, pool=1),
    ModelSpec("sequence", (1, 9, 7), 5, operators=SEQUENCE, input_centre=128),
]


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.architecture)
def test_the_layout_is_that_of_the_trained_network(spec):
    named = [(name, tuple(p.shape)) for name, p in network(spec).named_parameters()]
    assert named == list(spec.parameters)
    assert spec.dimension == sum(math.prod(shape) for _, shape in named)
    outputs = network(spec)(torch.zeros(2, *spec.input_shape))
    assert outputs.shape == (2, spec.classes)


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.architecture)
def test_vector_and_tensors_are_inverse(spec):
    vector = np.arange(spec.dimension, dtype=np.int32)
    assert (to_vector(spec, to_tensors(spec, vector)) == vector).all()


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.architecture)
def test_a_specification_is_rebuilt_from_its_json(spec):
    again = ModelSpec.from_json(spec.to_json())
    assert again == spec
    assert again.hash == spec.hash
    assert len({model.hash for model in MODELS}) == len(MODELS)


def test_initial_weights_follow_from_seed_and_specification_alone():
    spec = MODELS[0]
    weights = initial_weights(spec, bytes(32))
    assert weights.dtype == np.int32
    assert (initial_weights(spec, bytes(32)) == weights).all()
    assert (initial_weights(spec, b"\x01" * 32) != weights).any()
    # A known answer: another machine or library version must find the same start.
    assert weights[:6].tolist() == KNOWN_START


def test_initial_weights_are_scaled_by_fan_in_and_fill_their_range():
    spec = ModelSpec("perceptron", (400,), 10, hidden=(64,))
    tensors = to_tensors(spec, initial_weights(spec, bytes(32)))
    for layer in spec.layers:
        limit = GRID_ONE / math.sqrt(layer.fan_in)
        entries = tensors[f"{layer.name}.weight"]
        assert 0.9 * limit < np.abs(entries).max() <= limit
        assert abs(entries.mean()) < 0.1 * limit


def test_sums_that_could_be_inexact_are_refused():
    # 65,535 hidden units: 2**18 activations × 2**19 weights × 2**16 terms reach 2**53.
    ModelSpec("perceptron", (1,), 2, hidden=(65_535,))
    with pytest.raises(ExactnessError, match=r"dense.*2\*\*53"):
        ModelSpec("perceptron", (1,), 2, hidden=(65_535,), activation_bits=19)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "transformer"}, "architecture"),
        ({"classes": 1}, "classes"),
        ({"kernel": 4}, "odd"),
        ({"kernel": 0}, "kernel"),
        ({"channels": 0}, "channels"),
        ({"input_shape": (8, 8)}, "input_shape"),
        ({"input_shape": (1, 1, 8)}, "pool"),
        ({"pool": 0}, "pool"),
        ({"pool": 9}, "pool"),
        ({"input_centre": -1}, "input_centre"),
        ({"input_centre": 256}, "input_centre"),
        ({"hidden": (3,)}, "unknown key 'hidden'"),
        ({"architecture": []}, "architecture"),
        ({"activation_fraction_bits": 19}, "activation_fraction_bits"),
        ({"channels": 2000, "input_shape": (1, 200, 200)}, "parameters"),
        ({"kernel": 31, "input_shape": (1, 1000, 1000), "pool": 100}, "values of one sample"),
        ({"classes": True}, "classes"),
        ({"classes": 10.0}, "classes"),
        ({"surprise": 1}, "unknown key"),
    ],
)
def test_malformed_specifications_are_refused_by_name(changes, message):
    good = ModelSpec("convolution", (1, 8, 8), 10, channels=4, kernel=3).to_json()
    with pytest.raises(SpecError, match=message):
        ModelSpec.from_json({**good, **changes})


def test_a_missing_key_is_named():
    good = ModelSpec("logistic", (4,), 2).to_json()
    del good["classes"]
    with pytest.raises(SpecError, match="missing key 'classes'"):
        ModelSpec.from_json(good)


def test_a_field_of_another_architecture_is_refused():
    for changes in ({"pool": 3}, {"kernel": 3}, {"hidden": (3,)}):
        with pytest.raises(SpecError, match="a logistic model has none"):
            ModelSpec("logistic", (4,), 2, **changes)


@pytest.mark.parametrize(
    ("index", "operator", "message"),
    [
        (0, {"operator": "relu"}, "relu has to stand after a layer"),
        (0, {"operator": "fft"}, "operator: expected one of convolution, dense"),
        (0, {"operator": []}, "operator"),
        (0, "relu", "operator"),
        (1, {"operator": "relu", "side": 2}, "unknown key 'side'"),
        (2, {"operator": "max_pool", "side": 2}, "missing key 'stride'"),
        (2, {"operator": "max_pool", "side": 2, "stride": 0}, "stride of a max_pool"),
        (2, {"operator": "max_pool", "side": True, "stride": 1}, "side of a max_pool"),
        (2, {"operator": "max_pool", "side": 6, "stride": 1}, "too large"),
        (2, {"operator": "dense", "outputs": 6}, "flatten"),
        (4, {"operator": "max_pool", "side": 2, "stride": 1}, "max_pool4: takes"),
        (5, {"operator": "dense", "outputs": 6}, "last is a dense layer of 5"),
        (5, {"operator": "relu"}, "last is a dense layer of 5"),
    ],
)
def test_operators_that_do_not_fit_are_refused_by_name(index, operator, message):
    good = ModelSpec("sequence", (1, 9, 7), 5, operators=SEQUENCE).to_json()
    good["operators"][index] = operator
    with pytest.raises(SpecError, match=message):
        ModelSpec.from_json(good)


def test_a_window_of_padding_alone_is_refused():
    with pytest.raises(SpecError, match="padding of a convolution"):
        Operator("convolution", outputs=1, side=3, stride=1, padding=3)


def test_a_mean_whose_sum_could_be_inexact_is_refused():
    # 2**32 activations × 2048² values of a window pass 2**53, 1024² do not.
    def spec(side):
        operators = (
            Operator("convolution", outputs=1, side=1, stride=1),
            Operator("average_pool", side=side, stride=side),
            Operator("flatten"),
            Operator("dense", outputs=2),
        )
        return ModelSpec("sequence", (1, side, side), 2, operators=operators, activation_bits=32)

    spec(1024)
    with pytest.raises(ExactnessError, match=r"average_pool1.*2\*\*5"):
        spec(2048)


def test_the_short_names_are_sequences():
    """The same operators written out give the same layout, bounds and shapes."""
    short = ModelSpec("convolution", (1, 8, 8), 3, channels=2, kernel=3)
    operators = tuple(step.operator for step in short.steps)
    long = ModelSpec("sequence", (1, 8, 8), 3, operators=operators)
    assert [s.operator.kind for s in long.steps] == [
        "convolution",
        "max_pool",
        "relu",
        "flatten",
        "dense",
    ]
    assert [s.weight_shape for s in long.layers] == [s.weight_shape for s in short.layers]
    assert long.hash != short.hash


def test_the_proposed_specifications_are_well_formed():
    for name, build in SPECS.items():
        spec = build(bytes(32))
        assert spec.dataset == name
        assert type(spec).from_bytes(spec.to_bytes()) == spec


KNOWN_START = [-9521, 9842, -432, -12079, 3513, -9728]
