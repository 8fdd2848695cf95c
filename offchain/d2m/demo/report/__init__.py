"""The report of a run: its facts (`Report`), what they must show, tables, page, live progress."""

from d2m.demo.report.criteria import criteria
from d2m.demo.report.files import save_report
from d2m.demo.report.model import Report
from d2m.demo.report.progress import Progress
from d2m.demo.report.terminal import print_report

__all__ = ["Progress", "Report", "criteria", "print_report", "save_report"]
