"""The root of the errors that a user can mend: each message is one line with its remedy."""

from __future__ import annotations


class UserError(Exception):
    """A user can mend this: commands show it as one line, without a traceback."""


class PartyError(UserError):
    """A request does not fit what is on the chain."""


class NotRegistered(PartyError):
    """The seat or the offer that a party serves with is not on the chain."""
