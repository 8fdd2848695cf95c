"""Whose fault it is that a content cannot be read."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from d2m.store import Cid, Corrupt, IpfsStore, LocalStore, Unreachable, content_hash
from d2m.store.fetch import Delivery, fetch_deliveries
from d2m.store.ipfs_node import Patience
from d2m.store.local import Store

LIMIT = 100
DATA = b"an update"


def fetched(store: Store, cid: bytes, content: bytes = DATA) -> Delivery:
    (found,) = fetch_deliveries(store, [(cid, content_hash(content))], limit=LIMIT)
    return found


def test_malformed_is_what_nobody_can_mend_and_absent_what_may_be_there_later(
    tmp_path: Path,
) -> None:
    store = LocalStore(tmp_path)
    cid, large = store.put(DATA), bytes(LIMIT + 1)
    assert fetched(store, cid.binary) == Delivery(DATA)
    malformed = [
        fetched(store, cid.binary, b"other"),
        fetched(store, b"no cid"),
        fetched(store, store.put(large).binary, large),
    ]
    assert all(each.data is None and each.why and not each.is_absent for each in malformed)
    store.unpin(cid)
    absent = fetched(store, cid.binary)
    assert absent.data is None
    assert absent.is_absent
    assert "ask its author" in absent.why


def test_what_the_own_store_cannot_give_is_neither(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    cid = store.put(DATA)
    store.path(cid).write_bytes(b"changed")
    with pytest.raises(Corrupt):
        fetched(store, cid.binary)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    away = IpfsStore(f"/ip4/127.0.0.1/tcp/{port}", patience=Patience(pause=0.01))
    with pytest.raises(Unreachable):
        fetched(away, cid.binary)


def test_a_folder_that_is_gone_says_nothing_of_the_author(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    cid = LocalStore(folder).put(DATA)
    gone = LocalStore(folder)
    shutil.rmtree(folder)
    with pytest.raises(Unreachable, match="is gone"):
        fetched(gone, cid.binary)


def test_contents_stay_in_order(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    contents = [bytes([index]) for index in range(20)]
    named = [(store.put(each).binary, content_hash(each)) for each in contents]
    named.insert(3, (Cid.of(b"absent").binary, content_hash(b"absent")))
    found = [each.data for each in fetch_deliveries(store, named, limit=LIMIT)]
    assert found == [*contents[:3], None, *contents[3:]]
