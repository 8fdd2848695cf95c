"""The interface of an aggregation rule."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

from d2m.learning.grid import IntVector
from d2m.learning.rules.stack import RuleError, Stack


class Decision(NamedTuple):
    """Decision of a rule."""

    aggregate: IntVector
    """int32 (d,)."""
    kept: tuple[int, ...]
    """Rows of the input that the rule let through, ascending."""


@dataclass(frozen=True, kw_only=True)
class Tolerant:
    """Tolerates f Byzantine rows among n. Raises RuleError when f is not a count."""

    f: int = 0

    def __post_init__(self) -> None:
        if type(self.f) is not int or self.f < 0:
            raise RuleError(f"f is the number of Byzantine updates, an int from 0, not {self.f!r}")

    def stack(self, updates: IntVector) -> Stack:
        """The checked updates. Raises RuleError on input that nothing is defined on."""
        stack = Stack(updates)
        if self.f >= len(stack):
            raise RuleError(f"f = {self.f} of {len(stack)} updates leaves none to aggregate")
        return stack


class Rule(Tolerant, ABC):
    """A rule: n updates to one. The same bits on every machine."""

    def __call__(self, updates: IntVector) -> IntVector:
        """Aggregate int32 (d,) of stacked updates int32 (n, d). Raises RuleError."""
        return self._aggregate(self.stack(updates))

    def decide(self, updates: IntVector) -> Decision:
        """Aggregate and the rows that were kept. Raises RuleError on input it is not defined on."""
        stack = self.stack(updates)
        return Decision(self._aggregate(stack), self._kept(stack))

    @abstractmethod
    def _aggregate(self, stack: Stack) -> IntVector: ...

    def _kept(self, stack: Stack) -> tuple[int, ...]:
        """Rows that a round pays for. A rule that selects nothing keeps the Krum candidates."""
        return krum_candidates(stack.distances, self.f)


def krum_candidates(distances: list[list[int]], f: int) -> tuple[int, ...]:
    """Indices, ascending, of the n−f best Krum scores; ties by index."""
    ranking = krum_ranking(distances, f)
    return tuple(sorted(ranking[: len(distances) - f]))


def krum_ranking(distances: list[list[int]], f: int) -> list[int]:
    """All indices by their Krum score, best first, ties by index.

    score_i = Σ of squared distances to the max(1, n−f−2) nearest other updates (Blanchard et al.,
    NeurIPS 2017: the neighbours exclude i itself; other libraries count one more).
    """
    n = len(distances)
    neighbours = max(1, n - f - 2)
    scores = [sum(sorted(row[:i] + row[i + 1 :])[:neighbours]) for i, row in enumerate(distances)]
    return sorted(range(n), key=lambda i: (scores[i], i))
