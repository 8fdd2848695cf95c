"""The one error of this folder."""

from __future__ import annotations

from d2m.errors import UserError


class DataError(UserError, RuntimeError):
    """Data that cannot be had or read; the message is one line with the remedy."""
