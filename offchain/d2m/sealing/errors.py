"""Why sealed content cannot be read, in one line each."""

from __future__ import annotations

from d2m.errors import UserError


class SealError(UserError):
    """Sealed content that cannot be read."""


class Unreadable(SealError):
    """The content itself is at fault: nobody can read it where it stands."""


class NotSealed(Unreadable):
    """Bytes that are no sealed content of this kind."""


class OtherRequest(Unreadable):
    """Content, or a key ring, that was sealed for another request."""


class WrongKey(Unreadable):
    """A key that is not the one the content was sealed with."""


class Tampered(Unreadable):
    """Content that was altered after sealing, or moved to where it was not sealed for."""


class NoKey(SealError):
    """The account has no key to the job, or not yet."""
