from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offchain.yoda.sortition import MAX_SET, asked_after, execution_set, permute

SEED = bytes(range(32))


@settings(max_examples=50)
@given(size=st.integers(1, 300), seed=st.binary(min_size=32, max_size=32))
def test_every_size_is_permuted(size: int, seed: bytes) -> None:
    assert sorted(permute(index, size, seed) for index in range(size)) == list(range(size))


def test_the_permutation_stays_as_it_is() -> None:
    """Pinned: a node with another permutation would take other seats for asked."""
    ranks = [permute(seat, 10, SEED) for seat in range(10)]
    assert ranks == [0, 8, 7, 4, 6, 5, 1, 2, 9, 3]


@pytest.mark.parametrize("seats", [5, 16])
def test_pairs_are_asked_together_as_often_as_they_should(seats: int) -> None:
    """Chi-square over all pairs of seats: nobody gains by buying seats in certain positions.

    Small pools have tiny Feistel halves, which need more rounds than the four of the theorem.
    """
    draws, first = 1500, seats // 2
    together = Counter(
        pair
        for draw in range(draws)
        for pair in combinations(execution_set(seats, 0, first, draw.to_bytes(32, "big")), 2)
    )
    pairs = list(combinations(range(seats), 2))
    expected = draws * first * (first - 1) / (seats * (seats - 1))
    chi_square = sum((together[pair] - expected) ** 2 / expected for pair in pairs)
    assert chi_square < len(pairs) + 5 * (2 * len(pairs)) ** 0.5


@pytest.mark.parametrize("index", [-1, 5, 6])
def test_an_index_outside_has_no_rank(index: int) -> None:
    with pytest.raises(ValueError, match="outside a set of 5"):
        permute(index, 5, SEED)


@settings(max_examples=50)
@given(seats=st.integers(1, 400), base=st.integers(1, 128))
def test_sets_grow_and_share_out_the_pool(seats: int, base: int) -> None:
    asked, mini_round, members = asked_after(base, 0, seats), 0, []
    assert asked == 0
    while asked < seats:
        mini_round += 1
        after = asked_after(base, mini_round, seats)
        assert after - asked == min(base + 2 ** (mini_round - 1), MAX_SET, seats - asked)
        members += execution_set(seats, asked, after, SEED)
        asked = after
    assert sorted(members) == list(range(seats))


def test_every_seat_is_drawn_about_equally_often() -> None:
    """400 draws of 5 of 20: 100 expected for each seat, 8.7 the standard deviation."""
    counts = [0] * 20
    for draw in range(400):
        for seat in execution_set(20, 0, 5, draw.to_bytes(32, "big")):
            counts[seat] += 1
    assert sum(counts) == 2000
    assert min(counts) > 65
    assert max(counts) < 135
