"""Clipping holds its bound in integers, and the noise is the normal distribution, rounded."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import kstest

from d2m.privacy.gaussian import clipped, poisson_batch, random_words, rounded_normal
from tests.privacy.randomness import repeatable

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)


def squared_norm(row: np.ndarray) -> int:
    """Exact, in Python's integers."""
    return sum(int(x) ** 2 for x in row)


@given(
    rows=arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 30)), elements=FINITE),
    limit=st.floats(1, 1e9),
)
def test_no_row_exceeds_the_limit_by_a_bit(rows: np.ndarray, limit: float) -> None:
    for row in clipped(rows, limit):
        assert squared_norm(row) <= Fraction(limit) ** 2


def test_the_bound_holds_for_as_many_entries_as_a_model_may_have() -> None:
    rows = np.full((1, 1 << 22), 0.1, dtype=np.float32)
    limit = float(1 << 40)
    assert int(clipped(rows * 1e30, limit)[0, 0]) ** 2 * (1 << 22) <= int(limit) ** 2


def test_a_short_row_keeps_its_length_and_a_long_one_its_direction() -> None:
    short, long = clipped(np.array([[3.0, 4.0], [-3000.0, 4000.0]]), 100.0)
    assert short.tolist() == [2, 3]  # towards zero, and a hair below the exact length
    assert long.tolist() == [-59, 79]


def test_a_row_that_is_not_finite_counts_nothing() -> None:
    rows = np.array([[math.nan, 1.0], [math.inf, 1.0], [1.0, 5.0]])
    assert clipped(rows, 100.0).tolist() == [[0, 0], [0, 0], [0, 4]]


def test_noise_is_normal_before_it_is_rounded() -> None:
    noise = rounded_normal(200_000, 1e6, repeatable(1))
    assert noise.dtype == np.int64
    assert kstest(noise / 1e6, "norm").pvalue > 0.01
    assert kstest(noise / 1.02e6, "norm").pvalue < 0.01  # the test sees two percent


def test_noise_below_a_step_is_mostly_zero() -> None:
    noise = rounded_normal(100_000, 0.5, repeatable(1))
    beyond = math.erfc(0.5 / 0.5 / math.sqrt(2))
    assert np.mean(noise != 0) == pytest.approx(beyond, rel=0.02)


@pytest.mark.parametrize("byte", [b"\0", b"\xff"], ids=["least", "largest"])
def test_the_ends_of_the_uniform_words_give_finite_noise(byte: bytes) -> None:
    (value,) = rounded_normal(1, 1e6, lambda count: byte * count)
    assert abs(value) < 9.2e6


def test_every_word_is_fresh() -> None:
    words = random_words(1000, repeatable(3))
    assert len(set(words.tolist())) == 1000


def test_a_record_is_in_a_batch_with_its_probability_whoever_else_is() -> None:
    entropy = repeatable(2)
    member = np.zeros((4000, 50))
    for row in member:
        row[poisson_batch(50, 10, entropy)] = 1
    assert member.mean() == pytest.approx(0.2, abs=0.005)
    sizes = member.sum(axis=1)
    assert sizes.var() == pytest.approx(50 * 0.2 * 0.8, rel=0.1)  # a fixed size would have none
    together = np.corrcoef(member.T) - np.eye(50)
    assert np.abs(together).max() < 0.08


def test_a_batch_as_large_as_the_data_takes_all() -> None:
    assert poisson_batch(5, 8, repeatable(0)).tolist() == [0, 1, 2, 3, 4]
