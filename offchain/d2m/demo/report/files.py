"""The files that a run leaves behind."""

from __future__ import annotations

from pathlib import Path

from d2m.demo.report.html import render_html
from d2m.demo.report.model import Report
from d2m.files import write_file

JSON_NAME = "report.json"
PAGE_NAME = "report.html"


def save_report(report: Report, folder: Path) -> None:
    """Write `report.json` and `report.html` into `folder`, which is made if need be."""
    write_file(folder / JSON_NAME, report.to_json())
    write_file(folder / PAGE_NAME, render_html(report))
