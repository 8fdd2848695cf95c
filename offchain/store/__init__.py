"""Content identifiers and the content store."""

from offchain.store.choice import open_store
from offchain.store.cid import Cid
from offchain.store.errors import (
    Corrupt,
    InvalidChoice,
    InvalidCid,
    NotFound,
    Refused,
    StoreError,
    TooLarge,
    TooSlow,
    Unreachable,
    WrongContent,
)
from offchain.store.fetch import content_hash, fetch_verified
from offchain.store.ipfs import IpfsStore
from offchain.store.local import LocalStore, Store

__all__ = [
    "Cid",
    "Corrupt",
    "InvalidChoice",
    "InvalidCid",
    "IpfsStore",
    "LocalStore",
    "NotFound",
    "Refused",
    "Store",
    "StoreError",
    "TooLarge",
    "TooSlow",
    "Unreachable",
    "WrongContent",
    "content_hash",
    "fetch_verified",
    "open_store",
]
