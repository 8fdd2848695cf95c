"""The sequential likelihood test for a finite pool, in exact rational arithmetic.

The model that `contracts/yoda/Likelihood.sol` is tested against. docs/protocol.md derives it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import comb

from d2m.protocol.constants import BPS, PPM


@dataclass(frozen=True)
class Pool:
    """A frozen pool of `seats` nodes, at most ⌊f·seats⌋ of them Byzantine, f in basis points."""

    seats: int
    byzantine_bps: int

    @property
    def byzantine(self) -> int:
        """B = ⌊fN⌋."""
        return self.seats * self.byzantine_bps // BPS

    @property
    def honest(self) -> int:
        """H = N - b = ⌈(1-f)N⌉."""
        return self.seats - self.byzantine

    def is_possible(self, votes: int, count: int) -> bool:
        """Whether a digest with `count` of `votes` can be the true result: at most b lied."""
        return votes - count <= self.byzantine

    def likelihood(self, votes: int, count: int) -> int:
        """Likelihood, up to a common factor, that the digest with `count` of `votes` is true."""
        return comb(self.honest, count) * comb(self.byzantine, votes - count)


def odds_threshold(error_ppm: int) -> Fraction:
    """(1 - β) / β: how many times likelier the leader must be than any other digest."""
    return Fraction(PPM - error_ppm, error_ppm)


def is_accepted(pool: Pool, tally: Mapping[bytes, int], error_ppm: int, silent: int = 0) -> bool:
    """Whether the leader of `tally` (votes by digest) is accepted at β = `error_ppm`.

    The `silent` were asked and revealed nothing. They may be honest and shut out of the inputs, so
    each other digest is tried with all of them on its side.
    """
    votes = sum(tally.values()) + silent
    counts = sorted(tally.values(), reverse=True)
    leader = counts[0] if counts else 0
    # A digest that nobody has voted for so far may still be the true one.
    rivals = [count + silent for count in [*counts[1:], 0]]
    others = [count for count in rivals if pool.is_possible(votes, count)]
    if not pool.is_possible(votes, leader):
        return False
    threshold = odds_threshold(error_ppm)
    leading = pool.likelihood(votes, leader)
    return all(leading >= threshold * pool.likelihood(votes, count) for count in others)


def lead(pool: Pool, votes: int, leader: int, runner_up: int) -> Fraction | None:
    """L_leader / L_runner-up, None where the runner-up is impossible; its ln is the score."""
    below = pool.likelihood(votes, runner_up)
    return Fraction(pool.likelihood(votes, leader), below) if below else None
