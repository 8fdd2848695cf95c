"""The job on this project: `python -m experiments.speed.ours JOB REPORT CORES {learning,market}`.

`learning` trains and averages, like the peers. `market` is what a seller and a CONE node do in a
round: updates as posted bytes, each one's exact utility, the job's rule, credits, the sampler's
step and draw, and the hashes that are voted on. One process, a thread for each core.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from decimal import Decimal

import numpy as np
import torch

from d2m.learning.defaults import fashion_mnist_spec
from d2m.learning.grid import IntVector, add_update
from d2m.learning.network.exact import predict
from d2m.learning.network.model import ModelSpec
from d2m.learning.round import State, initial_state, model_bytes, next_state, sampler_bytes
from d2m.learning.rules import RULES
from d2m.learning.spec import JobSpec, TrainingSpec
from d2m.learning.training.allocator import keep_freed_memory
from d2m.learning.training.many import Work, train_many
from d2m.learning.updates import EvaluationSet, encode_update
from d2m.store.fetch import content_hash
from experiments.speed import job as bench

MODELS = {
    bench.CONVOLUTION: ModelSpec(
        "convolution", (1, bench.SIDE, bench.SIDE), bench.CLASSES, bench.CHANNELS, bench.KERNEL
    ),
    bench.PERCEPTRON: ModelSpec(
        "perceptron", (1, bench.SMALL_SIDE, bench.SMALL_SIDE), bench.CLASSES, hidden=(bench.HIDDEN,)
    ),
}


def specification(network: str, batch: int, draws: int) -> JobSpec:
    """The default job on images with the benchmark's model and training."""
    training = TrainingSpec(bench.EPOCHS, batch, Decimal(str(bench.RATE)), "adam")
    spec = fashion_mnist_spec(bytes(32))
    return replace(
        spec,
        model=MODELS[network],
        training=training,
        sample_size=draws,
        rule="multi_krum",
        server_momentum=0,
    )


def main(job_path: str, report_path: str, cores: str, kind: str) -> None:
    """Play the job and write the report."""
    torch.set_num_threads(int(cores))
    keep_freed_memory()
    job = bench.read(job_path)
    spec = specification(job.network, job.batch, draws=job.schedule.shape[1])
    evaluation = EvaluationSet(job.evaluation_inputs, job.evaluation_labels)
    state = replace(initial_state(spec, len(job.inputs), bytes(32)), weights=job.weights)
    report = bench.Report(job, ())
    report.begin()
    for sellers in job.schedule.tolist():
        updates = _train(job, spec, state, sellers)
        if kind == "market":
            state, right = _market(state, updates, evaluation, spec)
        else:
            state = _average(state, updates)
            predictions = predict(spec.model, state.weights, evaluation.inputs)
            right = evaluation.correct(predictions)
        report.end_round(right)
    report.write(report_path)


def _train(job: bench.Job, spec: JobSpec, state: State, sellers: list[int]) -> dict[int, IntVector]:
    first = state.round * len(job.inputs)
    work = [Work(job.inputs[each], job.labels[each], first + each) for each in sellers]
    updates = train_many(spec.model, state.weights, work, spec.training, state.round)
    return dict(zip(sellers, updates, strict=True))


def _average(state: State, updates: dict[int, IntVector]) -> State:
    mean = RULES["mean"](f=0).decide(np.stack(list(updates.values()))).aggregate
    return replace(state, round=state.round + 1, weights=add_update(state.weights, mean))


def _market(
    state: State, updates: dict[int, IntVector], evaluation: EvaluationSet, spec: JobSpec
) -> tuple[State, int]:
    """The round with the schedule's sellers as its draw, so that all frameworks train the same."""
    drawn = replace(state, draws=tuple(int(i in updates) for i in range(len(state.draws))))
    posted = {index: encode_update(update) for index, update in updates.items()}
    output = next_state(drawn, posted, evaluation, state.round.to_bytes(32, "big"), spec)
    content_hash(model_bytes(output.state, spec))
    content_hash(sampler_bytes(output.state))
    return output.state, output.metric_numerator


if __name__ == "__main__":
    main(*sys.argv[1:])
