"""Regret of the sampler on synthetic markets.

No model is trained: every seller's update has a utility that the market's definition gives, and the
market's own sampler learns from those of the sellers drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from statistics import median

import click
import numpy as np
import numpy.typing as npt
from eth_utils.crypto import keccak
from matplotlib.figure import Figure
from rich.progress import track

from d2m.learning.canonical import decimal_text
from d2m.learning.defaults import SAMPLER
from d2m.learning.draws import PROBABILITY_ONE, draw
from d2m.learning.sampler import step, uniform
from experiments.formatting import line, write_page, write_plot
from experiments.study import Facts, Recorded, command, option

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

    def to_json(self) -> Facts:
        """Curves at checkpoints with the seeds' range, and every seed's regret at the end."""
        window = max(1, self.sampler.shape[1] // 10)
        first, last = (_rate(self.sampler, at, window) for at in (0, -1))
        return {
            "meaning": MEANINGS[self.market],
            "round": self.shown.tolist(),
            **{
                f"{name} regret{of}": _digits(measure(each, axis=0)[self.shown - 1])
                for of, measure in CURVES.items()
                for name, each in self._regrets.items()
            },
            **{
                f"{name} regret by seed": _digits(each[:, -1])
                for name, each in self._regrets.items()
            },
            "worst sellers at the end by seed": _digits(self.worst),
            "sampler regret a round, first and last tenth": [round(first, 6), round(last, 6)],
        }

    @property
    def _regrets(self) -> dict[str, Floats]:
        return {"sampler": self.sampler, "uniform": self.uniform}


CURVES: dict[str, Callable[..., Floats]] = {"": np.mean, ", least": np.min, ", most": np.max}
"""Over the seeds, by what their names end with."""


HEADINGS = [
    "market",
    "regret of the sampler",
    "of uniform sampling",
    "seeds below uniform",
    "sampler's a round, first tenth, ‰",
    "last tenth, ‰",
    f"worst {WORST} sellers at the end",
]


def _cells(market: str, facts: Facts) -> list[str]:
    """The figures of a row of the table."""
    own, even = (np.array(facts[f"{name} regret by seed"]) for name in ("sampler", "uniform"))
    return [
        market,
        *(f"{each.mean():.2f} ± {each.std():.2f}" for each in (own, even)),
        f"{int((own < even).sum())} of {len(own)}",
        *(f"{1000 * each:.1f}" for each in facts["sampler regret a round, first and last tenth"]),
        f"{100 * np.mean(facts['worst sellers at the end by seed']):.0f} %",
    ]


def _digits(values: Floats) -> list[float]:
    return [round(float(each), 4) for each in values]


def _rate(regrets: Floats, at: int, window: int) -> float:
    """Mean regret of a round in the first (0) or the last (-1) ``window`` rounds."""
    each = np.diff(regrets.mean(axis=0), prepend=0)
    return float((each[:window] if at == 0 else each[-window:]).mean())


def run(rounds: int, seeds: int) -> Facts:
    """Play every market."""
    outcomes = [
        Outcome.of(market, rounds, track(range(seeds), description=market)) for market in MARKETS
    ]
    return {
        "command": command("sampler", rounds=rounds, seeds=seeds),
        "sellers": SELLERS,
        "draws": DRAWS,
        "rounds": rounds,
        "seeds": seeds,
        "sampler": {k: decimal_text(v) for k, v in vars(SAMPLER).items()},
        "markets": {each.market: each.to_json() for each in outcomes},
    }


def pages(facts: Facts, folder: Path) -> list[Path]:
    """Write sampler.md and sampler.svg."""
    markets = facts["markets"]
    plot = write_plot(folder / "sampler.svg", lambda: _plot(markets))
    lines = [
        *("# The sampler's regret on synthetic markets", ""),
        "Made, not written; the markets and the regret are defined in",
        *("[sampler.py](../../offchain/experiments/studies/sampler.py).", ""),
        f"`{facts['command']}`: {SELLERS} sellers, {DRAWS} draws a round, {facts['rounds']} rounds,"
        f" {facts['seeds']} seeds.",
        "Regret is the utility of a draw, in accuracy, that the best distribution fixed in",
        "hindsight (with the same floor) would have gained more, summed over the rounds: below 0",
        "no fixed one would have done as well. Mean ± standard deviation over the seeds.",
        f"Uniform sampling gives {100 * WORST / SELLERS:.0f} % of the draws to the worst {WORST}",
        f"sellers, the floor alone {100 * WORST * FLOOR:.0f} %.",
        *("", *(f"- *{name}*: {each['meaning']}." for name, each in markets.items()), ""),
        *("![Cumulative regret by round](sampler.svg)", ""),
        *(line(HEADINGS), line(["---:"] * len(HEADINGS))),
        *(line(_cells(name, each)) for name, each in markets.items()),
    ]
    return [write_page(folder / "sampler.md", lines), plot]


def _plot(markets: dict[str, Facts]) -> Figure:
    """Mean cumulative regret by round, a panel for each market, with the seeds' range."""
    figure = Figure(figsize=(2.6 * len(markets), 2.6), layout="constrained")
    panels = figure.subplots(1, len(markets), squeeze=False).flat
    for axes, (market, facts) in zip(panels, markets.items(), strict=True):
        axes.set_title(market)
        for label in ("sampler", "uniform"):
            mean, least, most = (facts[f"{label} regret{of}"] for of in CURVES)
            axes.plot(facts["round"], mean, label=label)
            axes.fill_between(facts["round"], least, most, alpha=0.2)
    figure.supxlabel("round")
    figure.supylabel("cumulative regret")
    figure.axes[0].legend(frameon=False)
    return figure


STUDY = Recorded(
    name="sampler",
    about="Regret of the sampler on synthetic markets, beside uniform sampling.",
    takes="45 s of one core",
    options=(
        option("--rounds", type=click.IntRange(2), default=500),
        option("--seeds", type=click.IntRange(1), default=20),
    ),
    play=run,
    pages=pages,
    told=lambda facts: ("  ".join(_cells(*each)) for each in facts["markets"].items()),
)
