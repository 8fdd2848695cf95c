"""The demo's learning without its chain, over many seeds.

One row per seed: rounds until the target, honest sellers that earned nothing, the poisoners' share
and how many of their updates were kept.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import click
import torch
from eth_utils.crypto import keccak
from rich.progress import track

from d2m.adversaries.sellers.training import TRAINERS
from d2m.data.datasets import load
from d2m.data.partition import dirichlet
from d2m.demo.options import DemoOptions
from d2m.demo.stage import DIRICHLET_ALPHA
from d2m.learning.defaults import digits_spec
from d2m.learning.grid import IntVector
from d2m.learning.round import State, initial_state, next_state
from d2m.learning.spec import JobSpec
from d2m.learning.updates import EvaluationSet, encode_update
from d2m.parties.seller.seller import LocalTask, Samples
from experiments.formatting import markdown, write_page
from experiments.study import Facts, Recorded, command, option

OPTIONS = DemoOptions()


@dataclass(frozen=True)
class Outcome:
    """One seed's job."""

    seed: int
    rounds: int | None
    """Rounds to the target; None where it was not reached."""
    accuracy: float
    unpaid: int
    """Honest sellers without a contribution."""
    poisoned_share: float
    poisoned_kept: int
    poisoned_posted: int
    contributions: tuple[int, ...]
    """By seller."""


def play(seed: int, options: DemoOptions = OPTIONS) -> Outcome:
    """One job as the demo's, of digits; everything follows from the arguments."""
    data, spec = load("digits"), digits_spec(_bytes(seed, "weights"))
    parts = dirichlet(data.train_labels, options.sellers, DIRICHLET_ALPHA, seed)
    samples = [Samples(data.train_inputs[part], data.train_labels[part]) for part in parts]
    evaluation = EvaluationSet(data.evaluation_inputs, data.evaluation_labels)
    kinds = options.seller_behaviours()
    state = initial_state(spec, options.sellers, _bytes(seed, "sample"))
    kept = posted = 0
    accuracy, reached = 0.0, None
    while state.round <= options.rounds and reached is None:
        number = state.round
        updates = {
            i: encode_update(_update(state, samples[i], kinds[i], spec, seed * 1000 + number))
            for i in state.sampled
        }
        output = next_state(state, updates, evaluation, _bytes(seed, f"round {number}"), spec)
        poisoned = [v for v in output.verdicts if kinds[v.index] != "honest"]
        kept, posted = kept + sum(v.kept for v in poisoned), posted + len(poisoned)
        accuracy = output.metric_numerator / output.metric_denominator
        reached = number if accuracy >= options.target else None
        state = output.state
    earned = state.contributions
    honest = [c for c, kind in zip(earned, kinds, strict=True) if kind == "honest"]
    share = 1 - sum(honest) / sum(earned)
    return Outcome(seed, reached, accuracy, honest.count(0), share, kept, posted, earned)


def _update(state: State, samples: Samples, kind: str, spec: JobSpec, seed: int) -> IntVector:
    training = LocalTask("digits", state.round, spec, state.weights, seed)
    return TRAINERS[kind](samples, training)


def _bytes(seed: int, purpose: str) -> bytes:
    return keccak(text=f"D2M experiment {seed} {purpose}")


def run(first: int, count: int) -> Facts:
    """Play every seed."""
    torch.set_num_threads(1)
    seeds = range(first, first + count)
    jobs = [asdict(play(seed)) for seed in track(seeds, description="seeds")]
    return {"command": command("digits", first=first, count=count), "jobs": jobs}


def summary(jobs: list[Facts]) -> str:
    """All seeds in a line."""
    reached = [job["rounds"] for job in jobs if job["rounds"]]
    average = f"{sum(reached) / len(reached):.1f}" if reached else "-"
    return (
        f"target reached in {len(reached)} of {len(jobs)}, after {average} rounds on average; seeds"
        f" with an unpaid honest seller: {sum(job['unpaid'] > 0 for job in jobs)}; poisoned kept:"
        f" {sum(job['poisoned_kept'] for job in jobs)} of"
        f" {sum(job['poisoned_posted'] for job in jobs)};"
        f" largest poisoned share {max(job['poisoned_share'] for job in jobs):.4f}"
    )


def _cells(job: Facts) -> tuple[str, ...]:
    return (
        str(job["seed"]),
        str(job["rounds"] or "none"),
        f"{job['accuracy']:.3f}",
        str(job["unpaid"]),
        f"{job['poisoned_kept']}/{job['poisoned_posted']}",
        f"{job['poisoned_share']:.4f}",
    )


HEADINGS = ("seed", "rounds", "accuracy", "unpaid", "poisoned kept", "share")


def pages(facts: Facts, folder: Path) -> list[Path]:
    """Write digits.md."""
    jobs = facts["jobs"]
    page = [
        "# The demo's learning over many seeds",
        "",
        f"`{facts['command']}`: {summary(jobs)}.",
        "",
        *markdown(HEADINGS, map(_cells, jobs)),
    ]
    return [write_page(folder / "digits.md", page)]


def _told(facts: Facts) -> list[str]:
    rows = [
        "  ".join(f"{name} {value}" for name, value in zip(HEADINGS, _cells(job), strict=True))
        for job in facts["jobs"]
    ]
    return [*rows, summary(facts["jobs"])]


STUDY = Recorded(
    name="digits",
    about="The demo's learning without its chain, over many seeds.",
    options=(
        option("--first", default=0, help="First seed."),
        option("--count", type=click.IntRange(1), default=50, help="How many seeds."),
    ),
    play=run,
    pages=pages,
    told=_told,
    by_name_alone=True,
)
