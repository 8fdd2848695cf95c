"""Content identifiers and the content store."""

from offchain.store.cid import Cid, InvalidCid
from offchain.store.fetch import WrongContent, content_hash, fetch_verified
from offchain.store.local import Corrupt, LocalStore, NotFound, Store, StoreError, TooLarge

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
