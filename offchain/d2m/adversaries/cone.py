"""Byzantine CONE nodes: how they come to a vote without computing the round."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from eth_utils.crypto import keccak

from d2m.jobs.answer import build_answer
from d2m.jobs.rounds import RoundComputer
from d2m.learning.grid import WEIGHT_LIMIT
from d2m.learning.round import State
from d2m.parties.cone.node import Vote, Voting, vote_honestly
from d2m.protocol.ballots import audit_word
from d2m.protocol.types import Poll

NOTHING_SEEN = keccak(b"nothing seen")
MADE_UP = b"made up"


def drawn_state(state: State, seed: bytes) -> State:
    """The state after a round whose weights were drawn at random, from a seed of any length."""
    generator = np.random.default_rng(int.from_bytes(seed, "big"))
    drawn = generator.integers(-WEIGHT_LIMIT, WEIGHT_LIMIT, state.weights.shape, dtype=np.int32)
    return replace(stale_state(state), weights=drawn)


def stale_state(state: State) -> State:
    """The state before a round, passed off as the one after it."""
    return replace(state, round=state.round + 1, previous=state.weights)


def random_weights(rounds: RoundComputer, job_id: int, poll: Poll) -> Vote:
    """Weights drawn at random in place of the computed ones, with a perfect metric claimed."""
    seed = keccak(b"random weights" + _seed(rounds, job_id, poll))
    return _forged(
        rounds, job_id, poll, drawn_state(rounds.inputs.state_before(job_id, poll.round), seed)
    )


def stale(rounds: RoundComputer, job_id: int, poll: Poll) -> Vote:
    """The weights of the round before, passed off as new."""
    return _forged(
        rounds, job_id, poll, stale_state(rounds.inputs.state_before(job_id, poll.round))
    )


def colluding(rounds: RoundComputer, job_id: int, poll: Poll) -> Vote:
    """One wrong result for the whole round, the same for all colluders in every mini-round.

    They need not talk: each draws the same weights from the job's and the round's number, and their
    made-up audit words agree too. The content that they pin is complete, so a round that they win
    can go on.
    """
    seed = keccak(text=f"colluding in job {job_id}, round {poll.round}")
    return _forged(
        rounds, job_id, poll, drawn_state(rounds.inputs.state_before(job_id, poll.round), seed)
    )


def silent(_rounds: RoundComputer, _job_id: int, _poll: Poll) -> None:
    """Never votes, whenever it is asked."""


def copier(rounds: RoundComputer, job_id: int, poll: Poll) -> Vote:
    """The digest that most have revealed in the mini-rounds before; it computes nothing.

    In the first mini-round of a round nothing is revealed yet, and it can only repeat the digest it
    saw last. Its audit word is made up, because the predictions behind a digest are hidden by it.
    """
    reveals = rounds.inputs.market.yoda.reveals_in_round(job_id, poll.round)
    seen = Counter(each["result"] for each in reveals if each["miniRound"] < poll.mini_round)
    digest = NOTHING_SEEN
    if seen:
        digest = seen.most_common(1)[0][0]
    elif poll.round > 1:
        digest = rounds.inputs.market.yoda.verdict(job_id, poll.round - 1).digest
    return Vote(digest, audit_word(_seed(rounds, job_id, poll), keccak(MADE_UP)), None)


def _forged(rounds: RoundComputer, job_id: int, poll: Poll, state: State) -> Vote:
    """A vote for `state` as the result, its content pinned, its predictions made up."""
    samples = len(rounds.inputs.evaluation(job_id))
    spec = rounds.inputs.spec(job_id)
    seal = rounds.inputs.model_seal(job_id, poll.round)
    answer = build_answer(job_id, poll.round, state, (samples, samples), MADE_UP, spec, seal)
    rounds.inputs.pin(job_id, poll.round, *answer.blobs)
    audit = audit_word(_seed(rounds, job_id, poll), answer.result.predictions_hash)
    return Vote(answer.result.digest, audit, answer.result)


def _seed(rounds: RoundComputer, job_id: int, poll: Poll) -> bytes:
    return rounds.inputs.market.yoda.seed(job_id, poll.round, poll.mini_round)


VOTERS: dict[str, Voting] = {
    "honest": vote_honestly,
    "random": random_weights,
    "stale": stale,
    "copier": copier,
    "colluding": colluding,
    "silent": silent,
}
"""By the names that the commands and reports use."""
