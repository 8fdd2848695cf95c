"""The plots of a run as one standalone picture: `python -m d2m.demo.report.picture REPORT SVG`.

REPORT is the `report.json` that `make demo` writes. The page has the same plots in the reader's own
colours; the picture stands alone, in light colours on white.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

import click

from d2m.demo.report.drawing import BYZANTINE, FONT_SIZE, GRID, HONEST, INK, MUTED, VARIABLES
from d2m.demo.report.model import Report
from d2m.demo.report.plots import Plot, plots
from d2m.files import write_file

LIGHT = {
    INK: "#1b1f24",
    MUTED: "#59636e",
    GRID: "#d5dbe1",
    HONEST: "#0b62c4",
    BYZANTINE: "#b8430c",
}
"""Colours of the page in the light."""
FONTS = "DejaVu Sans, Verdana, Arial, Helvetica, sans-serif"
COLUMNS = 2
MARGIN, TITLE_HEIGHT = 20.0, 30.0
VIEW_BOX = re.compile(r'<svg viewBox="0 0 (\S+) (\S+)"')


def picture(report: Report) -> str:
    """The SVG, which names nothing outside itself."""
    drawn = plots(report)
    rows = [drawn[i : i + COLUMNS] for i in range(0, len(drawn), COLUMNS)]
    parts, top, width = [], MARGIN, 0.0
    for row in rows:
        placed, right, height = _row(row, top)
        parts += placed
        top, width = top + height + MARGIN, max(width, right)
    words = " ".join(plot.alt for plot in drawn)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {top:g}"'
        f' width="{width:g}" height="{top:g}" role="img" font-family="{FONTS}">\n'
        f"<title>A finished job</title>\n<desc>{escape(words)}</desc>\n"
        '<rect width="100%" height="100%" fill="#ffffff"/>\n'
    )
    return _tidy(head + "\n".join(parts) + "\n</svg>\n")


def _row(row: Sequence[Plot], top: float) -> tuple[list[str], float, float]:
    """Plots side by side with their titles, the right edge, and the height."""
    parts, left, tallest = [], MARGIN, 0.0
    for plot in row:
        found = VIEW_BOX.match(plot.svg)
        assert found is not None, "a drawing begins with its size"
        width, height = float(found[1]), float(found[2])
        parts.append(
            f'<text x="{left:g}" y="{top + TITLE_HEIGHT / 2:g}" font-size="{FONT_SIZE + 1}"'
            f' font-weight="bold" fill="{LIGHT[INK]}">{escape(plot.title)}</text>'
        )
        place = (
            f'<svg x="{left:g}" y="{top + TITLE_HEIGHT:g}" width="{width:g}" height="{height:g}"'
        )
        parts.append(plot.svg.replace("<svg", place, 1))
        left, tallest = left + width + MARGIN, max(tallest, TITLE_HEIGHT + height)
    return parts, left, tallest


def _tidy(svg: str) -> str:
    """Colours in place of the page's variables, and no space at the end of a line."""
    for stand_in, variable in VARIABLES.items():
        svg = svg.replace(variable, LIGHT[stand_in])
    return re.sub(r"[ \t]+\n", "\n", svg)


@click.command(help=__doc__)
@click.argument("report", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("svg", type=click.Path(dir_okay=False, path_type=Path))
def main(report: Path, svg: Path) -> None:
    """Entry point."""
    write_file(svg, picture(Report.from_json(report.read_text())))


if __name__ == "__main__":
    main()
