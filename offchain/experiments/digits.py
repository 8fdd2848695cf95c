"""The demo's learning without its chain, over many seeds: `python -m experiments.digits`.

One row per seed: rounds until the target, honest sellers that earned nothing, the poisoners' share
and how many of their updates were kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import click
import torch
from eth_utils.crypto import keccak
from rich.progress import track

from d2m.adversaries.sellers.training import TRAINING
from d2m.data.datasets import load
from d2m.data.partition import dirichlet
from d2m.demo.options import DemoOptions
from d2m.demo.stage import DIRICHLET_ALPHA
from d2m.learning.defaults import digits_spec
from d2m.learning.grid import IntVector
from d2m.learning.round import State, initial_state, next_state
from d2m.learning.spec import JobSpec
from d2m.learning.updates import EvaluationSet, encode_update
from d2m.parties.seller.seller import RoundTraining, Samples

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
    training = RoundTraining("digits", state.round, spec, state.weights, seed)
    return TRAINING[kind](samples, training)


def _bytes(seed: int, purpose: str) -> bytes:
    return keccak(text=f"D2M experiment {seed} {purpose}")


@click.command(help=__doc__)
@click.option("--first", default=0, show_default=True, help="First seed.")
@click.option(
    "--count", type=click.IntRange(1), default=50, show_default=True, help="How many seeds."
)
def main(first: int, count: int) -> None:
    """Play every seed and print the table."""
    torch.set_num_threads(1)
    seeds = range(first, first + count)
    outcomes = [play(seed) for seed in track(seeds, description="seeds")]
    for o in outcomes:
        rounds = o.rounds or "none"
        click.echo(
            f"seed {o.seed:3}  rounds {rounds:>4}  accuracy {o.accuracy:.3f}  unpaid {o.unpaid}"
            f"  poisoned kept {o.poisoned_kept}/{o.poisoned_posted}  share {o.poisoned_share:.4f}"
        )
    reached = [o.rounds for o in outcomes if o.rounds]
    average = f"{sum(reached) / len(reached):.1f}" if reached else "-"
    click.echo(
        f"target reached in {len(reached)} of {count}, after {average} rounds on average; seeds"
        f" with an unpaid honest seller: {sum(o.unpaid > 0 for o in outcomes)}; poisoned kept: "
        f"{sum(o.poisoned_kept for o in outcomes)} of {sum(o.poisoned_posted for o in outcomes)};"
        f" largest poisoned share {max(o.poisoned_share for o in outcomes):.4f}"
    )


if __name__ == "__main__":
    main()
