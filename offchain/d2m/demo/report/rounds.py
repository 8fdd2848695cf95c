"""One round in words: mini-rounds, votes, filtered updates, outvoted nodes."""

from __future__ import annotations

from collections.abc import Iterator

from d2m.demo.report.model import MiniRound, Round
from d2m.demo.report.names import Names, percent, short_digest
from d2m.demo.report.tables import Cell, Column, Line, Section, Table

COLUMNS = (
    Column("mini", numeric=True),
    Column("asked", numeric=True),
    Column("commits", numeric=True),
    Column("reveals", numeric=True),
    Column("votes by digest", wraps=True),
    Column("tally", numeric=True),
    Column("score", numeric=True),
    Column("needed", numeric=True),
    Column("accepted"),
)

WORTH_A_LINE = ("lost result", "wrong audit", "silent")
"""Conduct that a node is slashed for."""

HOW_TO_READ = (
    Line("votes", "first digits of the digest : votes revealed in this mini-round"),
    Line("tally", "votes of the round so far, leader : runner-up"),
    Line("score", "ln L(leader) - ln L(runner-up); a result is accepted from the needed score on"),
    Line("kept, filtered", "sellers with the measured utility of their update"),
    Line("lost result", "a node voted for another digest than the accepted one"),
    Line("wrong audit", "it voted for the accepted digest and cannot have computed it"),
    Line("silent", "it was asked and revealed nothing"),
)


def round_section(played: Round, names: Names) -> Section:
    """The tally of every mini-round and what became of updates and votes."""
    title = f"Round {played.round}: no result accepted"
    if played.accuracy is not None:
        title = f"Round {played.round}: accuracy {percent(played.accuracy)}"
        title += f" ({played.numerator} of {played.denominator})"
    rows = tuple(_row(mini) for mini in played.mini_rounds)
    return Section(title, Table(COLUMNS, rows), tuple(_lines(played, names)))


def _row(mini: MiniRound) -> tuple[Cell, ...]:
    unmeasured = "certain" if mini.certain else "-"
    return (
        Cell(str(mini.mini_round)),
        Cell(str(mini.asked)),
        Cell(str(mini.committed)),
        Cell(str(mini.revealed)),
        _votes(mini),
        Cell(f"{mini.leader_votes} : {mini.runner_up_votes}"),
        Cell(unmeasured if mini.score is None else f"{mini.score:.2f}"),
        Cell(f"{mini.threshold:.2f}"),
        Cell("yes", "good") if mini.accepted else Cell("no"),
    )


def _votes(mini: MiniRound) -> Cell:
    ranked = sorted(mini.votes.items(), key=lambda vote: (-vote[1], vote[0]))
    text = ", ".join(f"{short_digest(digest)}:{count}" for digest, count in ranked)
    return Cell(text or "-", full=", ".join(f"{digest}:{count}" for digest, count in ranked))


def _lines(played: Round, names: Names) -> Iterator[Line]:
    if played.digest is not None:
        opened = f", opened by {names(played.opened_by)}" if played.opened_by else ""
        yield Line("accepted", f"digest {short_digest(played.digest)}{opened}", "good")
    yield Line("sampled", names.all(played.sampled))
    kept = [update for update in played.updates if update.kept]
    yield Line("kept", ", ".join(f"{names(u.seller)}{_utility(u.utility)}" for u in kept) or "none")
    for update in played.updates:
        if update.kept:
            continue
        who = f"{names(update.seller)} ({update.behaviour})"
        yield Line("filtered", f"{who}{_utility(update.utility)}: {update.reason}", "bad")
    posted = {update.seller for update in played.updates}
    silent = [seller for seller in dict.fromkeys(played.sampled) if seller not in posted]
    if silent:
        yield Line("no update", names.all(silent), "bad")
    yield from _votes_of_note(played, names)


def _votes_of_note(played: Round, names: Names) -> Iterator[Line]:
    for mini in played.mini_rounds:
        for voter in mini.voters:
            who = f"{names(voter.node)} ({voter.behaviour}) in mini-round {mini.mini_round}"
            if voter.conduct in WORTH_A_LINE:
                vote = f": {short_digest(voter.digest)}" if voter.digest else ""
                yield Line(voter.conduct, who + vote, "bad")
            elif voter.conduct == "right" and voter.behaviour != "honest":
                yield Line("NOT CAUGHT", f"{who} is judged right", "bad")


def _utility(utility: float | None) -> str:
    return "" if utility is None else f" {utility:+.4f}"
