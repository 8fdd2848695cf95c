from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d2m.protocol.constants import MAX_SET
from d2m.protocol.sortition import FEISTEL_ROUNDS, asked_after, execution_set, permute, table

SEED = bytes(range(32))


@settings(max_examples=50)
@given(size=st.integers(1, 300), seed=st.binary(min_size=32, max_size=32))
def test_every_size_is_permuted(size: int, seed: bytes) -> None:
    assert sorted(permute(index, size, seed) for index in range(size)) == list(range(size))


def test_the_permutation_stays_as_it_is() -> None:
    """Pinned: a node with another permutation would take other seats for asked."""
    ranks = [permute(seat, 10, SEED) for seat in range(10)]
    assert ranks == [1, 7, 8, 0, 5, 3, 4, 9, 6, 2]


@pytest.mark.parametrize(
    ("seats", "at_most"), [(9, 2e-6), (12, 3.4e-3), (16, 6.2e-4), (25, 7.8e-5), (56, 5.8e-5)]
)
def test_the_rounds_suffice_for_every_pair(seats: int, at_most: float) -> None:
    """The figures behind the number of rounds, for pools that fill their table."""
    columns, rows = table(seats)
    assert columns * rows == seats
    assert _worst_pair(columns, rows, FEISTEL_ROUNDS) < at_most
    assert _worst_pair(columns, rows, 4) > 0.1


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


def _worst_pair(columns: int, rows: int, rounds: int) -> float:
    """How far a pair of seats can be from its fair chance of any pair of ranks, as a share of it.

    Exact for ideal round functions; all seats are alike, so the first one of the pair is seat 0.
    """
    cells = columns * rows
    worst = 0.0
    for other in range(1, cells):
        chance = np.zeros((cells, cells))
        chance[0, other] = 1
        chance = chance.reshape(rows, columns, rows, columns)
        for _ in range(rounds):
            chance = _after_round(chance)
        ordered = chance.reshape(cells, cells)
        pairs = (ordered + ordered.T)[np.triu_indices(cells, 1)]
        worst = max(worst, float(abs(pairs * len(pairs) - 1).max()))
    return worst


def _after_round(chance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Each row turned by a random shift of its own; then rows are columns for the next round."""
    rows, columns, _, _ = chance.shape
    same_row = np.eye(rows, dtype=bool)[:, None, :, None]
    turns = [np.roll(chance, (shift, shift), axis=(1, 3)) for shift in range(columns)]
    turned = np.where(same_row, np.mean(turns, axis=0), chance.mean(axis=(1, 3), keepdims=True))
    return turned.transpose(1, 0, 3, 2)
