from __future__ import annotations

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from d2m.learning.draws import PROBABILITY_ONE, draw, draw_word, first_draw

SEEDS = st.binary(min_size=32, max_size=32)


def test_a_word_is_the_hash_of_seed_and_number():
    seed = bytes(range(32))
    assert draw_word(seed, 7) == int(keccak(encode(["bytes32", "uint256"], [seed, 7])).hex(), 16)
    assert draw_word(seed, 0) == int.from_bytes(keccak(seed + bytes(32)), "big")


@given(st.integers(1, 50), st.integers(1, 30), SEEDS)
def test_the_first_draw_counts_words_modulo_the_sellers(sellers, count, seed):
    drawn = first_draw(sellers, count, seed)
    assert len(drawn) == sellers
    expected = [0] * sellers
    for k in range(count):
        expected[draw_word(seed, k) % sellers] += 1
    assert list(drawn) == expected


@given(st.lists(st.integers(0, 9), min_size=1, max_size=20).filter(any), SEEDS)
def test_later_draws_follow_the_cumulative_intervals(weights, seed):
    probabilities = [PROBABILITY_ONE * w // sum(weights) for w in weights]
    probabilities[-1] += PROBABILITY_ONE - sum(probabilities)
    expected = [0] * len(weights)
    for k in range(12):
        point = draw_word(seed, k) % PROBABILITY_ONE
        start = 0
        for seller, probability in enumerate(probabilities):
            expected[seller] += start <= point < start + probability
            start += probability
    drawn = draw(probabilities, 12, seed)
    assert list(drawn) == expected
    assert sum(drawn) == 12
    assert all(p > 0 for p, m in zip(probabilities, drawn, strict=True) if m)


def test_repeats_add():
    assert draw([0, PROBABILITY_ONE, 0], 5, bytes(32)) == (0, 5, 0)


@pytest.mark.parametrize("wrong", [[1, 2], [PROBABILITY_ONE + 1, -1]])
def test_probabilities_that_are_none_are_refused(wrong):
    with pytest.raises(ValueError, match="sum to"):
        draw(wrong, 3, bytes(32))
