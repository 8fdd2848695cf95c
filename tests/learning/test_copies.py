from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from d2m.learning.copies import copies
from d2m.learning.rules.stack import gram

HALFWAY = Fraction(1, 2)


def of(*updates: list[int], way: Fraction = HALFWAY) -> list[int]:
    products = gram(np.array(updates, dtype=np.int32))
    return copies([[int(product) for product in row] for row in products], way)


@pytest.mark.parametrize(("way", "counted"), [(HALFWAY, [2, 1, 2]), (Fraction(51, 100), [1, 1, 1])])
def test_a_copy_lies_that_part_of_the_way_from_the_median_pair(way, counted):
    """Cosines 0, 0.6 and 0.8: halfway from 0.6 to 1 is 0.8."""
    assert of([1, 0], [0, 1], [400, 300], way=way) == counted


def test_one_vector_posted_by_all_is_copied_by_all():
    assert of(*[[3, -4]] * 5) == [5] * 5


def test_length_does_not_hide_a_copy():
    assert of([9, 1, 1], [1, 9, 1], [1, 1, 9], [90, 10, 10]) == [2, 1, 1, 2]


def test_updates_of_zeros_are_nobody_s_copies():
    assert of([0, 0], [0, 0], [1, 0]) == [1, 1, 1]


def test_an_update_alone_has_no_copy():
    assert of([5, 5]) == [1]


@given(
    st.lists(
        st.lists(st.integers(-99, 99), min_size=3, max_size=3), min_size=1, max_size=6
    ).flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(range(len(rows))))),
    st.fractions(0, 1),
)
def test_who_copies_whom_does_not_depend_on_the_order(drawn, way):
    rows, order = drawn
    assert of(*(rows[i] for i in order), way=way) == [of(*rows, way=way)[i] for i in order]
