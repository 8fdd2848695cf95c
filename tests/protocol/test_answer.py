from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from eth_utils.crypto import keccak

from d2m.jobs.answer import Answer, answer, build_answer
from d2m.learning.earnings import NO_ROOT, contributions_root
from d2m.learning.network.model import ModelSpec
from d2m.learning.round import RoundOutput, State, initial_state, parse_sampler
from d2m.learning.sampler import SamplerSpec
from d2m.learning.spec import JobSpec, TrainingSpec
from d2m.learning.updates import decode_model
from d2m.protocol.constants import RESULT_VERSION
from d2m.store.cid import Cid


@pytest.fixture(scope="module")
def spec() -> JobSpec:
    return JobSpec(
        dataset="small",
        model=ModelSpec("logistic", (1, 4, 4), 3),
        training=TrainingSpec(1, 8, Decimal("0.01"), "adam"),
        sampler=SamplerSpec(Decimal(1), Decimal("0.2"), Decimal(1), Decimal("0.1")),
        rule="multi_krum",
        byzantine_sellers=2000,
        sample_size=4,
        harmful_threshold=2000,
        server_momentum=0,
        init_seed=bytes(range(32)),
    )


@pytest.fixture(scope="module")
def state(spec: JobSpec) -> State:
    first = initial_state(spec, 6, b"\3" * 32)
    return replace(first, round=2, contributions=(0, 5, 0, 1, 0, 0), draws=(0, 2, 0, 1, 0, 1))


def seal(model: bytes) -> bytes:
    return b"sealed" + model


def give(spec: JobSpec, state: State) -> Answer:
    return answer(9, 1, RoundOutput(state, 40, 50, b"predictions", ()), spec, seal)


def test_an_answer_says_what_the_round_gave(spec: JobSpec, state: State) -> None:
    given = give(spec, state)
    result, (model, sampler) = given.result, given.blobs
    assert (result.version, result.job_id, result.round) == (RESULT_VERSION, 9, 1)
    assert (result.metric_numerator, result.metric_denominator) == (40, 50)
    assert (result.model_hash, result.sampler_hash) == (keccak(model), keccak(sampler))
    assert result.model_cid == Cid.of(model).binary
    assert result.sampler_cid == Cid.of(sampler).binary
    assert result.contributions_root == contributions_root(state.contributions)
    assert result.next_sample == 0b101010
    assert result.predictions_hash == keccak(b"predictions")


def test_its_blobs_are_all_that_the_next_round_needs(spec: JobSpec, state: State) -> None:
    model, sampler = give(spec, state).blobs
    assert (decode_model(model.removeprefix(b"sealed"), spec.model) == state.weights).all()
    expected = (state.probabilities, state.contributions, state.draws)
    assert parse_sampler(sampler) == expected


def test_nobody_earned_anything_yet(spec: JobSpec, state: State) -> None:
    nothing = replace(state, contributions=(0,) * 6)
    given = build_answer(9, 1, nothing, (0, 50), b"", spec, seal)
    assert given.result.contributions_root == NO_ROOT
