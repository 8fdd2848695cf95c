from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from d2m.demo.report import Progress

ROOT = Path(__file__).parents[3]
RUN = """
from d2m.demo.report import Progress
with Progress() as progress:
    progress.phase("auction")
    progress.event("B1 bids 10 ETH")
    {end}
"""


def ticking() -> Callable[[], float]:
    ticks: Iterator[float] = iter(range(1000))
    return lambda: float(next(ticks))


class Flushed(io.StringIO):
    """Remembers what had been written when it was last flushed."""

    seen = ""

    def flush(self) -> None:
        self.seen = self.getvalue()


def test_plain_lines_with_elapsed_seconds_when_piped() -> None:
    stream = Flushed()
    with Progress(stream, ticking()) as progress:
        progress.phase("auction")
        assert stream.seen == "[   1.0 s] == auction\n"
        progress.event("x" * 200)
        progress.round_started(1, ["S3", "S1"])
        votes = {"0x" + "ab" * 32: 1, "0x" + "cd" * 32: 2}
        progress.mini_round_closed(1, 1, votes, 1.104, 6.906, accepted=False)
        progress.mini_round_closed(1, 2, {}, None, 6.906, accepted=True)
        progress.round_accepted(1, 0.5194, 0.9)
        progress.slashed("C9 (copier) loses 1.2500 ETH of its stake")
        progress.round_failed(2, "every node was asked\x1b[2J")
    assert stream.seen.splitlines() == [
        "[   1.0 s] == auction",
        "[   2.0 s]    " + "x" * 200,
        "[   3.0 s] -- round 1: sampled S3 S1",
        "[   4.0 s]    round 1, mini-round 1: votes cdcdcdcd:2, abababab:1; "
        "score 1.10, needed 6.91: not accepted",
        "[   5.0 s]    round 1, mini-round 2: votes none; score -, needed 6.91: accepted",
        "[   6.0 s]    round 1: accuracy 51.94 %, target 90.00 %",
        "[   7.0 s]    C9 (copier) loses 1.2500 ETH of its stake",
        "[   8.0 s]  ! round 2 failed: every node was asked?[2J",
    ]


def on_a_terminal(end: str, kind: str) -> tuple[int, str]:
    """Exit status and output of a run whose standard output is a pseudo-terminal."""
    pty = pytest.importorskip("pty")
    outer, inner = pty.openpty()
    environment = {**os.environ, "TERM": kind, "PYTHONPATH": str(ROOT / "offchain")}
    program = [sys.executable, "-c", RUN.format(end=end)]
    child = subprocess.Popen(program, stdout=inner, stderr=subprocess.DEVNULL, env=environment)
    os.close(inner)
    output = b""
    while chunk := _read(outer):
        output += chunk
    os.close(outer)
    return child.wait(), output.decode()


def _read(handle: int) -> bytes:
    try:
        return os.read(handle, 65536)
    except OSError:  # Linux reports the end of a pseudo-terminal as an input/output error
        return b""


@pytest.mark.parametrize("end", ["pass", "raise SystemExit(3)"])
def test_a_terminal_gets_a_status_line_and_its_cursor_back(end: str) -> None:
    status, output = on_a_terminal(end, "xterm")
    assert status == (0 if end == "pass" else 3)
    assert "s]    B1 bids 10 ETH" in output
    assert "s  auction" in output
    assert output.rindex("\x1b[?25h") > output.rindex("\x1b[?25l")


def test_a_dumb_terminal_gets_plain_lines() -> None:
    status, output = on_a_terminal("pass", "dumb")
    assert status == 0
    assert "\x1b" not in output
    assert [line[11:] for line in output.splitlines()] == ["== auction", "   B1 bids 10 ETH"]
