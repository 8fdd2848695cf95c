"""Figures of results in words and numbers."""

from __future__ import annotations

from d2m.protocol.constants import BPS
from experiments.paper.cells import HONEST, NO_ATTACK, Cell
from experiments.paper.results import Result
from experiments.paper.votes import Outcome

LAST_ROUNDS = 5
"""A run is summed up by the mean of so many last rounds: one round's accuracy is a matter of luck
while updates are large."""


def cell_of(result: Result) -> Cell:
    """The cell of a result."""
    return Cell(**result["cell"])


def curve(result: Result) -> list[float]:
    """Accuracy by round, in percent: on the test set, or where there is none on the buyer's."""
    which = "test" if result["test_samples"] else "evaluation"
    total = result[f"{which}_samples"]
    return [100 * record[which] / total for record in result["rounds"]]


def final(result: Result) -> float:
    """The last round's accuracy in percent; 0 where no round was ever accepted."""
    accuracies = curve(result)
    return accuracies[-1] if accuracies else 0.0


def steady(result: Result) -> float:
    """Mean accuracy of the last rounds in percent; 0 where no round was ever accepted."""
    last = curve(result)[-LAST_ROUNDS:]
    return sum(last) / len(last) if last else 0.0


def kept_share(result: Result) -> str:
    """How many of the Byzantine updates were kept."""
    rounds = result["rounds"]
    posted = sum(record["byzantine_posted"] for record in rounds)
    return f"{sum(record['byzantine_kept'] for record in rounds)} of {posted}"


def seconds(result: Result) -> float:
    """Mean wall time of a round."""
    times = [record["seconds"] for record in result["rounds"]]
    return sum(times) / len(times) if times else 0.0


def lies(cell: Cell) -> str:
    """Shares and kinds of liars, in words."""
    parts = []
    if cell.attack != NO_ATTACK:
        parts.append(f"{percent(cell.byzantine_sellers)} sellers {cell.attack}")
    if cell.voting != HONEST:
        parts.append(f"{percent(cell.byzantine_nodes)} nodes {cell.voting}")
    return ", ".join(parts) or "nobody"


def percent(share: int) -> str:
    """Basis points as a percentage."""
    return f"{100 * share / BPS:g} %"


def ending(result: Result) -> str:
    """How a job ended: rounds accepted, and how many of them were lies."""
    votes = result["votes"]
    wrong = votes.count(Outcome.WRONG.value)
    accepted = len(votes) - votes.count(Outcome.UNDECIDED.value)
    text = f"{accepted} of {result['cell']['rounds']} rounds"
    return f"{text}, {wrong} of them wrong" if wrong else text


def summary(result: Result) -> str:
    """A result in a line, for the terminal."""
    cell = cell_of(result)
    return (
        f"{cell.dataset} {cell.partition} {cell.method}, lies: {lies(cell)}: {final(result):.2f} %"
        f" (last {LAST_ROUNDS}: {steady(result):.2f} %), {ending(result)}"
    )
