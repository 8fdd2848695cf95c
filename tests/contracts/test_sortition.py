from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from d2m.protocol.sortition import permute
from tests.support.evm import deploy, helper, look
from tests.support.play import People

SMALL_SIZES = range(1, 71)
LARGE_SIZES = [255, 256, 257, 1000, 1023, 1024]
DRAWN = 60_000  # ranks drawn for a statistic, in calls of CALL that fit into anvil's gas limit
CALL = 5_000


@pytest.fixture(scope="module")
def sortition(people: People) -> Any:
    return deploy(helper("SortitionHarness"), sender=people.deployer)


@pytest.mark.parametrize("size", [*SMALL_SIZES, *LARGE_SIZES])
def test_every_size_is_permuted_as_the_model_says(sortition: Any, size: int) -> None:
    seed = keccak(size.to_bytes(2, "big"))
    ranks = look(sortition.permutation, size, seed)
    assert sorted(ranks) == list(range(size))
    assert list(ranks) == [permute(index, size, seed) for index in range(size)]


@settings(max_examples=100)
@given(seed=st.binary(min_size=32, max_size=32), data=st.data())
def test_any_index_of_any_size_and_seed(sortition: Any, seed: bytes, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 70) | st.integers(1, 2**40), label="size")
    index = data.draw(st.integers(0, size - 1), label="index")
    assert look(sortition.permute, index, size, seed) == permute(index, size, seed)


def test_seeds_rank_differently(sortition: Any) -> None:
    rankings = {look(sortition.permutation, 50, keccak(bytes([i]))) for i in range(20)}
    assert len(rankings) == 20


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 10, 12, 16, 50])
def test_every_seat_has_every_rank_equally_often(sortition: Any, size: int) -> None:
    """Chi-square over the table of seats and ranks, whose rows and columns have fixed sums."""
    ranks = _rankings(sortition, size)
    counts = np.array([np.bincount(ranks[:, seat], minlength=size) for seat in range(size)])
    fair = len(ranks) / size
    freedom = (size - 1) ** 2
    chi_square = float(((counts - fair) ** 2 / fair).sum()) * (size - 1) / size
    assert chi_square <= freedom + 5 * (2 * freedom) ** 0.5


@pytest.mark.parametrize("size", [5, 7, 10, 12, 16, 50])
def test_every_pair_is_asked_together_equally_often(sortition: Any, size: int) -> None:
    """Chi-square over all pairs of seats: nobody gains by buying seats in certain positions."""
    asked = size // 2
    sets = (_rankings(sortition, size) < asked).astype(float)
    together = (sets.T @ sets)[np.triu_indices(size, 1)]
    fair = len(sets) * asked * (asked - 1) / (size * (size - 1))
    chi_square = float(((together - fair) ** 2 / fair).sum())
    assert chi_square < len(together) + 5 * (2 * len(together)) ** 0.5


@pytest.mark.parametrize("size", [10, 200])
def test_a_vote_pays_little_for_its_membership_check(sortition: Any, size: int) -> None:
    seeds = [keccak(bytes([i])) for i in range(20)]
    gas = [look(sortition.gasOfPermuting, size, seed) for seed in seeds]
    assert sum(gas) / (len(seeds) * size) <= 2000


def _rankings(sortition: Any, size: int) -> npt.NDArray[np.uint8]:
    """The ranks of all seats, a draw in each row."""
    seeds = CALL // size
    calls = [
        look(sortition.rankings, size, first, seeds) for first in range(0, DRAWN // size, seeds)
    ]
    return np.frombuffer(b"".join(calls), dtype=np.uint8).reshape(-1, size)
