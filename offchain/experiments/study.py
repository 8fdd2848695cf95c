"""A study: one question, how it is played, and the pages that show what came of it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import click

from d2m.files import write_file

REPORT = Path("docs/experiments")
"""Where the recorded studies stand."""
Facts = dict[str, Any]
"""Figures of a study, fit for JSON."""


class NotRecorded(ValueError):
    """A study has not been run; the message names the command that runs it."""


@dataclass(frozen=True, kw_only=True)
class Study(ABC):
    """A study, as the command line knows it."""

    name: str
    about: str
    """One line."""
    takes: str = ""
    """How long, as docs/experiments.md has it; empty where it does not say."""
    options: Sequence[click.Option] = ()
    """Options of `run`; their values are its keyword arguments."""
    report_options: Sequence[click.Option] = ()
    """The same of `report`."""
    by_name_alone: bool = False
    """Whether it is left out where no study is named."""
    interrupted: ClassVar[str]
    """Words on what Ctrl-C leaves, for the person who pressed it."""

    @abstractmethod
    def run(self, out: Path, **options: Any) -> Iterator[str]:
        """Play it and write its files into `out`; yields lines for the terminal.

        Raises ClickException where the study finds what must not be.
        """

    @abstractmethod
    def report(self, out: Path, **options: Any) -> list[Path]:
        """Make its pages anew from what was recorded; raises NotRecorded."""


@dataclass(frozen=True, kw_only=True)
class Recorded(Study):
    """A study that is played in one go: `<name>.json` holds its facts, its pages follow from it."""

    play: Callable[..., Facts]
    pages: Callable[[Facts, Path], Sequence[Path]]
    """Write pages and plots from the facts into a folder."""
    told: Callable[[Facts], Iterable[str]] = lambda _: ()
    """The result in a few lines."""
    fault: Callable[[Facts], str] = lambda _: ""
    """A finding that must not be, if there is one; then the command fails."""
    interrupted: ClassVar[str] = "interrupted: nothing is written"

    def run(self, out: Path, **options: Any) -> Iterator[str]:
        """Play, record, write the pages."""
        facts = self.play(**options)
        record = self._record(out)
        write_file(record, json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
        written = [record, *self.pages(facts, out)]
        yield from self.told(facts)
        yield from map(str, written)
        if fault := self.fault(facts):
            raise click.ClickException(fault)

    def report(self, out: Path, **options: Any) -> list[Path]:
        """Write the pages beside the record."""
        del options
        try:
            facts = json.loads(self._record(out).read_text())
        except FileNotFoundError:
            raise NotRecorded(f"{self.name} is not recorded: {command(self.name)}") from None
        return list(self.pages(facts, out))

    def _record(self, out: Path) -> Path:
        return out / f"{self.name}.json"


def option(name: str, **attributes: Any) -> click.Option:
    """An option of a study, whose default is shown."""
    return click.Option([name], show_default=True, **attributes)


def command(name: str, **options: object) -> str:
    """The command that runs a study with these options."""
    given = (f" --{key.replace('_', '-')} {value}" for key, value in options.items())
    return f"python -m experiments run {name}{''.join(given)}"
