"""Regret of the sampler on synthetic markets: `python -m experiments.sampler`.

No model is trained: every seller's update has a utility that the market's definition gives, and the
market's own sampler learns from those of the sellers drawn. Writes docs/experiments/sampler.json,
.svg and .md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from statistics import median

import click
import numpy as np
import numpy.typing as npt
from eth_utils.crypto import keccak
from matplotlib import rc_context
from matplotlib.figure import Figure
from rich.progress import track

from d2m.learning.canonical import decimal_text
from d2m.learning.defaults import SAMPLER
from d2m.learning.draws import PROBABILITY_ONE, draw
from d2m.learning.sampler import step, uniform

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

SELLERS = 50
DRAWS = 10
"""K; with SELLERS the paper's set-up."""
EVALUATION = 2000
"""Evaluation samples: utilities are integers over it."""
FLOOR = float(SAMPLER.alpha) / SELLERS
"""The least probability of a seller."""
NOISE = 0.02
"""Standard deviation of one update's utility, as of a training run's accuracy."""
SPREAD = 0.03
"""The best seller gains this much accuracy in a round more than the middle one, the worst loses."""
WORST = 15
"""The worst sellers, that are watched; in one market they poison."""
POISON = -0.2
"""Mean utility of a poisoner's update."""
CHECKPOINTS = 50
"""Points of a curve."""


def _equal(rounds: int) -> Floats:
    return np.zeros((rounds, SELLERS))


def _spread(rounds: int) -> Floats:
    return np.tile(np.linspace(-SPREAD, SPREAD, SELLERS), (rounds, 1))


def _poisoned(rounds: int) -> Floats:
    means = _equal(rounds)
    means[:, :WORST] = POISON
    return means


def _turning(rounds: int) -> Floats:
    means = _spread(rounds)
    means[rounds // 2 :] *= -1
    return means


MARKETS: dict[str, Callable[[int], Floats]] = {
    "equal": _equal,
    "spread": _spread,
    "poisoned": _poisoned,
    "turning": _turning,
}
"""Mean utilities (rounds, sellers) by the market's name."""
MEANINGS = {
    "equal": "no seller is better than another",
    "spread": f"mean utilities from −{SPREAD} to {SPREAD}, evenly",
    "poisoned": f"{WORST} of {SELLERS} sellers poison: {POISON}, the others 0",
    "turning": "as spread, and halfway the best become the worst",
}


def utilities(market: str, rounds: int, seed: int) -> Counts:
    """Evaluation samples gained (rounds, sellers) by every seller's update, drawn or not."""
    random = np.random.default_rng([seed, *market.encode()])
    noisy = random.normal(MARKETS[market](rounds), NOISE)
    gains: Counts = np.rint(np.clip(noisy, -1, 1) * EVALUATION).astype(np.int64)
    return gains


def play(gains: Counts, seed: int) -> Floats:
    """The sampler's probabilities (rounds, sellers) before each round, as it learns from draws.

    As in the round computation, utilities count above the median of those drawn.
    """
    probabilities, played = uniform(SELLERS), []
    for number, gained in enumerate(gains.tolist()):
        played.append(probabilities)
        drawn = draw(probabilities, DRAWS, keccak(text=f"D2M sampler study {seed} {number}"))
        seen = [Fraction(gained[i], EVALUATION) for i, m in enumerate(drawn) if m]
        baseline = median(seen)
        above = [Fraction(each, EVALUATION) - baseline for each in gained]
        probabilities = step(probabilities, drawn, above, SAMPLER)
    return np.array(played, dtype=np.float64) / PROBABILITY_ONE


def best_fixed(gains: Counts) -> Floats:
    """The best distribution in hindsight: the floor for each seller, all else for one."""
    best = np.full(SELLERS, FLOOR)
    best[int(gains.sum(axis=0).argmax())] += 1 - FLOOR * SELLERS
    return best


def regret(played: Floats, gains: Counts) -> Floats:
    """Cumulative regret (rounds,): utility of a draw from the best fixed distribution less own."""
    missed: Floats = ((best_fixed(gains) - played) * gains).sum(axis=1) / EVALUATION
    return missed.cumsum()


@dataclass(frozen=True, eq=False)
class Outcome:
    """One market over all seeds; cumulative regrets are of shape (seeds, rounds)."""

    market: str
    sampler: Floats
    uniform: Floats
    worst: Floats
    """By seed, the probability that the last distribution gives to the worst sellers together."""

    @classmethod
    def of(cls, market: str, rounds: int, seeds: Iterable[int]) -> Outcome:
        """Play every seed."""
        own, even, worst = [], [], []
        for seed in seeds:
            gains = utilities(market, rounds, seed)
            played = play(gains, seed)
            own.append(regret(played, gains))
            even.append(regret(np.full(gains.shape, 1 / SELLERS), gains))
            last = MARKETS[market](rounds)[-1].argsort(kind="stable")[:WORST]
            worst.append(played[-1, last].sum())
        return cls(market, np.array(own), np.array(even), np.array(worst))

    @property
    def shown(self) -> Counts:
        """The rounds at which curves are shown, from 1, the last among them."""
        rounds = self.sampler.shape[1]
        return np.unique(np.linspace(1, rounds, min(rounds, CHECKPOINTS)).astype(np.int64))

    def to_json(self) -> dict[str, object]:
        """Mean curves at checkpoints, and every seed's regret at the end."""
        curves = {"sampler": self.sampler, "uniform": self.uniform}
        return {
            "meaning": MEANINGS[self.market],
            "round": self.shown.tolist(),
            **{
                f"{name} regret": _digits(each.mean(axis=0)[self.shown - 1])
                for name, each in curves.items()
            },
            **{f"{name} regret by seed": _digits(each[:, -1]) for name, each in curves.items()},
            "worst sellers at the end by seed": _digits(self.worst),
        }

    def cells(self) -> list[str]:
        """The figures of a row of the table."""
        own, even = self.sampler[:, -1], self.uniform[:, -1]
        window = max(1, self.sampler.shape[1] // 10)
        return [
            self.market,
            *(f"{each.mean():.2f} ± {each.std():.2f}" for each in (own, even)),
            f"{int((own < even).sum())} of {len(own)}",
            *(f"{1000 * _rate(self.sampler, at, window):.1f}" for at in (0, -1)),
            f"{100 * self.worst.mean():.0f} %",
        ]


HEADINGS = [
    "market",
    "regret of the sampler",
    "of uniform sampling",
    "seeds below uniform",
    "sampler's a round, first tenth, ‰",
    "last tenth, ‰",
    f"worst {WORST} sellers at the end",
]


def _digits(values: Floats) -> list[float]:
    return [round(float(each), 4) for each in values]


def _rate(regrets: Floats, at: int, window: int) -> float:
    """Mean regret of a round in the first (0) or the last (-1) ``window`` rounds."""
    each = np.diff(regrets.mean(axis=0), prepend=0)
    return float((each[:window] if at == 0 else each[-window:]).mean())


def save(outcomes: list[Outcome], command: str, folder: Path) -> None:
    """Write sampler.json, sampler.svg and sampler.md into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    seeds, rounds = outcomes[0].sampler.shape
    content = {
        "command": command,
        "sellers": SELLERS,
        "draws": DRAWS,
        "rounds": rounds,
        "seeds": seeds,
        "sampler": {k: decimal_text(v) for k, v in vars(SAMPLER).items()},
        "markets": {each.market: each.to_json() for each in outcomes},
    }
    (folder / "sampler.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    _plot(outcomes, folder / "sampler.svg")
    lines = [
        *("# The sampler's regret on synthetic markets", ""),
        "Made, not written; the markets and the regret are defined in",
        *("[sampler.py](../../offchain/experiments/sampler.py).", ""),
        f"`{command}`: {SELLERS} sellers, {DRAWS} draws a round, {rounds} rounds, {seeds} seeds.",
        "Regret is the utility of a draw, in accuracy, that the best distribution fixed in",
        "hindsight (with the same floor) would have gained more, summed over the rounds: below 0",
        "no fixed one would have done as well. Mean ± standard deviation over the seeds.",
        f"Uniform sampling gives {100 * WORST / SELLERS:.0f} % of the draws to the worst {WORST}",
        f"sellers, the floor alone {100 * WORST * FLOOR:.0f} %.",
        *("", *(f"- *{each.market}*: {MEANINGS[each.market]}." for each in outcomes), ""),
        *("![Cumulative regret by round](sampler.svg)", ""),
        *(_line(HEADINGS), _line(["---:"] * len(HEADINGS))),
        *(_line(each.cells()) for each in outcomes),
    ]
    (folder / "sampler.md").write_text("\n".join(lines) + "\n")


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plot(outcomes: list[Outcome], path: Path) -> None:
    """Mean cumulative regret by round, a panel for each market, with the seeds' range.

    The salt in place of a random one: the same outcomes give the same file.
    """
    with rc_context({"svg.hashsalt": path.name, "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(2.6 * len(outcomes), 2.6), layout="constrained")
        panels = figure.subplots(1, len(outcomes), squeeze=False).flat
        for axes, outcome in zip(panels, outcomes, strict=True):
            axes.set_title(outcome.market)
            for label, regrets in (("sampler", outcome.sampler), ("uniform", outcome.uniform)):
                rounds, seen = outcome.shown, regrets[:, outcome.shown - 1]
                axes.plot(rounds, seen.mean(axis=0), label=label)
                axes.fill_between(rounds, seen.min(axis=0), seen.max(axis=0), alpha=0.2)
        figure.supxlabel("round")
        figure.supylabel("cumulative regret")
        figure.axes[0].legend(frameon=False)
        figure.savefig(path, metadata={"Date": None})


@click.command(help=__doc__)
@click.option("--rounds", type=click.IntRange(2), default=500, show_default=True)
@click.option("--seeds", type=click.IntRange(1), default=20, show_default=True)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("docs/experiments"),
    show_default=True,
)
def main(rounds: int, seeds: int, folder: Path) -> None:
    """Play every market and write what came of it."""
    command = f"python -m experiments.sampler --rounds {rounds} --seeds {seeds}"
    outcomes = [
        Outcome.of(market, rounds, track(range(seeds), description=market)) for market in MARKETS
    ]
    save(outcomes, command, folder)
    for each in outcomes:
        click.echo("  ".join(each.cells()))


if __name__ == "__main__":
    main()
