from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from d2m.store import (
    Cid,
    Corrupt,
    LocalStore,
    NotFound,
    TooLarge,
    WrongContent,
    content_hash,
    fetch_verified,
)
from tests.store.make_cid_vectors import CHUNK, content

PROJECT = Path(__file__).parents[2]
CONTENTS = [content(size) for size in (0, 1, 5_000, CHUNK, CHUNK + 1, 3 * CHUNK)]

PUT_ALL = """
import sys
from pathlib import Path
from d2m.store import LocalStore
from make_cid_vectors import CHUNK, content
contents = [content(size) for size in (0, 1, 5_000, CHUNK, CHUNK + 1, 3 * CHUNK)]
store = LocalStore(Path(sys.argv[1]))
for turn in range(20):
    for data in contents:
        store.put(data)
        if turn % 2:
            store.path(store.put(data)).unlink(missing_ok=True)
            store.put(data)
"""
DIE_WITHIN_PUT = """
import os, signal, sys
from pathlib import Path
from d2m.store import LocalStore
setattr(os, sys.argv[2], lambda *_: os.kill(os.getpid(), signal.SIGKILL))
LocalStore(Path(sys.argv[1])).put(b"x" * 100_000)
"""


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def start(program: str, *arguments: str) -> subprocess.Popen[bytes]:
    path = os.pathsep.join([str(PROJECT / "offchain"), str(Path(__file__).parent)])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.Popen([sys.executable, "-c", program, *arguments], env=environment)


def names(store: LocalStore) -> Sequence[str]:
    return sorted(path.name for path in store.path(Cid.of(b"")).parent.iterdir())


@pytest.mark.parametrize("data", CONTENTS, ids=len)
def test_what_was_put_is_had_under_its_cid(store: LocalStore, data: bytes) -> None:
    cid = store.put(data)
    assert cid == Cid.of(data)
    assert store.get(cid, limit=len(data)) == data


def test_putting_again_changes_nothing(store: LocalStore) -> None:
    cid = store.put(b"weights")
    written = store.path(cid).stat()
    assert store.put(b"weights") == cid
    found = store.path(cid).stat()
    assert (found.st_ino, found.st_mtime_ns) == (written.st_ino, written.st_mtime_ns)
    assert names(store) == [str(cid)]


def test_another_store_on_the_folder_sees_it(tmp_path: Path) -> None:
    cid = LocalStore(tmp_path).put(b"weights")
    assert LocalStore(tmp_path).get(cid, limit=100) == b"weights"


def test_absent_content(store: LocalStore) -> None:
    with pytest.raises(NotFound, match=str(Cid.of(b"x"))):
        store.get(Cid.of(b"x"), limit=1)


def test_too_large_content_is_not_read(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The size is that of the file, before its content is looked at."""
    cid = store.put(b"12345")
    assert store.get(cid, limit=5) == b"12345"
    store.path(cid).write_bytes(b"")
    os.truncate(store.path(cid), 10**13)  # sparse: takes no space, would not fit into memory
    with pytest.raises(TooLarge, match="10000000000000 bytes, allowed are 5"):
        store.get(cid, limit=5)


@pytest.mark.parametrize("changed", [b"", b"12346", b"1234", b"123456"])
def test_tampered_content_is_refused_and_can_be_repaired(store: LocalStore, changed: bytes) -> None:
    cid = store.put(b"12345")
    store.path(cid).write_bytes(changed)
    with pytest.raises(Corrupt, match="put the content again"):
        store.get(cid, limit=100)
    store.put(b"12345")
    assert store.get(cid, limit=100) == b"12345"


def test_many_processes_share_a_folder(store: LocalStore, tmp_path: Path) -> None:
    """A reader meets whole content or none, while writers write and remove."""
    writers = [start(PUT_ALL, str(tmp_path / "store")) for _ in range(3)]
    met = 0
    while any(writer.poll() is None for writer in writers):
        for data in CONTENTS:
            try:
                met += store.get(Cid.of(data), limit=len(data)) == data
            except NotFound:
                continue
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert met > 0
    assert names(store) == sorted(str(Cid.of(data)) for data in CONTENTS)


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_killed_writer_leaves_no_half_content(
    store: LocalStore, tmp_path: Path, moment: str
) -> None:
    data = b"x" * 100_000
    assert start(DIE_WITHIN_PUT, str(tmp_path / "store"), moment).wait() < 0
    with pytest.raises(NotFound):
        store.get(Cid.of(data), limit=len(data))
    [abandoned] = (tmp_path / "store").iterdir()
    os.utime(abandoned, (0, 0))
    again = LocalStore(tmp_path / "store")
    assert names(again) == []
    assert again.get(again.put(data), limit=len(data)) == data


def test_opening_leaves_a_write_under_way_alone(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "store" / ".writing-1").touch()
    LocalStore(tmp_path / "store")
    assert names(store) == [".writing-1"]


def test_a_failed_write_leaves_nothing(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        store.put(b"weights")
    assert names(store) == []


def test_fetch_checks_the_hash_on_chain(store: LocalStore) -> None:
    cid = store.put(b"weights")
    assert fetch_verified(store, cid, content_hash(b"weights"), limit=7) == b"weights"
    with pytest.raises(WrongContent, match="not delivered"):
        fetch_verified(store, cid, content_hash(b"other"), limit=7)
    with pytest.raises(TooLarge):
        fetch_verified(store, cid, content_hash(b"weights"), limit=6)


def test_the_content_hash_is_the_chain_s_keccak() -> None:
    expected = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert content_hash(b"").hex() == expected


def test_unpinned_content_is_gone(store: LocalStore) -> None:
    cid = store.put(b"weights")
    store.unpin(cid)
    assert names(store) == []
    store.unpin(cid)
