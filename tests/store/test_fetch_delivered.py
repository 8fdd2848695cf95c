"""Whose fault it is that a content cannot be read."""

from __future__ import annotations

import shutil
import socket
import threading
from pathlib import Path

import pytest

from offchain.store import Cid, Corrupt, IpfsStore, LocalStore, Unreachable, content_hash
from offchain.store.fetch import FETCHES_AT_ONCE, fetch_delivered
from offchain.store.local import Store

LIMIT = 100
DATA = b"an update"


def fetched(store: Store, cid: bytes, content: bytes = DATA) -> bytes | None:
    (found,) = fetch_delivered(store, [(cid, content_hash(content))], limit=LIMIT)
    return found


def test_what_its_author_did_not_deliver_counts_as_none(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    cid = store.put(DATA)
    assert fetched(store, cid.binary) == DATA
    assert fetched(store, cid.binary, b"other") is None
    assert fetched(store, b"no cid") is None
    large = bytes(LIMIT + 1)
    assert fetched(store, store.put(large).binary, large) is None
    store.unpin(cid)
    assert fetched(store, cid.binary) is None


def test_what_the_own_store_cannot_give_is_no_reason_to_vote_otherwise(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    cid = store.put(DATA)
    store.path(cid).write_bytes(b"changed")
    with pytest.raises(Corrupt):
        fetched(store, cid.binary)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(Unreachable):
        fetched(IpfsStore(f"/ip4/127.0.0.1/tcp/{port}"), cid.binary)


def test_a_folder_that_is_gone_says_nothing_of_the_author(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    cid = LocalStore(folder).put(DATA)
    gone = LocalStore(folder)
    shutil.rmtree(folder)
    with pytest.raises(Unreachable, match="is gone"):
        fetched(gone, cid.binary)


class Together(LocalStore):
    """Gives nothing until as many are asking as may ask at once."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._all_here = threading.Barrier(FETCHES_AT_ONCE, timeout=60)

    def get(self, cid: Cid, *, limit: int) -> bytes:
        self._all_here.wait()
        return super().get(cid, limit=limit)


def test_contents_are_asked_for_together_and_stay_in_order(tmp_path: Path) -> None:
    store = Together(tmp_path)
    contents = [bytes([index]) for index in range(2 * FETCHES_AT_ONCE)]
    named = [(store.put(each).binary, content_hash(each)) for each in contents]
    assert fetch_delivered(store, named, limit=LIMIT) == contents
