"""The report of a run: its facts (`Report`), its closing tables, its page, its live progress."""

from offchain.market.report.files import save_report
from offchain.market.report.model import Report
from offchain.market.report.progress import Progress
from offchain.market.report.terminal import print_report

__all__ = ["Progress", "Report", "print_report", "save_report"]
