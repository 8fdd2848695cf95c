"""Seeded sortition, as `Sortition.sol` and `ExecutionSets.sol` in `contracts/yoda/` compute it."""

from __future__ import annotations

from eth_utils.crypto import keccak

from offchain.chain.records import MAX_SET

FEISTEL_ROUNDS = 12
"""Small pools have halves of few bits, which need more than the four rounds of the theorem."""



def permute(index: int, size: int, seed: bytes) -> int:
    """Where `index` goes under the permutation of {0, …, size - 1} that 32-byte `seed` picks."""
    if not 0 <= index < size:
        raise ValueError(f"index {index} is outside a set of {size}")
    half = 1
    while 1 << (2 * half) < size:
        half += 1
    index = _feistel(index, half, seed)
    while index >= size:
        index = _feistel(index, half, seed)
    return index


def execution_set(seats: int, asked_before: int, asked: int, draw_seed: bytes) -> list[int]:
    """The seats whose rank lies in [asked_before, asked): the execution set of one mini-round."""
    return [
        seat for seat in range(seats) if asked_before <= permute(seat, seats, draw_seed) < asked
    ]


def asked_after(base: int, mini_rounds: int, seats: int) -> int:
    """Nodes asked in a draw once its first `mini_rounds` mini-rounds have opened.

    Mini-round i (from 1) asks min(base + 2^(i-1), `MAX_SET`) further ones, until all were asked.
    """
    return min(seats, sum(min(base + (1 << i), MAX_SET) for i in range(mini_rounds)))


def _feistel(index: int, half: int, seed: bytes) -> int:
    mask = (1 << half) - 1
    left, right = index >> half, index & mask
    for i in range(FEISTEL_ROUNDS):
        word = keccak(seed + i.to_bytes(32, "big") + right.to_bytes(32, "big"))
        left, right = right, left ^ (int.from_bytes(word, "big") & mask)
    return (left << half) | right
