from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offchain.data.partition import MINIMUM_PART, dirichlet

LABELS = np.random.default_rng(0).integers(0, 10, 1500, dtype=np.uint8)


@settings(max_examples=60)
@given(st.integers(1, 50), st.sampled_from([0.01, 0.5, 100.0]), st.integers(0, 2**32))
def test_parts_are_disjoint_complete_and_large_enough(parts, alpha, seed):
    split = dirichlet(LABELS, parts, alpha, seed)
    assert len(split) == parts
    assert sorted(np.concatenate(split)) == list(range(len(LABELS)))
    assert min(map(len, split)) >= MINIMUM_PART
    assert all((np.diff(part) > 0).all() for part in split)


def test_one_seed_gives_one_partition():
    first, again = dirichlet(LABELS, 12, 0.5, 3), dirichlet(LABELS, 12, 0.5, 3)
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    other = dirichlet(LABELS, 12, 0.5, 4)
    assert any(len(a) != len(b) or (a != b).any() for a, b in zip(first, other, strict=True))


def test_parts_differ_more_the_smaller_alpha_is():
    def largest_class(alpha):
        split = dirichlet(LABELS, 12, alpha, 1)
        return np.mean([np.bincount(LABELS[part]).max() / len(part) for part in split])

    assert largest_class(0.1) > largest_class(0.5) > largest_class(100.0) + 0.1


def test_parts_that_fit_exactly_are_filled():
    labels = np.zeros(4 * MINIMUM_PART, dtype=np.uint8)
    assert [len(part) for part in dirichlet(labels, 4, 0.05, 0)] == [MINIMUM_PART] * 4


@pytest.mark.parametrize(
    ("parts", "alpha", "message"),
    [(0, 0.5, "at least one part"), (3, 0.0, "alpha"), (100, 0.5, "too few")],
)
def test_a_partition_that_cannot_be_is_refused(parts, alpha, message):
    with pytest.raises(ValueError, match=message):
        dirichlet(LABELS, parts, alpha, 0)
