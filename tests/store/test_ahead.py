"""Reading in the background: who asks never waits, whatever the others do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from d2m.store import Cid, NotFound, NotYet, ReadAhead, Unreachable, WrongContent
from d2m.store.ahead import AT_ONCE

JOB, OTHER_JOB = "d2m/m/1/1", "d2m/m/2/1"


class Peers:
    """A store whose node has nothing until peers give it; each content is a question of its own."""

    def __init__(self) -> None:
        self.here: dict[Cid, bytes] = {}
        self.given: dict[Cid, Callable[[], bytes]] = {}
        self.asked: list[Cid] = []
        self.let_go = threading.Event()

    def put(self, data: bytes, *, name: str = "d2m") -> Cid:
        self.here[Cid.of(data)] = data
        return Cid.of(data)

    def get(self, cid: Cid, *, limit: int, name: str = "d2m") -> bytes:
        self.asked.append(cid)
        self.here[cid] = self.given[cid]() if cid in self.given else self._wait(cid)
        return self.here[cid]

    def kept(self, cid: Cid, *, limit: int, name: str = "d2m") -> bytes:
        if cid not in self.here:
            raise NotFound("not here")
        return self.here[cid]

    def named(self, prefix: str) -> dict[Cid, str]:
        return {}

    def unpin(self, cid: Cid) -> None:
        self.here.pop(cid, None)

    def _wait(self, cid: Cid) -> bytes:
        self.let_go.wait()
        raise NotFound(f"nobody gave {cid}")


def ask(store: ReadAhead, cid: Cid, name: str = JOB) -> bytes:
    return store.get(cid, limit=99, name=name)


def until(holds: Callable[[], object]) -> None:
    for _look in range(6000):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("waited in vain")


def fail(error: Exception) -> Callable[[], bytes]:
    def give() -> bytes:
        raise error

    return give


def test_what_is_here_is_had_at_once_and_the_rest_once_it_has_come() -> None:
    peers, cid = Peers(), Cid.of(b"an update")
    store = ReadAhead(peers, lambda: 7)
    own = store.put(b"own")
    assert ask(store, own) == b"own"
    assert not store.has_news()
    may_come = threading.Event()
    peers.given[cid] = lambda: b"an update" if may_come.wait(60) else b""
    with pytest.raises(NotYet, match="is being read"):
        ask(store, cid)
    may_come.set()
    until(store.has_news)
    assert not store.has_news(), "once"
    assert ask(store, cid) == b"an update"
    assert peers.asked == [cid]
    assert (store.arrival(cid.binary), store.arrival(own.binary)) == (7, 0)
    assert store.arrival(b"no cid") == 0


def test_what_went_wrong_is_said_and_tried_again() -> None:
    peers, cid = Peers(), Cid.of(b"x")
    store = ReadAhead(peers)
    for error in (NotFound("nobody gave it"), Unreachable("the node is away"), OSError("odd")):
        peers.given[cid] = fail(error)
        until(lambda: said(store, cid, str(error)))  # noqa: B023
    peers.given[cid] = lambda: b"x"
    until(lambda: said(store, cid, ""))
    assert ask(store, cid) == b"x"


def said(store: ReadAhead, cid: Cid, what: str) -> bool:
    try:
        ask(store, cid)
    except Exception as error:
        return bool(what) and what in str(error)
    return not what


def test_what_is_malformed_is_not_asked_for_again() -> None:
    peers, cid = Peers(), Cid.of(b"x")
    store = ReadAhead(peers)
    peers.given[cid] = fail(WrongContent("laid out in another way"))
    until(lambda: said(store, cid, "another way"))
    for _time in range(3):
        with pytest.raises(WrongContent):
            ask(store, cid)
    assert peers.asked == [cid]


def test_a_job_never_waits_for_the_content_of_another() -> None:
    """A stranger's job has more absent contents than are read together."""
    peers = Peers()
    store = ReadAhead(peers)
    absent = [Cid.of(b"absent %d" % number) for number in range(3 * AT_ONCE)]
    for cid in absent:
        with pytest.raises(NotYet):
            ask(store, cid)
    until(lambda: len(peers.asked) == AT_ONCE)
    cid = Cid.of(b"of the other job")
    peers.given[cid] = lambda: b"of the other job"
    with pytest.raises(NotYet):
        ask(store, cid, OTHER_JOB)
    until(lambda: cid in peers.here)
    assert ask(store, cid, OTHER_JOB) == b"of the other job"
    peers.let_go.set()


def test_what_is_prepared_is_read_once_though_asked_for_at_every_look() -> None:
    peers, cid = Peers(), Cid.of(b"x")
    store = ReadAhead(peers)
    peers.given[cid] = lambda: b"x"
    for _look in range(3):
        store.prepare(cid, limit=99, name=JOB)
        until(lambda: cid in peers.here)
    assert peers.asked == [cid]


def test_what_another_party_brought_to_the_same_store_came_when_it_was_found() -> None:
    peers = Peers()
    cid, store = Cid.of(b"x"), ReadAhead(peers, lambda: 7)
    peers.given[cid] = fail(NotFound("nobody gave it"))
    until(lambda: said(store, cid, "nobody gave it"))
    peers.put(b"x")
    until(lambda: said(store, cid, ""))
    assert store.arrival(cid.binary) == 7


def test_what_was_here_before_it_was_asked_for_came_in_time() -> None:
    """As after a restart: when it came nobody knows."""
    peers = Peers()
    cid = peers.put(b"kept")
    store = ReadAhead(peers, lambda: 7)
    store.prepare(cid, limit=99, name=JOB)
    until(store.has_news)
    assert store.arrival(cid.binary) == 0
