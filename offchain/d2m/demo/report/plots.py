"""The plots of the page, each with what it shows in words and in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from d2m.demo.report.drawing import BYZANTINE, FONT_SIZE, HONEST, INK, MUTED, draw
from d2m.demo.report.model import Payout, Report, Round
from d2m.demo.report.names import Names, percent
from d2m.demo.report.tables import Cell, Column, Table
from d2m.protocol.amounts import ether
from d2m.protocol.constants import WAD

MOST_LABELLED_LINES = 16  # more labels than this would overlap at the edge of the plot
MOST_NAMED_BARS = 12
SPREADING_PASSES = 100
DASHES = ("--", "-.", ":")
INCHES_PER_PARTY = 0.24


@dataclass(frozen=True)
class Plot:
    """A drawing, what it shows in words for who cannot see it, and its numbers."""

    name: str
    title: str
    alt: str
    svg: str
    table: Table


def plots(report: Report) -> list[Plot]:
    """The plots for which the run has numbers."""
    names = Names(report)
    accepted = [played for played in report.rounds if played.accuracy is not None]
    drawn = []
    if accepted:
        drawn += [accuracy(report, accepted), probabilities(report, accepted, names)]
    bars = vote_bars(report)
    if bars:
        drawn.append(votes(bars))
    if any(payout.wei for payout in report.payouts_wei.values()):
        drawn.append(payouts(report, names))
    return drawn


def accuracy(report: Report, accepted: Sequence[Round]) -> Plot:
    """Accuracy by round, with the target."""
    points = [(played.round, 100 * (played.accuracy or 0)) for played in accepted]
    columns = (Column("round", numeric=True), Column("accuracy", numeric=True), Column("correct"))
    rows = tuple(
        (
            Cell(str(played.round)),
            Cell(percent(played.accuracy)),
            Cell(f"{played.numerator} of {played.denominator}"),
        )
        for played in accepted
    )
    return Plot(
        "accuracy",
        "Accuracy by round",
        f"Accuracy by round, from {points[0][1]:.1f} % to {points[-1][1]:.1f} %; "
        f"the target is {percent(report.target)}.",
        draw("accuracy", partial(_draw_accuracy, points, report.target)),
        Table(columns, rows),
    )


def _draw_accuracy(points: list[tuple[int, float]], target: float, axes: Axes) -> None:
    rounds = [number for number, _ in points]
    axes.axhline(100 * target, color=MUTED, linestyle="--", linewidth=1.5)
    axes.annotate(
        f"target {percent(target)}",
        (0, 100 * target),
        xycoords=("axes fraction", "data"),
        xytext=(4, 5),
        textcoords="offset points",
    )
    axes.plot(rounds, [value for _, value in points], color=HONEST, marker="o", linewidth=2)
    for point in points:
        axes.annotate(f"{point[1]:.1f}", point, xytext=(3, -17), textcoords="offset points")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlim(rounds[0] - 0.5, rounds[-1] + 0.5)
    axes.set_ylim(0, 105)
    axes.set_xlabel("round")
    axes.set_ylabel("accuracy, %")


@dataclass(frozen=True)
class Track:
    """A seller's probability, in percent, after each accepted round."""

    seller: str
    payout: Payout | None
    percents: list[float]

    @property
    def poisoner(self) -> bool:
        """Whether the seller is Byzantine."""
        return self.payout is not None and self.payout.behaviour != "honest"


def probabilities(report: Report, accepted: Sequence[Round], names: Names) -> Plot:
    """The sampler's probability of each seller after each round; poisoners stand out."""
    rounds = [played.round for played in accepted]
    tracks = [
        Track(
            names(seller),
            report.payouts_wei.get(seller),
            [100 * played.probabilities.get(seller, 0.0) for played in accepted],
        )
        for seller in report.auction.matched
    ]
    columns = (
        Column("seller"),
        Column("behaviour"),
        *(Column(f"r{number}", numeric=True) for number in rounds),
    )
    rows = tuple(
        (
            Cell(track.seller),
            _behaviour(track.payout),
            *(Cell(f"{value:.1f}") for value in track.percents),
        )
        for track in tracks
    )
    poisoners = " ".join(track.seller for track in tracks if track.poisoner) or "none"
    title = "Sampler probability of each seller after each round, %"
    return Plot(
        "probabilities",
        title,
        f"{title}: one line per seller, poisoners dashed ({poisoners}).",
        draw("probabilities", partial(_draw_probabilities, rounds, tracks)),
        Table(columns, rows),
    )


def _draw_probabilities(rounds: list[int], tracks: list[Track], axes: Axes) -> None:
    poisoners = [track for track in tracks if track.poisoner]
    for track in tracks:
        if not track.poisoner:
            axes.plot(rounds, track.percents, color=HONEST, linewidth=1.2, alpha=0.75, marker=".")
    for number, track in enumerate(poisoners):
        dash = DASHES[number % len(DASHES)]
        axes.plot(
            rounds, track.percents, color=BYZANTINE, linewidth=2.4, linestyle=dash, marker="."
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("round (blue: honest, dashed: poisoner)")
    axes.set_ylabel("probability, %")
    _label_ends(axes, rounds[-1], tracks if len(tracks) <= MOST_LABELLED_LINES else poisoners)


def _label_ends(axes: Axes, end: int, tracks: list[Track]) -> None:
    """Name each line at its right end, moved apart where lines end close together."""
    tracks = sorted(tracks, key=lambda track: track.percents[-1])
    low, high = axes.get_ylim()
    gap = (high - low) / (MOST_LABELLED_LINES + 4)
    places = _spread([track.percents[-1] for track in tracks], gap)
    for place, track in zip(places, tracks, strict=True):
        axes.annotate(
            track.seller,
            (end, place),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            annotation_clip=False,
            color=BYZANTINE if track.poisoner else INK,
            fontweight="bold" if track.poisoner else "normal",
            fontsize=FONT_SIZE - 2,
        )


def _spread(places: list[float], gap: float) -> list[float]:
    """Ascending places, neighbours pushed apart until they are about `gap` from each other."""
    places = list(places)
    for _ in range(SPREADING_PASSES):
        for upper in range(1, len(places)):
            overlap = gap - (places[upper] - places[upper - 1])
            if overlap > 0:
                places[upper - 1] -= overlap / 2
                places[upper] += overlap / 2
    return places


@dataclass(frozen=True)
class VoteBar:
    """Votes of the nodes asked in one mini-round, as the contract judged them."""

    label: str
    asked: int
    right: int
    copied: int
    other: int
    silent: int


def vote_bars(report: Report) -> list[VoteBar]:
    """Votes of each mini-round: right, copied, for another digest or never judged, none."""
    bars = []
    for played in report.rounds:
        for mini in played.mini_rounds:
            label = f"{played.round}.{mini.mini_round}"
            conducts = [voter.conduct for voter in mini.voters]
            right, copied = conducts.count("right"), conducts.count("wrong audit")
            other, silent = mini.revealed - right - copied, mini.asked - mini.revealed
            bars.append(VoteBar(label, mini.asked, right, copied, other, silent))
    return bars


def votes(bars: list[VoteBar]) -> Plot:
    """Votes of each mini-round, stacked."""
    heads = ("round.mini", "asked", "right", "wrong audit", "other result", "not revealed")
    columns = tuple(Column(head, numeric=True) for head in heads)
    rows = tuple(
        (
            Cell(bar.label),
            *(Cell(str(n)) for n in (bar.asked, bar.right, bar.copied, bar.other, bar.silent)),
        )
        for bar in bars
    )
    return Plot(
        "votes",
        "Votes by mini-round",
        f"Votes by mini-round: {sum(bar.right for bar in bars)} right, "
        f"{sum(bar.copied for bar in bars)} copied, "
        f"{sum(bar.other for bar in bars)} for other results, "
        f"{sum(bar.silent for bar in bars)} not revealed.",
        draw("votes", partial(_draw_votes, bars)),
        Table(columns, rows),
    )


def _draw_votes(bars: list[VoteBar], axes: Axes) -> None:
    places = range(len(bars))
    right = [bar.right for bar in bars]
    copied = [bar.copied for bar in bars]
    judged = [bar.right + bar.copied for bar in bars]
    other = [bar.other for bar in bars]
    revealed = [bar.right + bar.copied + bar.other for bar in bars]
    silent = [bar.silent for bar in bars]
    axes.bar(places, right, color=HONEST, label="right")
    axes.bar(places, copied, bottom=right, color=BYZANTINE, hatch="..", label="wrong audit")
    axes.bar(places, other, bottom=judged, color=BYZANTINE, hatch="//", label="other result")
    axes.bar(
        places, silent, bottom=revealed, facecolor="none", edgecolor=MUTED, label="not revealed"
    )
    every = 1 + len(bars) // MOST_NAMED_BARS
    axes.set_xticks(list(places)[::every], [bar.label for bar in bars][::every])
    axes.set_ylim(0, 1.08 * max(bar.asked for bar in bars))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="x", visible=False)
    axes.set_xlabel("round.mini-round")
    axes.set_ylabel("votes")
    axes.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False, columnspacing=1
    )


def payouts(report: Report, names: Names) -> Plot:
    """Plot of each party's earnings."""
    parties = [(names(address), payout) for address, payout in report.payouts_wei.items()]
    caught = sum(payout.wei for _, payout in parties if payout.behaviour != "honest")
    columns = (Column("party"), Column("behaviour"), Column("earned", numeric=True))
    rows = tuple(
        (Cell(name), _behaviour(payout), Cell(ether(payout.wei))) for name, payout in parties
    )
    return Plot(
        "payouts",
        "Payouts",
        f"Payouts, one bar per party; all Byzantine parties together earned {ether(caught)}.",
        draw("payouts", partial(_draw_payouts, parties), 0.9 + INCHES_PER_PARTY * len(parties)),
        Table(columns, rows),
    )


def _draw_payouts(parties: list[tuple[str, Payout]], axes: Axes) -> None:
    places = range(len(parties))
    amounts = [payout.wei / WAD for _, payout in parties]
    bars = axes.barh(places, amounts, color=HONEST, height=0.7)
    axes.set_yticks(places, [name for name, _ in parties])
    labels = axes.get_yticklabels()
    for place, (_, payout) in enumerate(parties):
        honest = payout.behaviour == "honest"
        if not honest:
            bars[place].set(facecolor=BYZANTINE, hatch="//")
            labels[place].set(color=BYZANTINE, fontweight="bold")
        axes.annotate(
            ether(payout.wei) + ("" if honest else f" ({payout.behaviour})"),
            (amounts[place], place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=INK if honest else BYZANTINE,
        )
    axes.margins(x=0.3, y=0.01)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("ETH (hatched: Byzantine)")


def _behaviour(payout: Payout | None) -> Cell:
    if payout is None:
        return Cell("-")
    return Cell(payout.behaviour, "plain" if payout.behaviour == "honest" else "bad")
