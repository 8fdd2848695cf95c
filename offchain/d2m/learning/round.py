"""The round computation: ``next_state(state, updates, evaluation, seed, spec)``, a pure function.

The same code runs in a CONE node and in an experiment. Everything that reaches the digest is an
integer or an exact float64 sum, so honest nodes agree to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial

import numpy as np
import torch
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from d2m.learning import draws, sampler
from d2m.learning.copies import copies
from d2m.learning.earnings import credit, earnings, without_each
from d2m.learning.grid import IntVector, add_update
from d2m.learning.network.exact import CPU, Predictions, predict
from d2m.learning.network.model import check_weights, initial_weights
from d2m.learning.rules import alternatives, build
from d2m.learning.rules.stack import gram
from d2m.learning.spec import BASIS_POINTS, JobSpec
from d2m.learning.updates import (
    EvaluationSet,
    MalformedUpdate,
    UpdateTooLarge,
    check_evaluation,
    decode_update,
    encode_model,
)

KEPT, LATE, MALFORMED, TOO_LARGE, HARMFUL, OUTLIER, UNUSED = (
    "kept",
    "late",
    "malformed",
    "too large",
    "harmful",
    "outlier",
    "unused",
)
_WORST = Fraction(-1)
REPEATED_WAY = Fraction(9, 10)
"""How far from the round's median cosine to 1 an update repeats another. Strict, because an honest
seller that is taken for a copy loses what it would have risen."""
_Evaluate = Callable[[IntVector], Predictions]
"""Predicts the evaluation set by a model of weights int32 (d,)."""
_SAMPLER_TYPES = ["uint256[]", "uint256[]", "uint256[]"]


@dataclass(frozen=True, eq=False)
class State:
    """State of a job before a round is computed."""

    round: int
    """The round to compute, from 1."""
    weights: IntVector
    """int32 (d,): the current model."""
    previous: IntVector
    """int32 (d,): the model before that, in round 1 the same; server momentum follows both."""
    probabilities: tuple[int, ...]
    """By seller; they sum to PROBABILITY_ONE. The distribution that ``draws`` came from."""
    contributions: tuple[int, ...]
    """By seller, cumulative, in millionths of an evaluation sample."""
    draws: tuple[int, ...]
    """By seller: how often it was drawn for this round."""

    @property
    def sampled(self) -> tuple[int, ...]:
        """Indices of the sellers drawn for this round, ascending."""
        return tuple(i for i, m in enumerate(self.draws) if m)


@dataclass(frozen=True)
class Verdict:
    """Verdict on one sampled seller's update, for people."""

    index: int
    kept: bool
    reason: str
    """``kept``, ``late``, ``malformed``, ``too large``, ``harmful``, ``outlier`` or ``unused``."""
    utility: int
    """Evaluation samples gained by its model over the base model; 0 where there is no update."""
    detail: str = ""


@dataclass(frozen=True, eq=False)
class RoundOutput:
    """The result of a round."""

    state: State
    """The state before the next round, with its draws."""
    metric_numerator: int
    """Evaluation samples that the new model classifies correctly."""
    metric_denominator: int
    """Evaluation samples."""
    predictions: bytes
    """Every per-sample prediction in the order: base model, each decoded update's model by seller
    index, new model. One byte each, or two (little-endian) with more than 256 classes."""
    verdicts: tuple[Verdict, ...]
    """By sampled seller, ascending index."""


def initial_state(spec: JobSpec, sellers: int, seed: bytes) -> State:
    """The state before round 1 of ``sellers`` matched sellers; ``seed`` (32 bytes) draws them."""
    weights = initial_weights(spec.model, spec.init_seed)
    return State(
        round=1,
        weights=weights,
        previous=weights,
        probabilities=sampler.uniform(sellers),
        contributions=(0,) * sellers,
        draws=draws.first_draw(sellers, spec.sample_size, seed),
    )


def next_state(
    state: State,
    updates: Mapping[int, bytes],
    evaluation: EvaluationSet,
    seed: bytes,
    spec: JobSpec,
    device: torch.device = CPU,
) -> RoundOutput:
    """Compute a round.

    ``updates`` maps a sampled seller's index to the bytes it posted, whose hash has been checked;
    bytes that could not be fetched are ``b""``. A sampled seller that is absent is late; entries of
    sellers that were not sampled are ignored. ``seed`` (32 bytes) draws the next sample. Models are
    evaluated on ``device``; the result is the same on any. Raises ValueError when the state or the
    evaluation set does not fit the specification.
    """
    _check_state(state, spec)
    check_evaluation(evaluation, spec.model)
    evaluate = partial(predict, spec.model, inputs=evaluation.inputs, device=device)
    trials = [
        _try(state, index, updates.get(index), evaluation, evaluate, spec)
        for index in state.sampled
    ]
    base = evaluate(state.weights)
    before = evaluation.correct(base)
    trials = _refuse_harmful(trials, len(evaluation), spec)
    weights, new, trials = _aggregate(state, base, trials, evaluation, evaluate, spec)
    probabilities = _step(state, trials, len(evaluation), spec)
    earned = _earn(trials, weights, evaluation.correct(new), before, evaluation, evaluate)
    following = State(
        round=state.round + 1,
        weights=weights,
        previous=state.weights,
        probabilities=probabilities,
        contributions=credit(state.contributions, earned),
        draws=draws.draw(probabilities, spec.sample_size, seed),
    )
    shown = [base, *(trial.predictions for trial in trials if trial.predictions is not None), new]
    return RoundOutput(
        state=following,
        metric_numerator=evaluation.correct(new),
        metric_denominator=len(evaluation),
        predictions=b"".join(item.tobytes() for item in shown),
        verdicts=tuple(_verdict(trial, before) for trial in trials),
    )


@dataclass(frozen=True, eq=False)
class _Trial:
    """One sampled seller's update on its way through the round."""

    index: int
    reason: str
    detail: str = ""
    delta: IntVector | None = None
    predictions: Predictions | None = None
    correct: int = 0


def _try(
    state: State,
    index: int,
    data: bytes | None,
    evaluation: EvaluationSet,
    evaluate: _Evaluate,
    spec: JobSpec,
) -> _Trial:
    """Decode an update and measure the model it makes."""
    if data is None:
        return _Trial(index, LATE, "nothing was posted before the deadline")
    try:
        delta = decode_update(data, spec.model.dimension)
    except UpdateTooLarge as error:
        return _Trial(index, TOO_LARGE, str(error))
    except MalformedUpdate as error:
        return _Trial(index, MALFORMED, str(error))
    predictions = evaluate(add_update(state.weights, delta))
    correct = evaluation.correct(predictions)
    return _Trial(index, KEPT, delta=delta, predictions=predictions, correct=correct)


def _refuse_harmful(trials: list[_Trial], samples: int, spec: JobSpec) -> list[_Trial]:
    """Refuse updates whose models fall behind the median model by more than the threshold.

    Measured against the others' models and not against the base model: with heterogeneous data most
    honest updates alone make a good model worse, although their mean makes it better.
    """
    limit = Fraction(spec.harmful_threshold * samples, BASIS_POINTS)
    median = _median_correct(trials)
    return [
        replace(t, reason=HARMFUL, detail=f"its model gets {t.correct} of {samples} samples right")
        if t.reason == KEPT and median - t.correct > limit
        else t
        for t in trials
    ]


def _aggregate(
    state: State,
    base: Predictions,
    trials: list[_Trial],
    evaluation: EvaluationSet,
    evaluate: _Evaluate,
    spec: JobSpec,
) -> tuple[IntVector, Predictions, list[_Trial]]:
    """New weights, their predictions, and the trials with what was not taken marked.

    The alternative of a rule whose model gets the most evaluation samples right, the first of
    equals. Robust rules lose accuracy where nobody lies, because sellers with rare data look like
    liars; the buyer's own samples tell the two apart. Where no update is left, or even the best
    model does much harm, the weights stay, and so does what they predict, ``base``: whoever has
    most of one round's updates can waste it and not more.
    """
    candidates = [t for t in trials if t.reason == KEPT and t.delta is not None]
    if not candidates:
        return state.weights, base, trials
    updates = np.stack([t.delta for t in candidates if t.delta is not None])
    f = _byzantine_left(trials, len(candidates), spec)
    decisions = [build(name, f).decide(updates) for name in alternatives(spec.rule)]
    models = [_move(state, decision.aggregate, spec) for decision in decisions]
    predictions = [evaluate(model) for model in models]
    counts = [evaluation.correct(each) for each in predictions]
    best = counts.index(max(counts))
    lost = evaluation.correct(base) - counts[best]
    if lost > Fraction(spec.harmful_move * len(evaluation), BASIS_POINTS):
        return state.weights, base, _unused(trials, f"the round's model loses {lost} samples")
    kept = {candidates[row].index for row in decisions[best].kept}
    marked = [
        replace(t, reason=OUTLIER, detail="further from the others than the rule tolerates")
        if t.reason == KEPT and t.index not in kept
        else t
        for t in trials
    ]
    return models[best], predictions[best], marked


def _unused(trials: list[_Trial], detail: str) -> list[_Trial]:
    return [replace(t, reason=UNUSED, detail=detail) if t.reason == KEPT else t for t in trials]


def _move(state: State, aggregate: IntVector, spec: JobSpec) -> IntVector:
    """The new weights: w + aggregate + ⌊momentum·(w − previous)⌋, on the grid.

    Heavy-ball momentum (Polyak 1964) at the server, as FedAvgM (Hsu et al. 2019), with both models
    public: a node needs no memory of its own.
    """
    velocity = state.weights.astype(np.int64) - state.previous
    carried = spec.server_momentum * velocity // BASIS_POINTS
    return add_update(state.weights, carried + aggregate)


def _byzantine_left(trials: list[_Trial], candidates: int, spec: JobSpec) -> int:
    """F for the rule: of the posted updates the tolerated share, less those refused already.

    Without the second part the rule would drop honest updates in each round in which the poisoned
    ones have been caught, and by size: the sellers with the most data would never be kept.
    """
    posted = sum(trial.reason != LATE for trial in trials)
    tolerated = posted * spec.byzantine_sellers // BASIS_POINTS
    return max(0, min(tolerated - (posted - candidates), candidates - 1))


def _step(state: State, trials: list[_Trial], samples: int, spec: JobSpec) -> tuple[int, ...]:
    """The sampler's step on utilities above the round's median utility.

    The same baseline under every utility moves no distribution in expectation (the projection does
    not see a common factor), but it takes away most of the variance: without it whoever happens to
    be drawn while the model is young rises, and who was not drawn is hardly ever drawn later. A
    seller with no readable update has the worst utility, -1.

    A seller that repeats another's update does not rise, though it may fall. Colluders who all post
    one vector near the mean of the honest (ALIE, Min-Max, Min-Sum) make better models by themselves
    than one-sided honest data do: without this they are drawn until they are most of a round.
    """
    utilities = [Fraction(0)] * len(state.draws)
    median = _median_correct(trials)
    repeated = _repeated(trials)
    for trial in trials:
        readable = trial.predictions is not None
        utility = (trial.correct - median) / samples if readable else _WORST
        utilities[trial.index] = min(utility, Fraction(0)) if trial.index in repeated else utility
    return sampler.step(state.probabilities, state.draws, utilities, spec.sampler)


def _repeated(trials: list[_Trial]) -> set[int]:
    """Indices of the sellers whose updates have copies in the round."""
    readable = {trial.index: trial.delta for trial in trials if trial.delta is not None}
    if not readable:
        return set()
    products = [[int(product) for product in row] for row in gram(np.stack([*readable.values()]))]
    alike = copies(products, REPEATED_WAY)
    return {index for index, count in zip(readable, alike, strict=True) if count > 1}


def _earn(
    trials: list[_Trial],
    weights: IntVector,
    after: int,
    before: int,
    evaluation: EvaluationSet,
    evaluate: _Evaluate,
) -> dict[int, int]:
    """By seller, what the kept updates earned on the way from ``before`` to ``after`` samples."""
    kept = {t.index: t for t in trials if t.reason == KEPT and t.delta is not None}
    if not kept:
        return {}
    updates = np.stack([t.delta for t in kept.values() if t.delta is not None])
    losses = [
        after - evaluation.correct(evaluate(model)) for model in without_each(weights, updates)
    ]
    utilities = [trial.correct - before for trial in kept.values()]
    return dict(zip(kept, earnings(updates, utilities, losses, after - before), strict=True))


def _median_correct(trials: list[_Trial]) -> Fraction:
    """Median over the readable updates' models of the samples they get right; 0 without any."""
    counts = sorted(trial.correct for trial in trials if trial.predictions is not None)
    if not counts:
        return Fraction(0)
    return Fraction(counts[(len(counts) - 1) // 2] + counts[len(counts) // 2], 2)


def _verdict(trial: _Trial, before: int) -> Verdict:
    utility = 0 if trial.predictions is None else trial.correct - before
    return Verdict(trial.index, trial.reason == KEPT, trial.reason, utility, trial.detail)


def _check_state(state: State, spec: JobSpec) -> None:
    check_weights(spec.model, state.weights)
    check_weights(spec.model, state.previous)
    sellers = len(state.draws)
    if not len(state.probabilities) == len(state.contributions) == sellers:
        raise ValueError("probabilities, contributions and draws have one entry per seller")
    if sum(state.draws) != spec.sample_size or min(state.draws) < 0:
        raise ValueError(f"the draws of a round are {spec.sample_size}, got {sum(state.draws)}")


def model_bytes(state: State, spec: JobSpec) -> bytes:
    """Canonical safetensors bytes of the state's model; its keccak256 is ``modelHash``."""
    return encode_model(spec.model, state.weights)


def sampler_bytes(state: State) -> bytes:
    """abi.encode(uint256[] probabilities, uint256[] contributions, uint256[] draws).

    Its keccak256 is ``samplerHash``.
    """
    return encode(
        _SAMPLER_TYPES, [list(state.probabilities), list(state.contributions), list(state.draws)]
    )


def parse_sampler(
    data: bytes,
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """(probabilities, contributions, draws) of ``sampler_bytes``. Raises ValueError."""
    try:
        probabilities, contributions, multiplicities = decode(_SAMPLER_TYPES, data)
    except (DecodingError, OverflowError) as error:
        raise ValueError(f"not a sampler state: {error}") from error
    if encode(_SAMPLER_TYPES, [probabilities, contributions, multiplicities]) != data:
        raise ValueError("not the canonical encoding of a sampler state")
    if not len(probabilities) == len(contributions) == len(multiplicities):
        raise ValueError("a sampler state has three lists of one length")
    return tuple(probabilities), tuple(contributions), tuple(multiplicities)
