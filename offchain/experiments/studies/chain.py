"""One job through the chain and without it.

The market plays a job, every party a process of its own. The same rounds are then computed here
from the sellers' files alone; of the chain only its seeds are taken, block hashes that nobody
could know before. Both must give the same digests.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from d2m.adversaries.sellers.training import TRAINERS
from d2m.data.files import read_samples
from d2m.demo.options import DemoOptions
from d2m.demo.play import play
from d2m.demo.record.source import Source
from d2m.demo.report import Progress
from d2m.demo.run import Run
from d2m.demo.stage import Member
from d2m.jobs.answer import answer
from d2m.learning.grid import IntVector
from d2m.learning.round import State, initial_state, next_state
from d2m.learning.updates import EvaluationSet, encode_update
from d2m.parties.seller.seller import LocalTask, Samples, training_seed
from experiments.formatting import markdown, write_page
from experiments.machine import machine
from experiments.study import Facts, Recorded, command, option

FOLDER = Path("build/experiments/chain")


def replay(run: Run) -> Iterator[tuple[bytes, float]]:
    """Digest and accuracy of every accepted round of a finished run, computed without its chain."""
    stage, market, spec = run.stage, run.market, run.stage.spec
    inputs = Source(run).inputs  # for the seal alone: digests name sealed models
    job = market.situation(run.job_id).job
    evaluation = EvaluationSet(*read_samples(stage.evaluation_file))
    state = initial_state(spec, len(stage.sellers), job.sample_seed)
    for number in range(1, job.accepted_rounds + 1):
        updates = {
            index: encode_update(_update(run, stage.sellers[index], state))
            for index in state.sampled
        }
        seed = market.yoda.round_seed(run.job_id, number)
        output = next_state(state, updates, evaluation, seed, spec)
        found = answer(run.job_id, number, output, spec, inputs.model_seal(run.job_id, number))
        yield found.result.digest, output.metric_numerator / output.metric_denominator
        state = output.state


def _update(run: Run, seller: Member, state: State) -> IntVector:
    spec = run.stage.spec
    seed = training_seed(seller.address, run.job_id, state.round)
    training = LocalTask(str(run.job_id), state.round, spec, state.weights, seed)
    samples = Samples(*read_samples(run.stage.data_file(seller)))
    return TRAINERS[seller.behaviour](samples, training)


def accepted(run: Run) -> list[bytes]:
    """The digests that the contracts accepted, by round."""
    job = run.market.situation(run.job_id).job
    rounds = range(1, job.accepted_rounds + 1)
    return [run.market.yoda.verdict(run.job_id, number).digest for number in rounds]


def run(**sizes: Any) -> Facts:
    """Play, replay, compare."""
    torch.set_num_threads(1)  # as the sellers' processes train
    options = DemoOptions(target=1.0, **sizes)
    with Progress() as progress, play(options, FOLDER, progress) as played:
        progress.phase("computing the same rounds without the chain")
        replayed = list(replay(played))
        found = accepted(played)
    rounds = [
        {"through_the_chain": chain.hex(), "without_it": alone.hex(), "accuracy": accuracy}
        for chain, (alone, accuracy) in zip(found, replayed, strict=True)
    ]
    return {"options": asdict(options), "machine": machine(), "rounds": rounds}


def different(facts: Facts) -> int:
    """How many digests differ."""
    return sum(row["through_the_chain"] != row["without_it"] for row in facts["rounds"])


def pages(facts: Facts, folder: Path) -> list[Path]:
    """Write chain.md."""
    options, rounds = facts["options"], facts["rounds"]
    rows = [
        (
            str(number),
            *(f"`{row[way][:16]}…`" for way in ("through_the_chain", "without_it")),
            f"{100 * row['accuracy']:.2f}",
        )
        for number, row in enumerate(rounds, 1)
    ]
    page = [
        "# The same digests through the chain and without it",
        "",
        f"`{command('chain', dataset=options['dataset'])}`:"
        f" {options['sellers']} sellers, {options['nodes']} nodes, seed {options['seed']}."
        f" Of {len(rounds)} accepted rounds {different(facts)} differ.",
        "",
        *markdown(("round", "digest through the chain", "without it", "accuracy"), rows),
    ]
    return [write_page(folder / "chain.md", page)]


def _told(facts: Facts) -> list[str]:
    return [f"{len(facts['rounds'])} rounds accepted, {different(facts)} digests differ"]


def _fault(facts: Facts) -> str:
    return "" if facts["rounds"] and not different(facts) else "not the same digests on both ways"


STUDY = Recorded(
    name="chain",
    about="One job through the chain and without it: the same digests.",
    options=(
        option("--dataset", default="digits"),
        option("--sellers", default=8),
        option("--nodes", default=7),
        option("--rounds", default=5),
    ),
    play=run,
    pages=pages,
    told=_told,
    fault=_fault,
)
