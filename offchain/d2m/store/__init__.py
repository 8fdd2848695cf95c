"""Content identifiers and the content store."""

from d2m.store.ahead import ReadAhead
from d2m.store.choice import open_store
from d2m.store.cid import Cid
from d2m.store.errors import (
    Broken,
    Corrupt,
    Forbidden,
    InvalidChoice,
    InvalidCid,
    Isolated,
    NotFound,
    NotYet,
    Refused,
    StoreError,
    TooLarge,
    TooSlow,
    Unreachable,
    WrongContent,
)
from d2m.store.fetch import content_hash, fetch_verified
from d2m.store.ipfs import IpfsStore
from d2m.store.ipfs_node import Patience
from d2m.store.local import LocalStore, Store

__all__ = [
    "Broken",
    "Cid",
    "Corrupt",
    "Forbidden",
    "InvalidChoice",
    "InvalidCid",
    "IpfsStore",
    "Isolated",
    "LocalStore",
    "NotFound",
    "NotYet",
    "Patience",
    "ReadAhead",
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
