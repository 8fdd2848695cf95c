"""Commands of documents, typed as they stand at a terminal, in a checkout and home of its own."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pexpect

from d2m.clients.binaries import PROJECT

PASSPHRASE = "correct horse"
ANSWERS = {
    r"random input: ": "what",
    r"mnemonic\? \[Y/n\]:": "n",
    r"Create Passphrase[^:\n]*: ": PASSPHRASE,
    r"confirmation: ": PASSPHRASE,
    r"(?m)^Passphrase: ": PASSPHRASE,
}
"""To what `ape accounts generate`, and the documents' own commands, ask."""
DONE_BEFORE = ("tools/setup/setup.sh", "make setup")
"""Commands that the tests' own set-up has run."""
MOST_SECONDS = 300
"""Before a command that stands still fails the test."""
_DIMENSIONS = (50, 1_000)
"""Lines and columns of a terminal: nothing that is said is folded."""
_HEED_SECONDS = 2
_DONE = "the block is played"
_READ_BLOCKS = f"while IFS= read -r _block; do . \"$_block\"; printf '\\n{_DONE}\\n'; done"
"""A shell that runs what it is given, file by file, and keeps its variables from one to the next.

With -e it ends where a command fails.
"""


class Checkout:
    """The repository with a build folder of its own, and a home folder beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "market"
        (folder / "home").mkdir(parents=True)
        self.path.mkdir()
        for each in PROJECT.iterdir():
            if each.name not in ("build", ".git"):
                (self.path / each.name).symlink_to(each)

    @property
    def environment(self) -> dict[str, str]:
        """The one that a person has whose virtual environment is active."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "HOME": str(self.folder / "home"), "PATH": path}


class Terminal:
    """A shell that keeps its variables and its background jobs from one block to the next."""

    def __init__(self, checkout: Checkout, shell: str, prefix: list[str], name: str) -> None:
        self._folder = checkout.folder / name
        self._folder.mkdir()
        self._played = 0
        self._process = spawn([*prefix, shell, "-euc", _READ_BLOCKS], checkout)

    def play(self, text: str) -> str:
        """Type commands, answer what they ask, wait for their end; what they say."""
        self._played += 1
        block = self._folder / f"{self._played}.sh"
        block.write_text(left_to_do(text))
        self._process.sendline(str(block))
        is_done, said = converse(self._process, f"{_DONE}\r\n")
        assert is_done, f"{text}\n{said}"
        return said

    def end(self) -> None:
        """End it and all that it has started."""
        end_group(self._process.pid)
        self._process.close(force=True)


@contextmanager
def terminals() -> Iterator[list[Terminal]]:
    """Those that are put into the list end with the context, the latest one first."""
    found: list[Terminal] = []
    try:
        yield found
    finally:
        for each in reversed(found):
            each.end()


def end_group(leader: int) -> None:
    """End a process group: by the signal that may be heeded, then by the one that is."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(leader, signal_number)
            if signal_number == signal.SIGTERM:
                time.sleep(_HEED_SECONDS)


def left_to_do(text: str) -> str:
    """The commands without those that the tests' set-up has run."""
    return "\n".join(line for line in text.splitlines() if not line.startswith(DONE_BEFORE)) + "\n"


def spawn(command: list[str], checkout: Checkout, **secrets: str) -> pexpect.spawn[str]:
    """A command at a terminal of its own."""
    first, *arguments = command
    return pexpect.spawn(
        first,
        arguments,
        cwd=str(checkout.path),
        env={**checkout.environment, **secrets},
        encoding="utf-8",
        timeout=MOST_SECONDS,
        dimensions=_DIMENSIONS,
        echo=False,
    )


def converse(terminal: pexpect.spawn[str], end: str | None = None) -> tuple[bool, str]:
    """Answer what is asked until `end` is said; whether it was, before all ended, and what is said.

    Without `end`, to the end of the command.
    """
    said = ""
    ends = [pexpect.EOF, *([] if end is None else [end])]
    while (at := terminal.expect([*ends, *ANSWERS])) >= len(ends):
        said += terminal.before + terminal.after
        terminal.sendline(list(ANSWERS.values())[at - len(ends)])
    return at > 0, said + terminal.before


def wait_for(holds: Callable[[], bool], said: Callable[[], str]) -> None:
    """Raises AssertionError, with what was said, where it does not come to hold."""
    deadline = time.monotonic() + MOST_SECONDS
    while not holds():
        assert time.monotonic() < deadline, said()
        time.sleep(0.5)
