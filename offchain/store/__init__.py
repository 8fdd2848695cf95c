"""Content identifiers and the content store."""

from offchain.store.cid import Cid
from offchain.store.errors import (
    Corrupt,
    InvalidCid,
    NotFound,
    StoreError,
    TooLarge,
    WrongContent,
)
from offchain.store.fetch import content_hash, fetch_verified
from offchain.store.local import LocalStore, Store

__all__ = [
    "Cid",
    "Corrupt",
    "InvalidCid",
    "LocalStore",
    "NotFound",
    "Store",
    "StoreError",
    "TooLarge",
    "WrongContent",
    "content_hash",
    "fetch_verified",
]
