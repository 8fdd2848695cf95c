"""A CONE node's answer: the round's result as the chain can open it, and the content behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from d2m.learning.earnings import contributions_root
from d2m.learning.round import RoundOutput, State, model_bytes, sampler_bytes
from d2m.learning.spec import JobSpec
from d2m.protocol.ballots import RoundResult
from d2m.protocol.constants import RESULT_VERSION
from d2m.store.cid import Cid
from d2m.store.fetch import content_hash


@dataclass(frozen=True)
class Answer:
    """Answer that a vote stands for."""

    result: RoundResult
    blobs: tuple[bytes, ...]
    """Sealed model and sampler state, to be pinned under the CIDs that the result names."""


Seal = Callable[[bytes], bytes]
"""Turns a model's bytes into those that are pinned: the same for all honest nodes."""


def answer(
    job_id: int, round_number: int, output: RoundOutput, spec: JobSpec, seal: Seal
) -> Answer:
    """The answer that `output`, computed for one round of a job, gives. Pure."""
    return build_answer(
        job_id,
        round_number,
        output.state,
        (output.metric_numerator, output.metric_denominator),
        output.predictions,
        spec,
        seal,
    )


def build_answer(
    job_id: int,
    round_number: int,
    state: State,
    metric: tuple[int, int],
    predictions: bytes,
    spec: JobSpec,
    seal: Seal,
) -> Answer:
    """The answer with `state` before the next round and `metric` = (numerator, denominator).

    `predictions` are the canonical bytes of every prediction made: the result names their hash.
    The sampler's state stays in the clear: whoever claims a seller's share needs it.
    """
    model, sampler = seal(model_bytes(state, spec)), sampler_bytes(state)
    result = RoundResult(
        version=RESULT_VERSION,
        job_id=job_id,
        round=round_number,
        model_hash=content_hash(model),
        model_cid=Cid.of(model).binary,
        sampler_hash=content_hash(sampler),
        sampler_cid=Cid.of(sampler).binary,
        metric_numerator=metric[0],
        metric_denominator=metric[1],
        predictions_hash=content_hash(predictions),
        contributions_root=contributions_root(state.contributions),
        next_sample=sum(1 << index for index in state.sampled),
    )
    return Answer(result, (model, sampler))
