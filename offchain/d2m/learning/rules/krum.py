"""Rules that select whole updates by their distances to the others."""

from __future__ import annotations

import numpy as np

from d2m.learning.grid import IntVector
from d2m.learning.rules.base import Rule, krum_ranking
from d2m.learning.rules.stack import Stack, integer_mean, rounded_quotient


class Krum(Rule):
    """The one update with the best Krum score.

    Formula: x_i with i = argmin score_i, score_i = Σ of squared distances to the max(1, n−f−2)
    nearest other updates, ties by index. Needs n ≥ 2f+3; below it the rule is still defined, with
    at least one neighbour, and a single update is its own choice. It keeps that one update. Cost:
    O(n²·d). Source: Blanchard et al., NeurIPS 2017.

    >>> Krum(f=1)(np.array([[0], [1], [2], [90]], dtype=np.int32)).tolist()
    [0]
    """

    def _aggregate(self, stack: Stack) -> IntVector:
        (best,) = self._kept(stack)
        return stack.row(best)

    def _kept(self, stack: Stack) -> tuple[int, ...]:
        return (krum_ranking(stack.distances, self.f)[0],)


class MultiKrum(Rule):
    """The mean of the n−f updates with the best Krum scores, rounded, halves up.

    Formula: (1/(n−f))·Σ_{i∈C} x_i, C the n−f smallest score_i of ``Krum``, ties by index. Needs
    n ≥ 2f+3; below it the rule is still defined: a single update is kept, and of two the lower
    index wins a tie. It keeps C. Cost: O(n²·d). Source: Blanchard et al., NeurIPS 2017 (m = n−f).

    >>> rows = np.array([[0], [1], [2], [90]], dtype=np.int32)
    >>> MultiKrum(f=1)(rows).tolist()
    [1]
    """

    def _aggregate(self, stack: Stack) -> IntVector:
        return integer_mean(stack.rows[list(self._kept(stack))])


class CorrectedKrum(Rule):
    """The one candidate nearest to the mean of the candidates (the paper's rule, our definition).

    Formula: x_i with i = argmin_{i∈C} |x_i − (1/|C|)·Σ_{j∈C} x_j|, C the n−f best Krum scores as in
    ``MultiKrum``, compared exactly, ties by index. Needs n ≥ 2f+3 and is defined below it as
    ``MultiKrum`` is. It keeps C. Cost: O(n²·d). Source: the words of D2M, arXiv:2512.10372 ("close
    to the mean pattern of a candidate set"); the definition is ours.

    >>> rows = np.array([[0], [1], [3], [90]], dtype=np.int32)
    >>> CorrectedKrum(f=1)(rows).tolist()
    [1]
    """

    def _aggregate(self, stack: Stack) -> IntVector:
        kept = self._kept(stack)
        # |x_i − S/m|² = |x_i|² − 2 x_i·S/m + const, multiplied by m.
        distances = [
            len(kept) * stack.products[i][i] - 2 * sum(stack.products[i][j] for j in kept)
            for i in kept
        ]
        return stack.row(kept[distances.index(min(distances))])


class Bulyan(Rule):
    """Krum chooses θ = n−2f updates one by one; of those the middle in each coordinate is averaged.

    Formula: choose θ times the best Krum score among the updates that are left, and take it out;
    then in each coordinate the mean of the β = θ−2f chosen entries nearest to the median of the
    chosen (of two equally near the smaller one), halves up. Needs n ≥ 4f+3; below it θ and β are
    at least 1. It keeps the θ chosen. Cost: O(n²·d + n³) and O(f·n·d) for the middle. Source: El
    Mhamdi, Guerraoui and Rouault, ICML 2018.

    >>> rows = np.array([[0], [1], [2], [3], [4], [5], [90]], dtype=np.int32)
    >>> Bulyan(f=1)(rows).tolist()
    [2]
    """

    def _aggregate(self, stack: Stack) -> IntVector:
        chosen = stack.rows[list(self._kept(stack))]
        ordered = np.sort(chosen, axis=0)
        return _mean_around_median(ordered, max(1, len(ordered) - 2 * self.f))

    def _kept(self, stack: Stack) -> tuple[int, ...]:
        left, chosen = list(range(len(stack))), []
        for _ in range(max(1, len(stack) - 2 * self.f)):
            among = [[stack.distances[i][j] for j in left] for i in left]
            chosen.append(left.pop(krum_ranking(among, self.f)[0]))
        return tuple(sorted(chosen))


def _mean_around_median(ordered: IntVector, count: int) -> IntVector:
    """Mean of the ``count`` entries nearest to the median of each sorted column, (m, d) to (d,).

    They are neighbours in the order. Starting from the lowest ``count``, the window moves up by one
    as long as the entry it takes in is nearer to the median than the one it gives up.
    """
    m = len(ordered)
    twice_median = ordered[(m - 1) // 2] + ordered[m // 2]
    sums = ordered[:count].sum(axis=0, dtype=np.int64)
    for lost, gained in zip(ordered, ordered[count:], strict=False):
        sums += np.where(lost + gained < twice_median, gained - lost, 0)
    return rounded_quotient(sums, count)
