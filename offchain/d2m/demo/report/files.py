"""The files that a run leaves behind."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from d2m.demo.report.html import render_html
from d2m.demo.report.model import Report

JSON_NAME = "report.json"
PAGE_NAME = "report.html"
READABLE_BY_ALL = 0o644


def save_report(report: Report, folder: Path) -> None:
    """Write `report.json` and `report.html` into `folder`, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / JSON_NAME, report.to_json())
    write_atomically(folder / PAGE_NAME, render_html(report))


def write_atomically(path: Path, text: str) -> None:
    """Write UTF-8 text so that a reader sees the old file or the whole new one, never a part."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.chmod(temporary, READABLE_BY_ALL)  # mkstemp makes it readable by its owner only
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
