"""A cell's rounds, one after the other, on the same round computation that CONE nodes run."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from d2m.adversaries.cone import drawn_state, stale_state
from d2m.adversaries.sellers import ATTACKS, RELABELLINGS, View
from d2m.learning.grid import IntVector
from d2m.learning.network.exact import CPU, predict
from d2m.learning.round import State, initial_state, model_bytes, next_state
from d2m.learning.rules import alternatives, build
from d2m.learning.spec import BASIS_POINTS, JobSpec
from d2m.learning.training.many import Work, train_many
from d2m.learning.updates import EvaluationSet, encode_update
from d2m.store.fetch import content_hash
from experiments.paper.cells import Cell
from experiments.paper.votes import Outcome
from experiments.paper.world import World


@dataclass(frozen=True)
class RoundRecord:
    """What is kept of a round. Counts are of samples."""

    round: int
    outcome: str
    evaluation: int
    """Evaluation samples that the accepted model gets right."""
    test: int
    """Test samples that it gets right."""
    posted: int
    """Updates posted, and of them by Byzantine sellers; then those kept, likewise."""
    byzantine_posted: int
    kept: int
    byzantine_kept: int
    byzantine_probability: float
    """What the sampler gives the Byzantine sellers together, after the round."""
    model_hash: str
    seconds: float
    """Wall time; not part of what a repetition must give again."""


@dataclass(frozen=True, eq=False)
class Progress:
    """All that the next round needs."""

    state: State
    stale: dict[int, IntVector]
    """By Byzantine seller: the first update that it trained."""


def begin(cell: Cell, spec: JobSpec) -> Progress:
    """Before the first round."""
    return Progress(initial_state(spec, cell.sellers, cell.bytes32("sample")), {})


def play_round(
    cell: Cell,
    spec: JobSpec,
    world: World,
    before: Progress,
    outcome: Outcome,
    device: torch.device = CPU,
) -> tuple[Progress, RoundRecord]:
    """One round whose vote ends with `outcome`, TRUE or WRONG; `device` trains and evaluates."""
    start = time.monotonic()
    state = before.state
    trained = _trained(cell, spec, world, state, device)
    updates, stale = _posted(cell, spec, world, before, trained)
    posted = {index: encode_update(update) for index, update in updates.items()}
    seed = cell.bytes32(f"round {state.round}")
    output = next_state(state, posted, world.evaluation, seed, spec, device)
    after = output.state
    if outcome is Outcome.WRONG:
        after = stale_state(state) if cell.voting == "stale" else drawn_state(state, seed)
    kept = [verdict.index for verdict in output.verdicts if verdict.kept]
    liars = world.byzantine
    chances = after.probabilities
    record = RoundRecord(
        round=state.round,
        outcome=outcome.value,
        evaluation=_correct(spec, after, world.evaluation, device),
        test=_correct(spec, after, world.test, device),
        posted=len(posted),
        byzantine_posted=len(liars & posted.keys()),
        kept=len(kept),
        byzantine_kept=len(liars.intersection(kept)),
        byzantine_probability=sum(chances[i] for i in liars) / sum(chances),
        model_hash=content_hash(model_bytes(after, spec)).hex(),
        seconds=time.monotonic() - start,
    )
    return Progress(after, stale), record


def _posted(
    cell: Cell, spec: JobSpec, world: World, before: Progress, trained: dict[int, IntVector]
) -> tuple[dict[int, IntVector], dict[int, IntVector]]:
    """What each sampled seller posts, and the Byzantine sellers' first updates so far."""
    state = before.state
    liars = [index for index in state.sampled if index in world.byzantine]
    if not liars or cell.attack not in ATTACKS:
        return trained, before.stale
    stale = {**{index: trained[index] for index in liars}, **before.stale}
    honest = [update for index, update in trained.items() if index not in world.byzantine]
    f = len(trained) * spec.byzantine_sellers // BASIS_POINTS
    view = View(
        honest=np.stack(honest) if honest else np.zeros((0, spec.model.dimension), np.int32),
        own=np.stack([trained[index] for index in liars]),
        previous=np.stack([stale[index] for index in liars]),
        rule=build(alternatives(spec.rule)[-1], f),  # they cannot see which one will be taken
        generator=np.random.default_rng(cell.integer(f"attack {state.round}")),
    )
    crafted = ATTACKS[cell.attack](view)
    return {**trained, **dict(zip(liars, crafted, strict=True))}, stale


def _trained(
    cell: Cell, spec: JobSpec, world: World, state: State, device: torch.device
) -> dict[int, IntVector]:
    """What each sampled seller has learnt."""
    sampled = state.sampled
    work = [_work(cell, spec, world, state, index) for index in sampled]
    updates = train_many(spec.model, state.weights, work, spec.training, state.round, device)
    return dict(zip(sampled, updates, strict=True))


def _work(cell: Cell, spec: JobSpec, world: World, state: State, index: int) -> Work:
    samples = world.samples[index]
    labels = samples.labels
    if cell.attack in RELABELLINGS and index in world.byzantine:
        labels = RELABELLINGS[cell.attack](labels, spec.model.classes)
    return Work(samples.inputs, labels, cell.integer(f"training {state.round} {index}"))


def _correct(spec: JobSpec, state: State, samples: EvaluationSet, device: torch.device) -> int:
    return samples.correct(predict(spec.model, state.weights, samples.inputs, device))
