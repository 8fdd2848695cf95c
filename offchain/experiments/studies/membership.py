"""Membership inference against the delivered model.

Small jobs on scikit-learn's digits, four sellers that all post in every round. Each job draws half
of the same pool of records; an attacker who holds the whole pool and the delivered model says of
each record whether it was trained on. The sellers train as the job asks, or with differential
privacy of several strengths; the job, the pool and the halves are the same.

The noise here comes from a seeded generator, so that the figures can be made again.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from functools import cache

import click
import numpy as np
import torch
from eth_utils.crypto import keccak
from rich.progress import track
from scipy.optimize import brentq

from d2m.data.datasets import Dataset, load
from d2m.data.partition import IndexVector
from d2m.learning.defaults import digits_spec
from d2m.learning.grid import FloatVector, IntVector, add_update
from d2m.learning.network.model import ModelSpec
from d2m.learning.round import State, initial_state, next_state
from d2m.learning.spec import JobSpec, TrainingSpec
from d2m.learning.training.local import loaded, network_inputs, train
from d2m.learning.updates import EvaluationSet, encode_update
from d2m.parties.seller.seller import Samples
from d2m.privacy.accountant import spent_epsilon
from d2m.privacy.terms import PER_EXAMPLE, PER_UPDATE, PrivacyTerms
from d2m.privacy.training import privatised, train_per_example
from experiments.studies.membership_attacks import (
    BoolArray,
    Told,
    by_likelihood,
    by_loss,
    tell_all,
)
from experiments.studies.membership_table import DELIVERED, DELTA, POSTED, Row, Setting, pages
from experiments.study import Facts, Recorded, command, option

SELLERS = 4
POOL = 800
"""Records of which each job's sellers get half: a hundred each, as in the demo."""
CLIP = 1.0
MODEL = ModelSpec("perceptron", (1, 8, 8), 10, hidden=(64,))
TRAINING = TrainingSpec(epochs=4, batch_size=50, learning_rate=Decimal("0.02"), optimiser="adam")
"""Half of a seller's records in a batch: noise is added to few and large sums."""
SETTINGS = (
    Setting("none", None),
    Setting(PER_EXAMPLE, 32.0),
    Setting(PER_EXAMPLE, 8.0),
    Setting(PER_EXAMPLE, 2.0),
    Setting(PER_UPDATE, 8.0),
)
_NOISES = (0.2, 100.0)
"""Multipliers among which the one for an ε is sought."""


@dataclass(frozen=True, eq=False)
class Job:
    """One job as the attacker sees it, and the truth."""

    accuracy: float
    """Of the delivered model on the evaluation set."""
    members: BoolArray
    """(POOL,): whose record was a seller's."""
    delivered: FloatVector
    """(POOL,): confidence log p/(1 − p) of the true label, of the delivered model."""
    first: BoolArray
    """(POOL,): records of the first seller."""
    posted: FloatVector
    """(POOL,): confidence of the first seller's last update, added to the model before it."""


@cache
def data() -> Dataset:
    """The digits."""
    return load("digits")


def spec_of(seed: int) -> JobSpec:
    """A job's specification; the rule keeps the mean of all but the furthest update."""
    spec = digits_spec(_bytes(seed, "weights"))
    return replace(spec, model=MODEL, training=TRAINING, sample_size=SELLERS)


@cache
def terms_of(setting: Setting, rounds: int) -> PrivacyTerms | None:
    """The least noise with which so many rounds cost a seller no more than the setting's ε."""
    if setting.epsilon is None:
        return None
    terms = PrivacyTerms(setting.kind, CLIP, 1.0, setting.epsilon, DELTA)

    def excess(noise: float) -> float:
        return spent(replace(terms, noise=noise), rounds) - terms.epsilon

    return replace(terms, noise=float(brentq(excess, *_NOISES, xtol=1e-3)) + 1e-3)


def spent(terms: PrivacyTerms, rounds: int) -> float:
    """ε of one seller that posts in every round."""
    cost = terms.cost(POOL // 2 // SELLERS, spec_of(0).training)
    return spent_epsilon([cost] * rounds, terms.delta)


def play(setting: Setting, seed: int, rounds: int) -> Job:
    """One job; everything follows from the arguments."""
    spec, terms, pool = spec_of(seed), terms_of(setting, rounds), _pool()
    order = np.random.default_rng([seed // 2, 1]).permutation(POOL)
    if seed % 2:
        order = order[::-1]  # the other half: each record is in half of all jobs
    parts = np.split(order[: POOL // 2], SELLERS)
    sellers = [Samples(pool.inputs[part], pool.labels[part]) for part in parts]
    evaluation = EvaluationSet(data().evaluation_inputs, data().evaluation_labels)
    state = initial_state(spec, SELLERS, _bytes(seed, "sample"))
    noise = np.random.default_rng([seed, 2])
    for number in range(1, rounds + 1):
        # All are drawn, so every seller spends the whole ε.
        state = replace(state, draws=(1,) * SELLERS)
        updates = [
            _update(state, own, spec, terms, noise, (seed * 100 + number) * SELLERS + index)
            for index, own in enumerate(sellers)
        ]
        posted = {index: encode_update(update) for index, update in enumerate(updates)}
        seen = add_update(state.weights, updates[0])
        output = next_state(state, posted, evaluation, _bytes(seed, f"round {number}"), spec)
        state = output.state
    return Job(
        accuracy=output.metric_numerator / output.metric_denominator,
        members=_mask(order[: POOL // 2]),
        delivered=confidences(spec.model, state.weights, pool),
        first=_mask(parts[0]),
        posted=confidences(spec.model, seen, pool),
    )


def _pool() -> Samples:
    return Samples(data().train_inputs[:POOL], data().train_labels[:POOL])


def _mask(indices: IndexVector) -> BoolArray:
    mask = np.zeros(POOL, dtype=np.bool_)
    mask[indices] = True
    return mask


def _update(
    state: State,
    own: Samples,
    spec: JobSpec,
    terms: PrivacyTerms | None,
    noise: np.random.Generator,
    order: int,
) -> IntVector:
    about = (spec.model, state.weights, own.inputs, own.labels, spec.training)
    if terms is None:
        return train(*about, order, state.round)
    if terms.kind == PER_UPDATE:
        return privatised(train(*about, order, state.round), terms, noise.bytes)
    return train_per_example(*about, state.round, terms, noise.bytes)


def confidences(spec: ModelSpec, weights: IntVector, samples: Samples) -> FloatVector:
    """Log p/(1 − p) of each sample's label, float64 (n,)."""
    with torch.no_grad():
        scores = loaded(spec, weights)(network_inputs(spec, samples.inputs)).double().numpy()
    rows = np.arange(len(scores))
    own = scores[rows, samples.labels]
    scores[rows, samples.labels] = -np.inf
    peak = scores.max(axis=1)
    others = peak + np.log(np.exp(scores - peak[:, None]).sum(axis=1))
    result: FloatVector = own - others
    return result


def attacked(setting: Setting, jobs: list[Job], rounds: int) -> list[Row]:
    """What each attack told in each job."""
    terms = terms_of(setting, rounds)
    members = np.stack([job.members for job in jobs])
    delivered = np.stack([job.delivered for job in jobs])
    rows = {
        (DELIVERED, "loss"): tell_all(by_loss(delivered), members),
        (DELIVERED, "LiRA"): tell_all(by_likelihood(delivered, members), members),
        (POSTED, "loss"): _against_updates(jobs),
    }
    return [
        Row(
            setting.kind,
            setting.epsilon,
            terms.noise if terms else 0.0,
            spent(terms, rounds) if terms else None,
            job.accuracy,
            *place,
            told.advantage,
            told.auc,
            told.low,
        )
        for place, every in rows.items()
        for job, told in zip(jobs, every, strict=True)
    ]


def _against_updates(jobs: list[Job]) -> list[Told]:
    """The first seller's records against those of nobody; other sellers' are left out."""
    scores, members = [], []
    for job in jobs:
        counted = job.first | ~job.members
        scores.append(job.posted[counted])
        members.append(job.first[counted])
    return tell_all(by_loss(np.stack(scores)), np.stack(members))


def _bytes(seed: int, purpose: str) -> bytes:
    return keccak(text=f"D2M membership {seed} {purpose}")


def run(pairs: int, rounds: int) -> Facts:
    """Play and attack every job."""
    torch.set_num_threads(1)
    rows = []
    for setting in SETTINGS:
        played = [
            play(setting, seed, rounds)
            for seed in track(range(2 * pairs), description=str(setting))
        ]
        rows += attacked(setting, played, rounds)
    made_by = command("membership", pairs=pairs, rounds=rounds)
    return {"command": made_by, "rows": [asdict(row) for row in rows]}


STUDY = Recorded(
    name="membership",
    about="Membership inference, with and without differential privacy.",
    takes="3 min beside other work",
    options=(
        option(
            "--pairs",
            type=click.IntRange(2),
            default=6,
            help="Pairs of jobs per setting; a pair shares the pool between them.",
        ),
        option("--rounds", type=click.IntRange(1), default=10),
    ),
    play=run,
    pages=pages,
)
