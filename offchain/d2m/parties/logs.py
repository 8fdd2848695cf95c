"""Structured logs, a JSON object a line."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import TextIO, cast

import structlog

from d2m.parties.health import DISK_ERRORS


def log_as_json(level: int = logging.INFO, output: TextIO | None = None) -> None:
    """Write structured log lines to `output`, by default standard output."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(
            file=cast(TextIO, _Lines(output or sys.stdout))
        ),
    )


class _Lines:
    """An output that a full disk does not break: a log line is lost, its writer goes on."""

    def __init__(self, output: TextIO) -> None:
        self._output = output

    def write(self, text: str) -> int:
        self._try(lambda: self._output.write(text))
        return len(text)

    def flush(self) -> None:
        self._try(self._output.flush)

    @staticmethod
    def _try(step: Callable[[], object]) -> None:
        try:
            step()
        except OSError as error:
            if error.errno not in DISK_ERRORS:
                raise
