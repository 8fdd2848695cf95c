"""Seeded sortition, as `Sortition.sol` and `ExecutionSets.sol` in `contracts/yoda/` compute it."""

from __future__ import annotations

import math

from eth_utils.crypto import keccak

from d2m.protocol.constants import MAX_SET, MIN_CELLS

FEISTEL_ROUNDS = 14
"""Tables of few rows need more than the four rounds of the theorem, see `Sortition.sol`."""


def permute(index: int, size: int, seed: bytes) -> int:
    """Where `index` goes under the permutation of {0, …, size - 1} that 32-byte `seed` picks."""
    if not 0 <= index < size:
        raise ValueError(f"index {index} is outside a set of {size}")
    columns, rows = table(size)
    index = _feistel(index, columns, rows, seed)
    while index >= size:
        index = _feistel(index, columns, rows, seed)
    return index


def table(size: int) -> tuple[int, int]:
    """Columns and rows of the table that the network permutes: the smallest near-square one."""
    cells = size if size < 5 else max(size, MIN_CELLS)
    columns = math.isqrt(cells - 1) + 1
    return columns, -(-cells // columns)


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


def _feistel(index: int, columns: int, rows: int, seed: bytes) -> int:
    y, x = divmod(index, columns)
    for i in range(FEISTEL_ROUNDS):
        if i % 2 == 0:
            x = (x + _word(i, y, seed)) % columns
        else:
            y = (y + _word(i, x, seed)) % rows
    return y * columns + x


def _word(i: int, coordinate: int, seed: bytes) -> int:
    """Term that round `i` adds: the length of the hashed bytes tells the rounds apart."""
    return int.from_bytes(keccak(coordinate.to_bytes(32 - i, "big") + seed), "big")
