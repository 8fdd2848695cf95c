"""The tables and lines that the terminal and the page both show: text only, no layout."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Tone: TypeAlias = Literal["plain", "good", "bad"]


@dataclass(frozen=True)
class Cell:
    """One entry; `full` is the unabridged text (an address, a digest) where there is room."""

    text: str
    tone: Tone = "plain"
    full: str = ""


@dataclass(frozen=True)
class Column:
    """A column: flush right for numbers, broken only if it wraps, on the page maybe in full."""

    title: str
    numeric: bool = False
    wraps: bool = False
    spelt_out: bool = False


@dataclass(frozen=True)
class Line:
    """A labelled line below or in place of a table."""

    label: str
    text: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Table:
    """Rows of cells under named columns."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Section:
    """A heading, an optional table, the lines below it, and subsections."""

    title: str
    table: Table | None = None
    lines: tuple[Line, ...] = ()
    parts: tuple[Section, ...] = field(default=())
