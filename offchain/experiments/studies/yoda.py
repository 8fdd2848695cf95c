"""The vote on one round, simulated: how often it errs and how many nodes it asks.

A simulated round follows Modified YODA as docs/protocol.md has it: each mini-round asks further
nodes of a shuffled pool, then the likelihood test looks at the votes so far. A pool asked in vain
is drawn once more, then the round is undecided. The caller chooses the test: the contract's or the
exact one.

The Byzantine strategies. Honest nodes always vote for the true digest.

* `colluding`: all vote for one wrong digest.
* `splitting`: half of them vote for one wrong digest, the others for a second one.
* `silent`: they are asked and never vote.
* `joining`: they know what earlier mini-rounds of the draw have revealed. They vote for one wrong
  digest while it leads or ties, the first mini-round included; once outnumbered they join the
  majority and vote for the true one.

All arrays have one row for each round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from d2m.protocol.constants import BPS
from d2m.protocol.likelihood import Pool, is_accepted
from d2m.protocol.sortition import asked_after

MAX_DRAWS = 2
"""As `Yoda.MAX_DRAWS`: the first draw and one redraw."""

Ints = NDArray[Any]
Bools = NDArray[np.bool_]


class Role(IntEnum):
    """Columns of a count of nodes: honest, and the two camps of liars."""

    HONEST = 0
    FIRST = 1
    SECOND = 2


class Digest(IntEnum):
    """Columns of a tally, and the outcome of a round."""

    UNDECIDED = -1
    TRUE = 0
    WRONG = 1
    OTHER_WRONG = 2


Strategy = Callable[[Ints, Ints], Ints]
"""Votes by digest of the nodes newly asked (counted by role), given the tally before them."""


def colluding(asked: Ints, tally: Ints) -> Ints:
    """Every liar votes for one wrong digest."""
    return _votes(asked[:, Role.HONEST], _liars(asked))


def splitting(asked: Ints, tally: Ints) -> Ints:
    """Each camp votes for a wrong digest of its own."""
    return asked


def silent(asked: Ints, tally: Ints) -> Ints:
    """Liars do not vote."""
    return _votes(asked[:, Role.HONEST], np.zeros(len(asked), int))


def joining(asked: Ints, tally: Ints) -> Ints:
    """Liars vote for one wrong digest unless the true one leads already; then for that."""
    leads = tally[:, Digest.TRUE] > tally[:, Digest.WRONG]
    honest, liars = asked[:, Role.HONEST], _liars(asked)
    return _votes(honest + np.where(leads, liars, 0), np.where(leads, 0, liars))


def _liars(asked: Ints) -> Ints:
    return np.asarray(asked[:, Role.FIRST] + asked[:, Role.SECOND])


def _votes(true: Ints, wrong: Ints) -> Ints:
    return np.stack([true, wrong, np.zeros(len(true), int)], axis=1)


STRATEGIES: dict[str, Strategy] = {
    "colluding": colluding,
    "splitting": splitting,
    "silent": silent,
    "joining": joining,
}

Decide = Callable[[list[tuple[int, int, int]]], list[bool]]
"""Whether the test accepts the leader, for each of `states`."""


class Oracle:
    """A likelihood test of one pool, asked about each state of the votes only once."""

    UNKNOWN = -1

    def __init__(self, seats: int, decide: Decide) -> None:
        self.known = np.full((seats + 1,) * 3, self.UNKNOWN, np.int8)
        """By nodes asked, leader's, runner-up's votes: accepted (1), not (0), never asked (-1)."""
        self._decide = decide

    def __call__(self, states: Ints) -> Bools:
        """Whether each of `states` is accepted."""
        fresh = np.unique(states[self.known[tuple(states.T)] == self.UNKNOWN], axis=0)
        if len(fresh):
            self.known[tuple(fresh.T)] = self._decide([(n, a, b) for n, a, b in fresh.tolist()])
        return np.asarray(self.known[tuple(states.T)] == 1)


def exact_oracle(pool: Pool, error_ppm: int) -> Oracle:
    """The test in rational arithmetic. Votes for neither leader nor runner-up are one digest's."""

    def decide(states: list[tuple[int, int, int]]) -> list[bool]:
        return [
            # More silent than voting for the leader: nothing leads.
            a > b and is_accepted(pool, {b"A": a, b"B": b, b"C": n - a - b}, error_ppm)
            for n, a, b in states
        ]

    return Oracle(pool.seats, decide)


@dataclass(frozen=True)
class Setting:
    """A pool, its mini-rounds' base, and what part of it really lies (basis points), and how."""

    pool: Pool
    base: int
    liars_bps: int
    strategy: str

    @property
    def liars(self) -> int:
        """Byzantine nodes in the pool."""
        return self.pool.seats * self.liars_bps // BPS

    def asked(self) -> list[int]:
        """Nodes asked after each mini-round of a draw."""
        totals = [0]
        while totals[-1] < self.pool.seats:
            totals.append(asked_after(self.base, len(totals), self.pool.seats))
        return totals[1:]


@dataclass(frozen=True)
class Outcomes:
    """Outcome of each round."""

    digest: Ints
    """The accepted `Digest`, or UNDECIDED."""
    asked: Ints
    """Nodes asked, those of a first draw in vain included."""


def simulate(
    setting: Setting, oracle: Oracle, rounds: int, random: np.random.Generator
) -> Outcomes:
    """Play `rounds` rounds; the same `random` gives the same first draws to every oracle."""
    digest, asked = np.full(rounds, Digest.UNDECIDED), np.zeros(rounds, int)
    for _ in range(MAX_DRAWS):
        undecided = np.flatnonzero(digest == Digest.UNDECIDED)
        found = play_draw(setting, oracle, shuffled(setting, len(undecided), random))
        digest[undecided] = found.digest
        asked[undecided] += found.asked
    return Outcomes(digest, asked)


def shuffled(setting: Setting, rounds: int, random: np.random.Generator) -> Ints:
    """The roles of a pool in the order in which its nodes would be asked, for each round."""
    second = setting.liars // 2
    sizes = [setting.pool.seats - setting.liars, setting.liars - second, second]
    roles = np.repeat(np.array(Role, np.int8), sizes)
    return random.permuted(np.tile(roles, (rounds, 1)), axis=1)


def play_draw(setting: Setting, oracle: Oracle, roles: Ints) -> Outcomes:
    """One draw in each round, the nodes asked in the order of their `roles`."""
    strategy = STRATEGIES[setting.strategy]
    digest, asked = np.full(len(roles), Digest.UNDECIDED), np.zeros(len(roles), int)
    tally = np.zeros((len(roles), 3), int)
    going = np.arange(len(roles))
    before = 0
    for after in setting.asked():
        newly = roles[going, before:after]
        by_role = np.stack([(newly == role).sum(axis=1) for role in Role], axis=1)
        tally[going] += strategy(by_role, tally[going])
        asked[going] = after
        accepted = going[oracle(states(tally[going], after))]
        digest[accepted] = tally[accepted].argmax(axis=1)
        going, before = going[digest[going] == Digest.UNDECIDED], after
    return Outcomes(digest, asked)


def states(tally: Ints, asked: int) -> Ints:
    """Nodes asked, the leader's votes and the runner-up's: what the likelihood test looks at.

    A node that was asked and did not vote counts for the runner-up, as in the contract.
    """
    ranked = np.sort(tally, axis=1)
    silent = asked - tally.sum(axis=1)
    return np.stack([np.full(len(tally), asked), ranked[:, -1], ranked[:, -2] + silent], axis=1)
