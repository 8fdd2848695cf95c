"""A small job that every learning test can afford: 6×6 images, four sellers."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pytest

from d2m.learning.network.model import ModelSpec
from d2m.learning.round import State, initial_state
from d2m.learning.sampler import SamplerSpec
from d2m.learning.spec import JobSpec, TrainingSpec
from d2m.learning.updates import EvaluationSet, encode_update

SELLERS = 4


@pytest.fixture(autouse=True)
def every_test_on_one_thread(one_thread: None) -> None:
    """Every model here is small."""


def small_spec(**changes: object) -> JobSpec:
    values: dict[str, object] = {
        "dataset": "small",
        "model": ModelSpec("convolution", (1, 6, 6), 3, channels=2, kernel=3),
        "training": TrainingSpec(2, 8, Decimal("0.01"), "adam"),
        "sampler": SamplerSpec(Decimal(1), Decimal("0.2"), Decimal(1), Decimal("0.1")),
        "rule": "multi_krum",
        "byzantine_sellers": 2000,
        "sample_size": 12,
        "harmful_threshold": 2000,
        "server_momentum": 0,
        "init_seed": bytes(range(32)),
    }
    return JobSpec(**{**values, **changes})  # type: ignore[arg-type]


@dataclass(frozen=True)
class Job:
    spec: JobSpec
    state: State
    evaluation: EvaluationSet
    updates: dict[int, bytes]


@pytest.fixture(scope="session")
def job() -> Job:
    """Every seller is drawn in round 1; updates and images are random."""
    spec = small_spec()
    generator = np.random.default_rng(7)
    state = initial_state(spec, SELLERS, bytes([3]) * 32)
    assert state.sampled == tuple(range(SELLERS))
    deltas = generator.integers(-60_000, 60_000, (SELLERS, spec.model.dimension), dtype=np.int32)
    return Job(
        spec=spec,
        state=state,
        evaluation=EvaluationSet(
            generator.integers(0, 256, (50, 1, 6, 6), dtype=np.uint8),
            generator.integers(0, 3, 50, dtype=np.uint8),
        ),
        updates={i: encode_update(delta) for i, delta in enumerate(deltas)},
    )
