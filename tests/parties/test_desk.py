"""Whose fault it is that an update cannot be read."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from offchain.parties.desk import FETCHES_AT_ONCE, Desk
from offchain.parties.ledger import PostedUpdate
from offchain.store import Cid, Corrupt, IpfsStore, LocalStore, Unreachable, content_hash
from tests.parties.world import small_spec

NO_LEDGER: Any = None
DATA = b"an update"


def test_what_its_seller_did_not_deliver_counts_as_empty(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    desk, cid, spec = Desk(NO_LEDGER, store), store.put(DATA), small_spec()
    assert desk._update(PostedUpdate(content_hash(DATA), cid.binary), spec) == DATA
    assert desk._update(PostedUpdate(content_hash(b"other"), cid.binary), spec) == b""
    assert desk._update(PostedUpdate(content_hash(DATA), b"no cid"), spec) == b""
    store.unpin(cid)
    assert desk._update(PostedUpdate(content_hash(DATA), cid.binary), spec) == b""


def test_what_the_own_store_cannot_give_is_no_reason_to_vote_otherwise(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    cid, spec = store.put(DATA), small_spec()
    posted = PostedUpdate(content_hash(DATA), cid.binary)
    store.path(cid).write_bytes(b"changed")
    with pytest.raises(Corrupt):
        Desk(NO_LEDGER, store)._update(posted, spec)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(Unreachable):
        Desk(NO_LEDGER, IpfsStore(f"/ip4/127.0.0.1/tcp/{port}"))._update(posted, spec)


class Together(LocalStore):
    """Gives nothing until as many are asking as may ask at once."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._all_here = threading.Barrier(FETCHES_AT_ONCE, timeout=60)

    def get(self, cid: Cid, *, limit: int) -> bytes:
        self._all_here.wait()
        return super().get(cid, limit=limit)


def test_updates_are_asked_for_together_and_stay_in_order(tmp_path: Path) -> None:
    store = Together(tmp_path)
    updates = {index: bytes([index]) for index in range(2 * FETCHES_AT_ONCE)}
    posted = {
        index: PostedUpdate(content_hash(data), store.put(data).binary)
        for index, data in updates.items()
    }
    assert Desk(NO_LEDGER, store)._updates(posted, small_spec()) == updates
