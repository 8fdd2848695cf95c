"""Parties as processes that are killed, paused, and started again."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

from d2m.clients.anvil import die_with_parent
from d2m.demo.processes import one_core_environment, party_command

STOP_SECONDS = 20
"""Between asking a process to stop and killing it."""


class Supervised:
    """A party's process under a supervisor that starts it again whenever it has ended."""

    def __init__(
        self, name: str, arguments: list[str], logs: Path, prefix: list[str], *, is_lasting: bool
    ) -> None:
        """`is_lasting`: whether it is started again even where it ended without an error.

        `prefix`: what goes before the command, such as to run it in a network namespace.
        """
        self.name = name
        self.starts = 0
        self._command = [*prefix, *party_command(arguments)]
        self._log = logs / f"{name}.log"
        self._is_lasting = is_lasting
        self._start_at = 0.0
        self._resume_at = 0.0
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether there is a process, paused ones included."""
        return self._popen is not None and self._popen.poll() is None

    @property
    def is_done(self) -> bool:
        """Whether it has ended by itself, and is not to be started again."""
        ended = self._popen is not None and self._popen.poll() == 0
        return ended and not self._is_lasting

    def tend(self, now: float) -> None:
        """Start it again, or resume it, where the time has come."""
        if self._resume_at and now >= self._resume_at:
            self._resume_at = 0.0
            self._signal(signal.SIGCONT)
        if not self.is_running and not self.is_done and now >= self._start_at:
            self._start()

    def kill(self, until: float) -> None:
        """Kill -9, and no new start before `until`."""
        self._signal(signal.SIGKILL)
        if self._popen is not None:
            self._popen.wait()
        self._start_at = max(self._start_at, until)
        self._resume_at = 0.0

    def pause(self, until: float) -> None:
        """SIGSTOP until then."""
        self._signal(signal.SIGSTOP)
        self._resume_at = until

    def end(self) -> None:
        """Ask it to stop, at once."""
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)

    def wait(self, deadline: float) -> None:
        """Wait until it has stopped, and kill it at `deadline`."""
        if self._popen is None:
            return
        try:
            self._popen.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()

    def log_text(self) -> str:
        """All that its lives have logged."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def _start(self) -> None:
        self.starts += 1
        with self._log.open("ab") as output:
            self._popen = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is the controller's
                preexec_fn=die_with_parent,
                env=one_core_environment(),
            )

    def _signal(self, which: signal.Signals) -> None:
        if self._popen is not None and self._popen.poll() is None:
            self._popen.send_signal(which)
