"""One job through the chain and without it: `python -m experiments.chain`.

The market plays a job, every party a process of its own. The same rounds are then computed here
from the sellers' files alone; of the chain only its seeds are taken, block hashes that nobody
could know before. Both must give the same digests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click
import torch

from d2m.adversaries.sellers.training import TRAINING
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
from d2m.parties.seller.seller import RoundTraining, Samples, training_seed
from experiments.results import machine
from experiments.tables import markdown

FOLDER = Path("build/experiments/chain")
REPORT = Path("docs/experiments")


def replay(run: Run) -> Iterator[tuple[bytes, float]]:
    """Digest and accuracy of every accepted round of a finished run, computed without its chain."""
    stage, market, spec = run.stage, run.market, run.stage.spec
    desk = Source(run).desk  # for the seal alone: digests name sealed models
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
        found = answer(run.job_id, number, output, spec, desk.model_seal(run.job_id, number))
        yield found.result.digest, output.metric_numerator / output.metric_denominator
        state = output.state


def _update(run: Run, seller: Member, state: State) -> IntVector:
    spec = run.stage.spec
    seed = training_seed(seller.address, run.job_id, state.round)
    training = RoundTraining(str(run.job_id), state.round, spec, state.weights, seed)
    samples = Samples(*read_samples(run.stage.data_file(seller)))
    return TRAINING[seller.behaviour](samples, training)


def accepted(run: Run) -> list[bytes]:
    """The digests that the contracts accepted, by round."""
    job = run.market.situation(run.job_id).job
    rounds = range(1, job.accepted_rounds + 1)
    return [run.market.yoda.verdict(run.job_id, number).digest for number in rounds]


def save(run: Run, rows: list[tuple[bytes, bytes, float]], folder: Path) -> None:
    """Write chain.json and chain.md."""
    rounds = [
        {"through_the_chain": a.hex(), "without_it": b.hex(), "accuracy": accuracy}
        for a, b, accuracy in rows
    ]
    facts = {"options": asdict(run.options), "machine": machine(), "rounds": rounds}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "chain.json").write_text(json.dumps(facts, indent=1) + "\n")
    different = sum(a != b for a, b, _ in rows)
    page = [
        "# The same digests through the chain and without it",
        "",
        f"`python -m experiments.chain --dataset {run.options.dataset}`:"
        f" {run.options.sellers} sellers, {run.options.nodes} nodes, seed {run.options.seed}."
        f" Of {len(rows)} accepted rounds {different} differ.",
        "",
        *markdown(
            ("round", "digest through the chain", "without it", "accuracy"),
            [
                (str(number), f"`{a.hex()[:16]}…`", f"`{b.hex()[:16]}…`", f"{100 * accuracy:.2f}")
                for number, (a, b, accuracy) in enumerate(rows, 1)
            ],
        ),
        "",
    ]
    (folder / "chain.md").write_text("\n".join(page))


@click.command(help=__doc__)
@click.option("--dataset", default="digits", show_default=True)
@click.option("--sellers", default=8, show_default=True)
@click.option("--nodes", default=7, show_default=True)
@click.option("--rounds", default=5, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=REPORT, show_default=True)
def main(out: Path, **sizes: object) -> None:
    """Play, replay, compare. Exits with 1 where a digest differs."""
    torch.set_num_threads(1)  # as the sellers' processes train
    options = DemoOptions(target=1.0, **sizes)  # type: ignore[arg-type]
    with Progress() as progress, play(options, FOLDER, progress) as run:
        progress.phase("computing the same rounds without the chain")
        replayed = list(replay(run))
        found = accepted(run)
    rows = [(a, b, accuracy) for a, (b, accuracy) in zip(found, replayed, strict=True)]
    save(run, rows, out)
    different = sum(a != b for a, b, _ in rows)
    click.echo(f"{len(rows)} rounds accepted, {different} digests differ: {out / 'chain.md'}")
    if different or not rows:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
