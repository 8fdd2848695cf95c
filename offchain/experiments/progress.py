"""How far an experiment is, for who waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

LINE_SECONDS = 60.0
"""Between two lines in a file, where a bar cannot be redrawn."""


@contextmanager
def rounds_shown(console: Console, total: int) -> Iterator[Callable[[int], None]]:
    """Show how many of so many rounds are done: a bar, or a line now and then."""
    if not console.is_terminal:
        yield _lines(console, total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        rounds = progress.add_task("rounds", total=total)
        yield lambda done: progress.update(rounds, completed=done)


def _lines(console: Console, total: int) -> Callable[[int], None]:
    start = shown = time.monotonic()

    def tell(done: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown >= LINE_SECONDS:
            shown = now
            console.print(f"{done} of {total} rounds, {(now - start) / 60:.0f} min")

    return tell
