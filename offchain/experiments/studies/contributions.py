"""Contributions against exact Shapley values.

Small markets on scikit-learn's digits, eight sellers that all post in every round. The updates that
the round keeps are the players of two games with the same total, the round's gain in samples:

* mean: v(S) = correct(w + mean of S) − correct(w), the game of the literature;
* part: v(S) = correct(w + sum of S / k) − correct(w), k all kept: who is missing counts as zeros.

Every method's credits, cut off at 0 in each round as pay must be, are summed over the rounds and
ranked against the exact values. A round's copies are then taken out to see what copying was worth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import cached_property
from statistics import median

import click
import numpy as np
import torch
from eth_utils.crypto import keccak
from rich.progress import track

from d2m.data.datasets import load
from d2m.data.partition import dirichlet
from d2m.learning.defaults import digits_spec
from d2m.learning.earnings import MICROSAMPLES, earnings, without_each
from d2m.learning.grid import IntVector, add_update
from d2m.learning.network.exact import predict
from d2m.learning.network.model import ModelSpec
from d2m.learning.round import State, initial_state, next_state
from d2m.learning.rules.stack import gram, rounded_quotient
from d2m.learning.spec import JobSpec
from d2m.learning.training.local import train
from d2m.learning.updates import EvaluationSet, encode_update
from d2m.parties.seller.seller import Samples
from experiments.studies import shapley
from experiments.studies.contributions_table import (
    COPY,
    FREE_RIDER,
    NOISY,
    ORIGINAL,
    STALE,
    Market,
    Score,
    pages,
)
from experiments.studies.shapley import Counted, Values, coalition
from experiments.study import Facts, Recorded, command, option

SELLERS = 8
DIRICHLET_ALPHA = 0.5
NOISE = {3: 0.4, NOISY: 0.8}
"""Seller: share of its labels that are random."""
MODELS = {
    "convolution": ModelSpec("convolution", (1, 8, 8), 10, channels=32, kernel=3),
    "perceptron": ModelSpec("perceptron", (1, 8, 8), 10, hidden=(32,)),
}
SETTINGS = [Market(model, kind) for model in MODELS for kind in ("mixed", "honest")]


@dataclass(frozen=True, eq=False)
class Round:
    """A round's kept updates and what can be measured of them."""

    spec: ModelSpec
    evaluation: EvaluationSet
    weights: IntVector
    updates: IntVector
    """int32 (k, d)."""

    @cached_property
    def base(self) -> int:
        """Samples that the model before the round gets right."""
        return self.correct(self.weights)

    @property
    def players(self) -> range:
        """One for each kept update."""
        return range(len(self.updates))

    def correct(self, weights: IntVector) -> int:
        """Samples that a model gets right."""
        return self.evaluation.correct(predict(self.spec, weights, self.evaluation.inputs))

    def mean_game(self, mask: int) -> int:
        """v(S) of the mean of S."""
        return self._gain(mask, mask.bit_count())

    def part_game(self, mask: int) -> int:
        """v(S) of the part that S has in the mean of all."""
        return self._gain(mask, len(self.updates))

    def _gain(self, mask: int, divisor: int) -> int:
        chosen = self.updates[[bool(mask >> p & 1) for p in self.players]]
        step = rounded_quotient(chosen.sum(axis=0, dtype=np.int64), divisor)
        return self.correct(add_update(self.weights, step)) - self.base


@dataclass(eq=False)
class Games:
    """Both games of a round, and how many models a method has evaluated."""

    round: Round
    mean: Counted
    part: Counted
    others: int = 0
    """Models beside those of coalitions."""

    @classmethod
    def of(cls, played: Round) -> Games:
        """The games of a round."""
        return cls(played, Counted(played.mean_game), Counted(played.part_game))

    def asked(self) -> Games:
        """The same games for a method that has asked nothing yet."""
        return Games(self.round, Counted(self.mean), Counted(self.part))

    @property
    def evaluations(self) -> int:
        """Models beyond those that a round evaluates anyway: base, each update's own, new."""
        k = len(self.round.updates)
        partial = sum(1 < mask.bit_count() < k for mask in self.mean.known)
        return partial + sum(0 < mask.bit_count() < k for mask in self.part.known) + self.others


Method = Callable[[Games], Values]


def own_utility(games: Games) -> Values:
    """What was paid before: max(1, u_i), u_i the gain of w + Δ_i."""
    return {p: Fraction(max(1, games.mean(1 << p))) for p in games.round.players}


def above_median(games: Games) -> Values:
    """u_i above the median u."""
    utilities = {p: games.mean(1 << p) for p in games.round.players}
    return {p: Fraction(u) - Fraction(median(utilities.values())) for p, u in utilities.items()}


def shared_utility(games: Games) -> Values:
    """u_i over the sum of its update's positive cosines to all kept ones (in float: a study)."""
    products = gram(games.round.updates).astype(np.float64)
    norms = np.maximum(np.sqrt(np.diag(products)), 1)
    alike = np.maximum(products / np.outer(norms, norms), 0).sum(axis=1)
    # An update of zeros is like nothing, itself included.
    return {p: games.mean(1 << p) / Fraction(max(alike[p], 1)) for p in games.round.players}


def inner_product(games: Games) -> Values:
    """The round's gain in proportion to the positive inner products with the mean."""
    products = [max(0, int(row.sum())) for row in gram(games.round.updates)]
    gain = max(0, games.mean(coalition(games.round.players)))
    return {p: Fraction(gain * x, max(1, sum(products))) for p, x in enumerate(products)}


def earned(games: Games) -> Values:
    """What the market pays: ``learning.contributions.earnings``."""
    played = games.round
    gain = games.part(coalition(played.players))
    after = played.base + gain
    new = add_update(
        played.weights,
        rounded_quotient(played.updates.sum(axis=0, dtype=np.int64), len(played.updates)),
    )
    games.others += len(played.updates)
    losses = [after - played.correct(model) for model in without_each(new, played.updates)]
    utilities = [games.mean(1 << p) for p in played.players]
    paid = earnings(played.updates, utilities, losses, gain)
    return {p: Fraction(amount, MICROSAMPLES) for p, amount in enumerate(paid)}


def estimated(games: Games, seed: int) -> Values:
    """GTG-Shapley on the game of means."""
    players = games.round.players
    return shapley.gtg(games.mean, players, np.random.default_rng(seed))


def _methods(seed: int) -> dict[str, Method]:
    return {
        "exact Shapley, mean": lambda g: shapley.exact(g.mean, g.round.players),
        "exact Shapley, part": lambda g: shapley.exact(g.part, g.round.players),
        "GTG-Shapley, mean": lambda g: estimated(g, seed),
        "leave-one-out, mean": lambda g: shapley.leave_one_out(g.mean, g.round.players),
        "leave-one-out, part": lambda g: shapley.leave_one_out(g.part, g.round.players),
        "own utility (before)": own_utility,
        "own utility above median": above_median,
        "own utility, redundancy shared": shared_utility,
        "gain by inner product": inner_product,
        "earnings (now)": earned,
    }


@dataclass(frozen=True, eq=False)
class Played:
    """A round's games, and the same round without the copy where its original was kept too."""

    owners: tuple[int, ...]
    """By player, the seller."""
    games: Games
    alone_owners: tuple[int, ...]
    alone: Games


def play(market: Market, seed: int, rounds: int) -> Iterator[Played]:
    """The rounds of one market; everything follows from the arguments."""
    data = load("digits")
    # Multi-Krum, whose aggregate is the mean of what it keeps: the games' grand coalition.
    spec = replace(
        digits_spec(_bytes(seed, "weights")), model=MODELS[market.model], rule="multi_krum"
    )
    evaluation = EvaluationSet(data.evaluation_inputs, data.evaluation_labels)
    sellers = _sellers(market, seed)
    state = initial_state(spec, SELLERS, _bytes(seed, "sample"))
    stale = None
    for number in range(1, rounds + 1):
        state = replace(state, draws=_everybody(spec))
        updates = [_update(state, own, spec, seed, i) for i, own in enumerate(sellers)]
        if market.kind == "mixed":
            fresh = updates[STALE]
            updates = _misbehave(updates, stale, seed, number)
            stale = fresh
        posted = {i: encode_update(update) for i, update in enumerate(updates)}
        output = next_state(state, posted, evaluation, _bytes(seed, f"round {number}"), spec)
        kept = tuple(v.index for v in output.verdicts if v.kept)
        both = market.kind == "mixed" and {ORIGINAL, COPY} <= set(kept)
        alone = tuple(i for i in kept if not (both and i == COPY))
        whole, lone = (
            Games.of(
                Round(spec.model, evaluation, state.weights, np.stack([updates[i] for i in o]))
            )
            for o in (kept, alone)
        )
        yield Played(kept, whole, alone, lone)
        state = output.state


def _everybody(spec: JobSpec) -> tuple[int, ...]:
    """All sellers drawn equally often: ranks then tell updates apart, not luck in the draw."""
    return (spec.sample_size // SELLERS,) * SELLERS


def _sellers(market: Market, seed: int) -> list[Samples]:
    data = load("digits")
    parts = dirichlet(data.train_labels, SELLERS, DIRICHLET_ALPHA, seed)
    sellers = [Samples(data.train_inputs[part], data.train_labels[part]) for part in parts]
    if market.kind == "honest":
        return sellers
    random = np.random.default_rng(seed)
    for seller, share in NOISE.items():
        labels = sellers[seller].labels.copy()
        wrong = random.random(len(labels)) < share
        labels[wrong] = random.integers(0, data.classes, int(wrong.sum()))
        sellers[seller] = replace(sellers[seller], labels=labels)
    sellers[COPY] = sellers[ORIGINAL]
    return sellers


def _update(state: State, own: Samples, spec: JobSpec, seed: int, seller: int) -> IntVector:
    order = (seed * 100 + state.round) * SELLERS + seller
    return train(spec.model, state.weights, own.inputs, own.labels, spec.training, order)


def _misbehave(
    updates: list[IntVector], stale: IntVector | None, seed: int, number: int
) -> list[IntVector]:
    changed = list(updates)
    changed[FREE_RIDER] = np.zeros_like(updates[0])
    if seed % 2:
        changed[COPY] = updates[ORIGINAL]
        random = np.random.default_rng([seed, number])
        noise = random.normal(0, np.std(updates[ORIGINAL]), len(updates[0]))
        changed[FREE_RIDER] = np.rint(noise).astype(np.int32)
    if stale is not None:
        changed[STALE] = stale
    return changed


def totals(rounds: list[tuple[tuple[int, ...], Values]]) -> list[Fraction]:
    """By seller, the sum of its players' values over the rounds."""
    result = [Fraction(0)] * SELLERS
    for owners, values in rounds:
        for player, owner in enumerate(owners):
            result[owner] += values[player]
    return result


def score(market: Market, seed: int, rounds: int) -> list[Score]:
    """Every method on one market."""
    played = list(play(market, seed, rounds))
    mean = totals([(p.owners, shapley.exact(p.games.mean, p.games.round.players)) for p in played])
    part = totals([(p.owners, shapley.exact(p.games.part, p.games.round.players)) for p in played])
    scores = []
    for name, method in _methods(seed).items():
        asked = [p.games.asked() for p in played]
        credits = [paid(method(games)) for games in asked]
        alone = totals([(p.alone_owners, paid(method(p.alone))) for p in played])
        scores.append(
            Score.of(
                market,
                name,
                totals([(p.owners, c) for p, c in zip(played, credits, strict=True)]),
                alone,
                (mean, part),
                sum(games.evaluations for games in asked) / len(asked),
            )
        )
    return scores


def paid(values: Values) -> Values:
    """Pay is never negative."""
    return {player: max(Fraction(0), value) for player, value in values.items()}


def _bytes(seed: int, purpose: str) -> bytes:
    return keccak(text=f"D2M contributions {seed} {purpose}")


def run(first: int, count: int, rounds: int) -> Facts:
    """Play every market."""
    torch.set_num_threads(1)
    markets = [(market, seed) for market in SETTINGS for seed in range(first, first + count)]
    scores = [
        asdict(row)
        for market, seed in track(markets, description="markets")
        for row in score(market, seed, rounds)
    ]
    made_by = command("contributions", first=first, count=count, rounds=rounds)
    return {"command": made_by, "scores": scores}


STUDY = Recorded(
    name="contributions",
    about="What the market credits, and other methods, against exact Shapley values.",
    takes="3 min of one core",
    options=(
        option("--first", default=100, help="First seed."),
        option("--count", type=click.IntRange(1), default=6, help="Seeds."),
        option("--rounds", type=click.IntRange(1), default=6),
    ),
    play=run,
    pages=pages,
)
