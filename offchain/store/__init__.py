"""Content identifiers and the content store."""

from offchain.store.ahead import ReadAhead
from offchain.store.choice import open_store
from offchain.store.cid import Cid
from offchain.store.errors import (
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
from offchain.store.fetch import content_hash, fetch_verified
from offchain.store.ipfs import IpfsStore
from offchain.store.ipfs_node import Patience
from offchain.store.local import LocalStore, Store

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
