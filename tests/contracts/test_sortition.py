from __future__ import annotations

from typing import Any

import pytest
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from offchain.yoda.sortition import permute
from tests.contracts.evm import deploy, helper, look
from tests.contracts.play import People

SMALL_SIZES = range(1, 71)
LARGE_SIZES = [255, 256, 257, 1000, 1023, 1024]


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
