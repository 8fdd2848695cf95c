"""The report of a run: its facts (`Report`), what they must show, tables, page, live progress."""

from offchain.market.report.criteria import criteria
from offchain.market.report.files import save_report
from offchain.market.report.model import Report
from offchain.market.report.progress import Progress
from offchain.market.report.terminal import print_report

__all__ = ["Progress", "Report", "criteria", "print_report", "save_report"]
