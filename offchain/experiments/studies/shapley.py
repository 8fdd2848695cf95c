"""Games of a few players, and what values them: exactly, leaving one out, and GTG-Shapley.

A coalition is a bit mask: bit p is player p. A game maps it to the evaluation samples gained.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import combinations
from math import factorial

import numpy as np

Game = Callable[[int], int]
"""Worth of a coalition; the empty one's is 0."""
Values = dict[int, Fraction]
"""By player."""

TRUNCATION = 1
"""GTG-Shapley: a worth this near to the grand coalition's, in samples, counts as reached."""
SWEEPS = 8
"""GTG-Shapley: at most so many permutations begin with each player."""
CONVERGED = Fraction(5, 100)
"""GTG-Shapley ends when a sweep moves the values by less than this share of their size."""


class Counted:
    """A game that is asked about each coalition once and knows about which."""

    def __init__(self, game: Game) -> None:
        self._game = game
        self.known = {0: 0}

    def __call__(self, coalition: int) -> int:
        """Worth of a coalition."""
        if coalition not in self.known:
            self.known[coalition] = self._game(coalition)
        return self.known[coalition]


def coalition(players: Sequence[int]) -> int:
    """The mask of distinct players."""
    return sum(1 << player for player in players)


def exact(game: Game, players: Sequence[int]) -> Values:
    """Shapley's value: Σ_S |S|!·(n−1−|S|)!/n! · (v(S ∪ i) − v(S)), S the coalitions without i.

    2^n coalitions. Source: L. S. Shapley, A value for n-person games (1953).
    """
    n = len(players)
    values = {}
    for player in players:
        others = [other for other in players if other != player]
        total = 0
        for size in range(n):
            weight = factorial(size) * factorial(n - 1 - size)
            masks = map(coalition, combinations(others, size))
            total += weight * sum(game(mask | 1 << player) - game(mask) for mask in masks)
        values[player] = Fraction(total, factorial(n))
    return values


def leave_one_out(game: Game, players: Sequence[int]) -> Values:
    """v(N) − v(N without i): n + 1 coalitions."""
    everybody = coalition(players)
    return {p: Fraction(game(everybody) - game(everybody & ~(1 << p))) for p in players}


def gtg(game: Game, players: Sequence[int], random: np.random.Generator) -> Values:
    """GTG-Shapley: the mean marginal contribution over permutations, guided and truncated twice.

    Guided: in a sweep each player is first once. Truncated: a round that gains next to nothing
    gives nothing, and a permutation ends where its worth is that of all. Source: Z. Liu et al.,
    GTG-Shapley, ACM TIST 13 (2022), algorithm 1.
    """
    full = game(coalition(players))
    sums = dict.fromkeys(players, 0)
    if abs(full) <= TRUNCATION:
        return {p: Fraction(0) for p in players}
    values: Values = {}
    for sweep in range(1, SWEEPS + 1):
        for first in players:
            rest = random.permutation([p for p in players if p != first]).tolist()
            _walk(game, [first, *rest], full, sums)
        before, values = values, {p: Fraction(s, sweep * len(players)) for p, s in sums.items()}
        size = sum(map(abs, values.values()))
        if before and sum(abs(values[p] - before[p]) for p in players) <= CONVERGED * size:
            break
    return values


def _walk(game: Game, order: Sequence[int], full: int, sums: dict[int, int]) -> None:
    """Add the marginal contributions along one permutation to `sums`."""
    mask, worth = 0, 0
    for player in order:
        if abs(full - worth) <= TRUNCATION:
            return
        mask |= 1 << player
        after = game(mask)
        sums[player] += after - worth
        worth = after
