from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from d2m.data.scaling import quantise, ranges


def test_a_range_becomes_0_to_255_and_what_lies_outside_is_clipped():
    values = np.array([[-5.0], [10.0], [10.4], [15.0], [20.0], [21.0]])
    levels = quantise(values, np.array([10.0]), np.array([20.0]))
    assert levels.dtype == np.uint8
    assert levels[:, 0].tolist() == [0, 0, 10, 128, 255, 255]


def test_features_are_scaled_each_by_its_own_range():
    levels = quantise(np.array([[1.0, 300.0]]), np.array([0.0, 200.0]), np.array([1.0, 600.0]))
    assert levels.tolist() == [[255, 64]]


def test_an_outlier_does_not_stretch_a_derived_range():
    values = np.append(np.linspace(0, 1, 1000), 1e9)[:, None]
    low, high = ranges(values)
    assert 0 <= low[0] < 0.02
    assert 0.98 < high[0] <= 1


def test_a_constant_feature_becomes_0():
    values = np.full((20, 1), 7.0)
    assert (quantise(values, *ranges(values)) == 0).all()


@settings(max_examples=50)
@given(arrays(np.float64, (30, 2), elements=st.floats(-1e6, 1e6)))
def test_scaling_keeps_the_order_of_values(values):
    levels = quantise(values, *ranges(values))
    for column in range(2):
        order = np.argsort(values[:, column])
        assert (np.diff(levels[order, column].astype(int)) >= 0).all()
