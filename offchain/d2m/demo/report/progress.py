"""Live progress of a run: a log of events, and on a terminal a status line below it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from d2m.demo.report.names import percent, short_digest
from d2m.demo.report.terminal import make_console, printable


class Progress:
    """Prints what happens, each line with the seconds since the start.

    Use as a context manager. On a terminal a status line with the running phase and the elapsed
    time stays at the bottom; a pipe or a dumb terminal gets the plain lines only. Every line is
    flushed. Parties are given by their short names.
    """

    def __init__(
        self, file: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console: Console = make_console(file)
        self._clock = clock
        self._start = clock()
        self._phase = ""
        self._spinner = Spinner("line")
        self._live: Live | None = None
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(
                get_renderable=self._status,
                console=self._console,
                refresh_per_second=4,
                transient=True,
            )

    def __enter__(self) -> Progress:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    def phase(self, text: str) -> None:
        """A new phase begins: deploying, auction, rounds, settlement."""
        self._phase = text
        self._line(f"== {text}", "bold")

    def event(self, text: str) -> None:
        """Something worth a line happened."""
        self._line(f"   {text}")

    def warning(self, text: str) -> None:
        """Something went wrong that the run survives."""
        self._line(f" ! {text}", "bold red")

    def round_started(self, round_number: int, sampled: Sequence[str]) -> None:
        """A global round begins with these sellers."""
        self._phase = f"round {round_number}"
        self._line(f"-- round {round_number}: sampled {' '.join(sampled)}", "bold")

    def mini_round_closed(
        self,
        round_number: int,
        mini_round: int,
        votes: Mapping[str, int],
        score: float | None,
        threshold: float,
        accepted: bool,
    ) -> None:
        """An execution set has revealed; `score` is None where no finite one exists."""
        ranked = sorted(votes.items(), key=lambda vote: (-vote[1], vote[0]))
        tally = ", ".join(f"{short_digest(digest)}:{count}" for digest, count in ranked) or "none"
        shown = "-" if score is None else f"{score:.2f}"
        verdict = "accepted" if accepted else "not accepted"
        self.event(
            f"round {round_number}, mini-round {mini_round}: votes {tally}; "
            f"score {shown}, needed {threshold:.2f}: {verdict}"
        )

    def round_accepted(self, round_number: int, accuracy: float, target: float) -> None:
        """The round's result was opened on chain."""
        text = f"round {round_number}: accuracy {percent(accuracy)}, target {percent(target)}"
        self._line(f"   {text}", "green")

    def slashed(self, text: str) -> None:
        """A node was slashed."""
        self._line(f"   {text}", "red")

    def round_failed(self, round_number: int, why: str) -> None:
        """No result could be accepted."""
        self.warning(f"round {round_number} failed: {why}")

    def _status(self) -> Spinner:
        text = f"{self.elapsed():6.1f} s  {self._phase}"
        self._spinner.update(text=Text(printable(text, self._console.encoding)))
        return self._spinner

    def _line(self, text: str, style: str = "") -> None:
        line = printable(f"[{self.elapsed():6.1f} s] {text}", self._console.encoding)
        self._console.print(Text(line, style=style), soft_wrap=True)
