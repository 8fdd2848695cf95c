"""The one error of this folder."""

from __future__ import annotations


class DataError(RuntimeError):
    """Data that cannot be had or read; the message is one line with the remedy."""
