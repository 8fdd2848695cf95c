"""Errors of a private seller, in one line with their remedy."""

from __future__ import annotations

from d2m.errors import UserError


class PrivacyError(UserError):
    """The choice of privacy does not fit itself or the data."""


class BudgetSpent(PrivacyError):
    """The round would take the seller past its budget: nothing of it was released."""


class LedgerError(PrivacyError):
    """The record of what was spent cannot be read or written: nothing may be released."""
