"""The demo's parties as operating-system processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

STOP_SECONDS = 10
"""Between asking a process to stop and killing it: longer than any step of a party."""
LOG_LINES_SHOWN = 3


def party_command(arguments: Sequence[str]) -> list[str]:
    """The command line of a party's process."""
    return [sys.executable, "-m", "d2m.demo.party", *arguments]


def one_core_environment() -> dict[str, str]:
    """Environment of a process that uses one core: two dozen of them share the machine."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class PartyFailed(RuntimeError):
    """A party's process ended with an error."""


@dataclass(frozen=True)
class Process:
    """A running party."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    def open_gate(self) -> None:
        """Let a process that was started with `--gate` go to the chain."""
        assert self.popen.stdin is not None
        self.popen.stdin.write(b"\n")
        self.popen.stdin.close()

    def check(self) -> None:
        """Raises PartyFailed if the process has ended with an error."""
        status = self.popen.poll()
        if status:
            last = self.log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
            raise PartyFailed(
                f"{self.name} ended with status {status}, see {self.log}: {' | '.join(last)}"
            )


class Processes:
    """All processes of a run. Leaving the context stops them, however it is left."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._started: list[Process] = []
        logs.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop(self._started)

    def start(self, name: str, arguments: Sequence[str]) -> Process:
        """Start `python -m d2m.demo.party` with these arguments; its output goes to a log."""
        log = self._logs / f"{name}.log"
        with log.open("wb") as output:
            popen = subprocess.Popen(
                party_command(arguments),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=one_core_environment(),
            )
        process = Process(name, popen, log)
        self._started.append(process)
        return process

    def check(self) -> None:
        """Raises PartyFailed if any process has ended with an error."""
        for process in self._started:
            process.check()

    def stop(self, processes: Sequence[Process]) -> None:
        """Ask processes to stop, then kill those that do not; their end is no failure."""
        running = [process.popen for process in processes if process.popen.poll() is None]
        for popen in running:
            popen.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for popen in running:
            try:
                popen.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                popen.kill()
                popen.wait()
        self._started = [process for process in self._started if process not in processes]
