"""Tables in Markdown, plots in SVG. The same figures give the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table; the first column is text, the others are figures."""
    return [line(header), line([":--", *["---:"] * (len(header) - 1)]), *map(line, rows)]


def line(cells: Iterable[str]) -> str:
    """A row of a table."""
    return f"| {' | '.join(cells)} |"


def write_page(path: Path, lines: Iterable[str]) -> Path:
    """Write a page, a newline after its last line."""
    path.write_text("\n".join([*lines, ""]))
    return path


def write_plot(path: Path, plot: Callable[[], Figure], font_size: int = 9) -> Path:
    """Write a figure as SVG. The file's name is the salt that would else be random."""
    settings = {"svg.hashsalt": path.name, "svg.fonttype": "none", "font.size": font_size}
    with rc_context(settings):
        plot().savefig(path, metadata={"Date": None})
    return path
