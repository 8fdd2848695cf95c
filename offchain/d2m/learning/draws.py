"""Drawing sellers from the sampler's distribution, the same way here and on chain."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from eth_abi.abi import encode
from eth_utils.crypto import keccak

PROBABILITY_ONE = 10**18
"""Probabilities are integers that sum to exactly this."""


def draw_word(seed: bytes, k: int) -> int:
    """The k-th 256-bit word of a 32-byte seed: int(keccak256(abi.encode(bytes32, uint256)))."""
    return int.from_bytes(keccak(encode(["bytes32", "uint256"], [seed, k])), "big")


def first_draw(sellers: int, count: int, seed: bytes) -> tuple[int, ...]:
    """Multiplicity by seller of ``count`` uniform draws with replacement (the first sample)."""
    drawn = [draw_word(seed, k) % sellers for k in range(count)]
    return tuple(drawn.count(i) for i in range(sellers))


def draw(probabilities: Sequence[int], count: int, seed: bytes) -> tuple[int, ...]:
    """Multiplicity by seller of ``count`` draws with replacement; repeats add.

    A draw takes the seller whose cumulative interval holds ``word mod PROBABILITY_ONE``.
    """
    if sum(probabilities) != PROBABILITY_ONE or min(probabilities) < 0:
        raise ValueError("probabilities are not negative and sum to 10**18")
    ends = list(accumulate(probabilities))
    drawn = [bisect_right(ends, draw_word(seed, k) % PROBABILITY_ONE) for k in range(count)]
    return tuple(drawn.count(i) for i in range(len(probabilities)))
