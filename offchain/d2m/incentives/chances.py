"""Chances of a round's vote when some nodes are bribed to vote for one wrong digest.

The chances follow from the rules alone, without simulation: nodes are asked without replacement, so
the number of bribed ones in each mini-round is hypergeometric, and the likelihood test decides on
every count of votes. In float64, to about twelve digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom

from d2m.protocol.likelihood import Pool, is_accepted
from d2m.protocol.sortition import asked_after

_TRUE, _WRONG, _NEITHER = b"true", b"wrong", b""
_Masses = NDArray[np.float64]
"""By votes for the wrong digest, the chance of a draw that goes on with so many."""


@dataclass(frozen=True)
class Chances:
    """Chances of one round, its redraw included."""

    wrong: float
    """That the wrong digest is accepted."""
    undecided: float
    """That no digest is, in both draws."""
    lost_votes: float
    """Votes for the wrong digest that a round which accepts the true one is expected to judge;
    rounds that end otherwise count as 0."""
    votes: float
    """Votes that are expected in all."""


@dataclass(frozen=True)
class _Draw:
    """Chances of one draw; ``in_vain``: expected votes for the wrong digest in undecided ones."""

    wrong: float
    undecided: float
    lost_votes: float
    in_vain: float
    votes: float


@dataclass(frozen=True)
class Vote:
    """A round's vote: its frozen pool, the mini-rounds' base and β in parts per million."""

    pool: Pool
    base: int
    error_ppm: int

    def against(self, bribed: int, *, joining: bool = False) -> Chances:
        """The chances with so many nodes bribed, all others honest, nobody silent.

        Bribed nodes vote for the wrong digest; ``joining`` ones only until a mini-round ends in
        which more have voted for the true one, and join these from then on. A draw in vain asked
        everybody, and its votes are judged with those of the redraw. Raises ValueError when there
        are fewer nodes.
        """
        if not 0 <= bribed <= self.pool.seats:
            raise ValueError(f"{bribed} bribed of {self.pool.seats} nodes")
        draw = self._draw(bribed, joining)
        again, true = draw.undecided, 1 - draw.wrong - draw.undecided
        return Chances(
            wrong=draw.wrong * (1 + again),
            undecided=again**2,
            lost_votes=draw.lost_votes * (1 + again) + draw.in_vain * true,
            votes=draw.votes * (1 + again),
        )

    def _draw(self, bribed: int, joining: bool) -> _Draw:
        counts = np.arange(bribed + 1)
        trying: _Masses = np.zeros(bribed + 1)
        trying[0] = 1
        joined: _Masses = np.zeros(bribed + 1)
        wrong = lost = votes = 0.0
        before = 0
        for asked, decisions in self._mini_rounds:
            votes += (asked - before) * (trying + joined).sum()
            trying = self._more_asked(trying, before, asked)
            decided = decisions[: bribed + 1]
            wrong += (trying + joined)[decided == _WRONG].sum()
            lost += ((trying + joined) * counts)[decided == _TRUE].sum()
            trying = np.where(decided == _NEITHER, trying, 0)
            joined = np.where(decided == _NEITHER, joined, 0)
            if joining:
                outnumbered = counts < asked - counts
                joined = joined + np.where(outnumbered, trying, 0)
                trying = np.where(outnumbered, 0, trying)
            before = asked
        left = trying + joined
        in_vain = float((left * counts).sum())
        return _Draw(float(wrong), float(left.sum()), float(lost), in_vain, float(votes))

    def _more_asked(self, trying: _Masses, before: int, asked: int) -> _Masses:
        """After a further mini-round, whose bribed nodes all vote for the wrong digest."""
        bribed, left = len(trying) - 1, self.pool.seats - before
        after: _Masses = np.zeros_like(trying)
        for count in np.flatnonzero(trying):
            more = np.arange(bribed - count + 1)
            found = hypergeom.pmf(more, left, bribed - count, asked - before)
            after[count:] += trying[count] * found
        return after

    @cached_property
    def _mini_rounds(self) -> list[tuple[int, NDArray[np.bytes_]]]:
        """Nodes asked so far, and by votes for the wrong digest which one is accepted."""
        found: list[tuple[int, NDArray[np.bytes_]]] = []
        asked = 0
        while asked < self.pool.seats:
            asked = asked_after(self.base, len(found) + 1, self.pool.seats)
            decided = [self._decision(asked, wrong) for wrong in range(self.pool.seats + 1)]
            found.append((asked, np.array(decided)))
        return found

    def _decision(self, asked: int, wrong: int) -> bytes:
        tally = {_TRUE: asked - wrong, _WRONG: wrong}
        if wrong > asked or not is_accepted(self.pool, tally, self.error_ppm):
            return _NEITHER
        return max(tally, key=lambda digest: tally[digest])
