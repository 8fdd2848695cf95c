"""What can go wrong with content and its identifiers."""

from __future__ import annotations


class InvalidCid(ValueError):
    """Not a CIDv1 (raw or dag-pb, sha2-256), in binary or text form."""


class StoreError(Exception):
    """Content could not be had from the store."""


class NotFound(StoreError):
    """The store does not hold this CID."""


class TooLarge(StoreError):
    """The content is larger than the reader allows; it was not read."""


class Corrupt(StoreError):
    """What the store holds under this CID is not the content the CID stands for."""


class WrongContent(StoreError):
    """The content behind a CID is not what the hash on chain stands for."""
