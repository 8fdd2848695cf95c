from __future__ import annotations

import numpy as np
import pytest

from d2m.learning.grid import GRID_ONE, WEIGHT_LIMIT, add_update, from_grid, to_grid


def test_values_go_to_the_nearest_grid_point_and_ties_to_the_even_one():
    halves = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 0.6]) / GRID_ONE
    assert to_grid(halves).tolist() == [0, 2, 2, 0, -2, 1]


def test_values_are_clipped_to_the_limit():
    assert to_grid(np.array([1e9, -1e9])).tolist() == [WEIGHT_LIMIT, -WEIGHT_LIMIT]


def test_grid_points_survive_the_way_there_and_back():
    points = np.array([-WEIGHT_LIMIT, -1, 0, 1, 12345, WEIGHT_LIMIT], dtype=np.int32)
    assert (to_grid(from_grid(points)) == points).all()
    # float32 holds them too: training starts from exactly the weights on the chain
    assert (to_grid(from_grid(points).astype(np.float32)) == points).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="not finite"):
        to_grid(np.array([0.0, value]))


def test_an_update_cannot_push_a_weight_past_the_limit():
    weights = np.array([WEIGHT_LIMIT, -WEIGHT_LIMIT, 5], dtype=np.int32)
    update = np.array([WEIGHT_LIMIT, -WEIGHT_LIMIT, -7], dtype=np.int32)
    assert add_update(weights, update).tolist() == [WEIGHT_LIMIT, -WEIGHT_LIMIT, -2]
