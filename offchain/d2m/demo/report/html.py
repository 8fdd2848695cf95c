"""The self-contained page: the same sections as in the terminal, and the plots."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from d2m.demo.report.model import Report
from d2m.demo.report.plots import plots
from d2m.demo.report.sections import sections

TEMPLATE = "report.html.j2"


def render_html(report: Report) -> str:
    """The page as text; it loads nothing from anywhere and runs no script."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(
        report=report, sections=sections(report), plots=plots(report), safe_svg=Markup
    )
