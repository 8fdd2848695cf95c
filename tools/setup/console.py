"""Runs the commands of the set-up: says what goes on, logs their noise, explains failures."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "build" / "setup"

_TICK_SECONDS = 0.2
_LINE_SECONDS = 30.0  # between two lines where the last one cannot be rewritten (no terminal)
_STOP_SECONDS = 10.0

# What installers write when they fail, and what the user can do; the first that matches counts.
_AGAIN = "then run the same command again"
_REMEDIES = (
    (
        r"No space left on device|ENOSPC|Disk quota exceeded",
        f"the disk is full: make room, {_AGAIN}",
    ),
    (
        r"DO NOT MATCH THE HASHES|EINTEGRITY",
        "a package differs from the pinned one: ask whoever runs your package mirror",
    ),
    (
        r"ensurepip is not available|No module named '?(ensurepip|venv)",
        f"this Python cannot make virtual environments: apt install python3-venv, {_AGAIN}",
    ),
    (
        r"Permission denied|EACCES|EROFS|Read-only file system",
        f"a file cannot be written: see whose this folder is, {_AGAIN}",
    ),
    (
        r"NewConnectionError|name resolution|Name or service not known|getaddrinfo|ProxyError"
        r"|Max retries exceeded|ConnectTimeout|ReadTimeout|Network is unreachable|EAI_AGAIN"
        r"|ENOTFOUND|ENETUNREACH|ECONNREFUSED|ECONNRESET|ETIMEDOUT|CERTIFICATE_VERIFY_FAILED"
        r"|SELF_SIGNED_CERT",
        f"no network: check the connection or the proxy (HTTPS_PROXY), {_AGAIN}",
    ),
)


class SetupError(Exception):
    """The set-up cannot go on; the message is one line with the remedy."""


def say(line: str) -> None:
    """Print one line of the set-up at once."""
    print(f"set-up: {line}", flush=True)


class _Progress:
    """One line about a step, with its seconds: rewritten on a terminal, else repeated."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._start = self._shown = time.monotonic()
        self._terminal = sys.stdout.isatty()
        self._print("…", last=False)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    def tick(self) -> None:
        """Call often: shows the seconds that have passed."""
        now = time.monotonic()
        if now - self._shown < (1.0 if self._terminal else _LINE_SECONDS):
            return
        self._shown = now
        self._print(f"… {self.seconds:.0f} s", last=False)

    def finish(self, word: str) -> None:
        self._print(f"{word} ({self.seconds:.1f} s)", last=True)

    def _print(self, state: str, *, last: bool) -> None:
        if not self._terminal:
            say(f"{self._title} {state}")
            return
        print(f"\r\033[Kset-up: {self._title} {state}", end="\n" if last else "", flush=True)


def run(
    title: str,
    command: Sequence[str | Path],
    log_name: str,
    *,
    on_failure: str = "failed",
) -> None:
    """Run ``command`` in the checkout with its output in ``build/setup/<log_name>.log``.

    ``on_failure`` is the word shown when it fails: another one where the caller has a second way.

    Raises:
        SetupError: it ended with another status than 0; says why as far as the log tells.
    """
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{log_name}.log"
    progress = _Progress(title)
    with log.open("w", encoding="utf-8") as output:
        print("$", *command, file=output, flush=True)
        status = _wait(command, output.fileno(), progress)
    if status == 0:
        progress.finish("done")
        return
    progress.finish(on_failure)
    raise SetupError(f"{title} failed: {explain(read_log(log_name))}. Log: {log.relative_to(ROOT)}")


def read_log(log_name: str) -> str:
    """Output of the command logged under this name."""
    return (LOGS / f"{log_name}.log").read_text(encoding="utf-8", errors="replace")


def explain(output: str) -> str:
    """The cause of a failure with its remedy, or the last line of the output if it is unknown."""
    for pattern, remedy in _REMEDIES:
        if re.search(pattern, output):
            return remedy
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else "it wrote nothing"


def _wait(command: Sequence[str | Path], output: int, progress: _Progress) -> int:
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
    )
    try:
        while True:
            try:
                return process.wait(timeout=_TICK_SECONDS)
            except subprocess.TimeoutExpired:
                progress.tick()
    except BaseException:
        print(flush=True)
        _stop(process)
        raise


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
