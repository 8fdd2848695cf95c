"""Wrong results: states that Byzantine CONE nodes pass off as what a round gave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from offchain.learning.grid import WEIGHT_LIMIT, IntVector
from offchain.learning.round import State

Forgery = Callable[[State, bytes], State]
"""The state that is claimed to follow the one before a round; 32 bytes make it a node's own."""


def random_weights(state: State, seed: bytes) -> State:
    """Weights drawn uniformly from the grid."""
    generator = np.random.default_rng(int.from_bytes(seed, "big"))
    drawn = generator.integers(-WEIGHT_LIMIT, WEIGHT_LIMIT, state.weights.shape, dtype=np.int32)
    return _after(state, drawn)


def stale_weights(state: State, _seed: bytes) -> State:
    """The weights of the round before, passed off as new."""
    return _after(state, state.weights)


def negated_weights(state: State, _seed: bytes) -> State:
    """The weights before the round, reversed: what colluders agree on without a word."""
    return _after(state, np.negative(state.weights))


def _after(state: State, weights: IntVector) -> State:
    return replace(state, round=state.round + 1, weights=weights, previous=state.weights)


FORGERIES: dict[str, Forgery] = {
    "random": random_weights,
    "stale": stale_weights,
    "colluding": negated_weights,
}
"""By the names of the votes for them."""
