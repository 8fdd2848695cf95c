"""How far an experiment is, on a terminal and in a file."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from experiments import progress


def test_a_file_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 1.0, 61.0, 62.0, 125.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    file = StringIO()
    with progress.rounds_shown(Console(file=file), 300) as show:
        for done in (10, 20, 30, 40):
            show(done)
    assert file.getvalue().splitlines() == ["20 of 300 rounds, 1 min", "40 of 300 rounds, 2 min"]


def test_a_terminal_gets_a_bar() -> None:
    file = StringIO()
    with progress.rounds_shown(Console(file=file, force_terminal=True), 300) as show:
        show(300)
    assert "300/300" in file.getvalue()
