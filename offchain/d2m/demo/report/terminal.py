"""The closing tables in the terminal; plain text when piped to a file or on a dumb terminal."""

from __future__ import annotations

from typing import TextIO

from rich.box import Box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from d2m.demo.report.model import Report
from d2m.demo.report.sections import sections
from d2m.demo.report.tables import Line, Section, Table, Tone

# The tables are laid out for this many columns; a file has no width of its own.
COLUMNS_WHEN_PIPED = 100
# A line under the head and nothing else, in ASCII, so that every terminal and file can show it.
HEAD_RULE = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
STYLES: dict[Tone, str] = {"plain": "", "good": "green", "bad": "bold red"}


def make_console(file: TextIO | None = None) -> Console:
    """A console on `file` (standard output by default), wide enough when nobody watches."""
    console = Console(file=file, highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        console.width = COLUMNS_WHEN_PIPED
    return console


def printable(text: str, encoding: str) -> str:
    """`text` without control characters; what `encoding` lacks is spelt out in ASCII."""
    visible = "".join(letter if letter.isprintable() else "?" for letter in text)
    return visible.encode(encoding, "backslashreplace").decode(encoding)


def print_report(report: Report, console: Console | None = None) -> None:
    """Print every section of the report."""
    console = console or make_console()
    for section in sections(report):
        console.print()
        console.rule(_text(console, section.title, "bold"), align="left", characters="-")
        _print_body(console, section)


def _print_body(console: Console, section: Section) -> None:
    if section.table and section.table.rows:
        console.print(Padding(_table(console, section.table), (0, 0, 0, 1), expand=False))
    if section.lines:
        console.print(Padding(_lines(console, section.lines), (0, 0, 0, 1), expand=False))
    for part in section.parts:
        console.print()
        console.print(_text(console, part.title, "bold"))
        _print_body(console, part)


def _table(console: Console, table: Table) -> RichTable:
    drawn = RichTable(box=HEAD_RULE, show_edge=False, pad_edge=False, collapse_padding=True)
    for column in table.columns:
        drawn.add_column(
            _text(console, column.title),
            justify="right" if column.numeric else "left",
            overflow="fold",
            no_wrap=not column.wraps,
        )
    for row in table.rows:
        drawn.add_row(*(_text(console, cell.text, STYLES[cell.tone]) for cell in row))
    return drawn


def _lines(console: Console, lines: tuple[Line, ...]) -> RichTable:
    drawn = RichTable.grid(padding=(0, 2, 0, 0))
    drawn.add_column(no_wrap=True)
    drawn.add_column(overflow="fold")
    for line in lines:
        text = _text(console, line.text, STYLES[line.tone])
        drawn.add_row(_text(console, line.label, "dim"), text)
    return drawn


def _text(console: Console, text: str, style: str = "") -> Text:
    return Text(printable(text, console.encoding), style=style)
