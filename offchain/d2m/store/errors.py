"""Errors of content and its identifiers."""

from __future__ import annotations

from d2m.errors import UserError


class InvalidCid(UserError, ValueError):
    """Not a CIDv1 (raw or dag-pb, sha2-256), in binary or text form."""


class StoreError(UserError):
    """Content could not be had from the store."""


class NotFound(StoreError):
    """The store does not hold this CID, and nobody that it knows gives it."""


class NotYet(StoreError):
    """The content is being read: nobody knows yet whether it can be had. Ask again."""


class TooLarge(StoreError):
    """The content is larger than the reader allows; it was not read."""


class WrongContent(StoreError):
    """The content behind a CID is not what its author was to deliver."""


class Corrupt(StoreError):
    """The store gives for a CID other content than the CID stands for."""


class Unreachable(StoreError):
    """The store's node cannot be reached."""


class Stopping(Unreachable):
    """The store's node is shutting down: what was asked of it is to be asked again."""


class TooSlow(Unreachable):
    """The store's node was reached, and did not answer in time."""


class Isolated(Unreachable):
    """The store's node has lost its peers: what it does not find, others may have."""


class Refused(StoreError):
    """The store's node answered that it cannot do what was asked."""


class Broken(Refused):
    """The store's node cannot write or read its disk: full, over quota, read-only, damaged."""


class Forbidden(Refused):
    """The store's node wants a password or token that it was not given."""


class InvalidChoice(StoreError):
    """No store was named, or two, or one that cannot be."""


MALFORMED = (TooLarge, WrongContent, InvalidCid)
"""The author's fault, alike for every reader and for good."""
ABSENT = (NotFound, NotYet)
"""Content that cannot be had now: by whose fault nobody can tell, and it may be there a second
later. The errors that are neither are of the reader's own store: a node that takes them for the
author's computes another result than the rest, and is slashed for it."""
