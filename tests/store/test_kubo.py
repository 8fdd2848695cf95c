"""The store on real Kubo nodes as their owners run them: configured, full, killed, shut away."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from d2m.clients.kubo import Kubo, kubo_swarm, make_swarm_key, running
from d2m.store import (
    Broken,
    Cid,
    Corrupt,
    Forbidden,
    IpfsStore,
    Isolated,
    NotFound,
    Unreachable,
    WrongContent,
)
from d2m.store.ipfs import ADD_OPTIONS
from d2m.store.ipfs_node import Patience
from d2m.store.unixfs import CHUNK_BYTES, LINKS_PER_NODE, blocks_of
from tests.store.make_cid_vectors import content
from tests.support.kubo import SHORT, store_on

pytestmark = pytest.mark.ipfs

ABOVE_ONE_LEVEL = LINKS_PER_NODE * CHUNK_BYTES + 1
"""45.6 MB: from here on the number of links decides the CID."""


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Kubo]]:
    with kubo_swarm(tmp_path_factory.mktemp("ipfs")) as nodes:
        yield nodes


@contextmanager
def alone(folder: Path, **settings: Any) -> Iterator[Kubo]:
    """One node with its owner's settings."""
    node = Kubo(folder / "node", make_swarm_key(), config=settings)
    with running([node]):
        yield node


def put_block(node: Kubo, data: bytes, kind: str) -> None:
    assert node.ask("block/put", data, **{"cid-codec": kind}).ok


# --- what an owner may have set


def apply_profile(node: Kubo) -> None:
    node.command("config", "profile", "apply", "unixfs-v1-2025")


@pytest.mark.parametrize(
    "settings",
    [
        {"Import.UnixFSFileMaxLinks": 1024},
        {"Import.UnixFSDAGLayout": "trickle"},
        {"Import.UnixFSChunker": "size-1048576", "Import.HashFunction": "blake2b-256"},
        {"Import.CidVersion": 0, "Import.UnixFSRawLeaves": False},
        None,
    ],
    ids=["links", "trickle", "chunks and hash", "CIDv0", "profile unixfs-v1-2025"],
)
def test_cids_do_not_depend_on_how_a_node_is_configured(
    tmp_path: Path, settings: dict[str, Any] | None
) -> None:
    node = Kubo(tmp_path / "node", make_swarm_key(), config=settings or {})
    if settings is None:
        apply_profile(node)
    with running([node]):
        for size in (0, 1000, CHUNK_BYTES + 1, 10**6, ABOVE_ONE_LEVEL):
            data = content(size)
            assert store_on(node).put(data) == Cid.of(data)


@pytest.mark.parametrize("kind", ["basic:anna:s3cret", "bearer:s3cret"])
def test_a_node_behind_a_password_or_token(tmp_path: Path, kind: str) -> None:
    rule = {"anna": {"AuthSecret": kind, "AllowedPaths": ["/api/v0"]}}
    with alone(tmp_path, **{"API.Authorizations": rule}) as node:
        with pytest.raises(Forbidden, match="give --ipfs https://USER:PASSWORD@HOST"):
            store_on(node).put(b"weights")
        secret = kind.partition(":")[2]
        store = IpfsStore(f"http://{secret}@{node.host}:{node.rpc_port}", patience=SHORT)
        assert store.get(store.put(b"weights"), limit=7) == b"weights"


# --- pins


def test_pins_bear_the_name_of_what_they_are_for(swarm: list[Kubo]) -> None:
    one, other = map(store_on, swarm[:2])
    cid = one.put(content(2000), name="d2m/m/1/2")
    other.get(cid, limit=2000, name="d2m/m/1/2")
    for node in swarm[:2]:
        assert node.pins()[str(cid)] == "d2m/m/1/2"
    assert one.named("d2m/m/1/") == {cid: "d2m/m/1/2"}
    assert one.named("d2m/m/2/") == {}
    one.unpin(cid)
    assert one.named("d2m/m/") == {}


@pytest.mark.parametrize("name", ["", "my own", "d2m-backup"])
def test_an_owners_pin_stays_under_its_name(swarm: list[Kubo], name: str) -> None:
    """Whatever the market puts, reads and unpins."""
    node, data = swarm[0], content(3000) + name.encode()
    cid, store = Cid.of(data), store_on(swarm[0])
    named = {"pin-name": name} if name else {}
    assert node.ask("add", data, **{"cid-version": "1", "raw-leaves": "true"}, **named).ok
    store.put(data, name="d2m/m/1/1")
    store.get(cid, limit=len(data), name="d2m/m/1/1")
    store.unpin(cid)
    assert node.pins()[str(cid)] == name


def test_content_put_under_another_cid_is_not_kept(
    swarm: list[Kubo], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a node that does not heed an option."""
    monkeypatch.setitem(ADD_OPTIONS, "chunker", "size-1000")
    before = swarm[0].pins()
    with pytest.raises(Corrupt, match="to content whose CID is"):
        store_on(swarm[0]).put(content(5000))
    assert swarm[0].pins() == before


def test_garbage_collection_takes_what_was_unpinned_and_nothing_else(swarm: list[Kubo]) -> None:
    one, other = map(store_on, swarm[:2])
    kept, dropped = content(10**6 + 1), content(10**6 + 2)
    cids = [one.put(each, name="d2m/m/1/1") for each in (kept, dropped)]
    for cid in cids:
        other.get(cid, limit=2 * 10**6, name="d2m/m/1/1")
    one.unpin(cids[1])
    assert swarm[0].ask("repo/gc").ok
    assert swarm[1].ask("repo/gc").ok
    assert one.kept(cids[0], limit=2 * 10**6) == kept
    with pytest.raises(NotFound):
        one.kept(cids[1], limit=2 * 10**6)
    assert one.get(cids[1], limit=2 * 10**6) == dropped, "the other one has it"


# --- what peers give, and when


def test_a_tree_whose_leaf_is_missing_is_absent_content(swarm: list[Kubo]) -> None:
    *leaves, root = blocks_of(content(3 * CHUNK_BYTES + 8))
    author = swarm[0]
    for leaf in leaves[:-1]:
        put_block(author, leaf.data, "raw")
    put_block(author, root.data, "dag-pb")
    with pytest.raises(NotFound, match=f"{leaves[-1].cid} is missing"):
        store_on(swarm[1]).get(root.cid, limit=10**6)


def test_leaves_given_one_by_one_have_one_deadline_together(swarm: list[Kubo]) -> None:
    """Each of them comes well within the time that the whole content has."""
    data = content(60 * CHUNK_BYTES + 9)
    *leaves, root = blocks_of(data)
    author, is_over, given = swarm[0], threading.Event(), 0

    def trickle() -> None:
        nonlocal given
        for leaf in leaves:
            if is_over.wait(1.0):
                return
            put_block(author, leaf.data, "raw")
            given += 1

    put_block(author, root.data, "dag-pb")
    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        with pytest.raises(NotFound, match="nobody gave all of"):
            store_on(swarm[1], Patience(find=3.0, slowest=1e7)).get(root.cid, limit=len(data))
        assert given < len(leaves) // 2
    finally:
        is_over.set()
        thread.join()


def test_a_tree_is_refused_unseen_where_one_block_is_due(swarm: list[Kubo]) -> None:
    """Nobody has it: whoever asked for it would wait."""
    *_leaves, root = blocks_of(content(CHUNK_BYTES + 10))
    for read in (store_on(swarm[0]).get, store_on(swarm[0]).kept):
        with pytest.raises(WrongContent, match="fits into one"):
            read(root.cid, limit=CHUNK_BYTES)


def test_what_is_not_here_is_told_at_once_and_nobody_asked(swarm: list[Kubo]) -> None:
    cid = store_on(swarm[0]).put(content(4000))
    with pytest.raises(NotFound):
        store_on(swarm[1]).kept(cid, limit=4000)
    assert not swarm[1].holds(cid)


def test_connections_are_renewed_once_for_what_is_not_found_and_all_come_back(
    swarm: list[Kubo],
) -> None:
    node, store = swarm[1], store_on(swarm[1], Patience(find=4.0, deaf=0.5))
    before = node.peers()
    for number in range(3):
        with pytest.raises(NotFound):
            store.get(Cid.of(b"nobody has %d" % number), limit=99)
        assert node.peers() == before
    assert store.get(store_on(swarm[0]).put(content(4500)), limit=4500) == content(4500)


def test_what_a_deaf_connection_holds_back_comes_over_a_new_one(tmp_path: Path) -> None:
    """Nodes that find each other as they start (mDNS): Bitswap now and then misses a peer."""
    key, found = make_swarm_key(), {"Discovery.MDNS.Enabled": True}
    nodes = [Kubo(tmp_path / str(number), key, config=found) for number in range(3)]
    with ThreadPoolExecutor(len(nodes)) as pool:  # a daemon ends with the thread that started it
        for start in range(20):
            try:
                list(pool.map(Kubo.start, nodes))
                for author, reader in permutations(nodes, 2):
                    data = content(4600 + start) + reader.repository.name.encode()
                    cid = store_on(author).put(data)
                    wait_until(lambda a=author, r=reader: a.peer_id in r.peers())
                    if not reader.ask("block/get", arg=str(cid), timeout="1s").ok:
                        store = store_on(reader, Patience(find=20.0, deaf=0.5))
                        assert store.get(cid, limit=len(data)) == data
                        return
            finally:
                for node in nodes:
                    node.stop()
    pytest.skip("this Kubo hears every peer that comes")


def test_content_passes_through_who_has_it_where_its_author_cannot_be_reached(
    tmp_path: Path,
) -> None:
    """Three nodes in a row: the first never meets the last."""
    with kubo_swarm(tmp_path, peered=False) as [first, middle, last]:
        middle.connect(first)
        middle.connect(last)
        data = content(10**6 + 3)
        cid = store_on(first).put(data)
        with pytest.raises(NotFound):
            store_on(last).get(cid, limit=len(data))
        assert store_on(middle).get(cid, limit=len(data)) == data
        assert store_on(last).get(cid, limit=len(data)) == data
        first.kill()
        assert store_on(last).get(cid, limit=len(data)) == data


def test_a_node_that_all_peers_left_is_isolated(tmp_path: Path) -> None:
    with kubo_swarm(tmp_path) as [node, *others]:
        for other in others:
            other.kill()
        with pytest.raises(Isolated, match=r"has no peer: .*Peering\.Peers"):
            store_on(node).get(Cid.of(b"of the others"), limit=99)


# --- nodes that end, and come back


def test_a_node_that_was_killed_is_used_again(tmp_path: Path) -> None:
    with alone(tmp_path) as node:
        store = store_on(node)
        cid = store.put(content(10**6), name="d2m/m/1/1")
        node.kill()
        with pytest.raises(Unreachable, match="cannot be reached: start it"):
            store.get(cid, limit=10**6)
        node.start()
        assert store.kept(cid, limit=10**6) == content(10**6)
        assert store.named("d2m/") == {cid: "d2m/m/1/1"}


def test_content_comes_whole_from_a_node_killed_while_it_gives_it(tmp_path: Path) -> None:
    with kubo_swarm(tmp_path, 2) as [author, reader]:
        data = content(60 * 10**6)
        cid, found = store_on(author).put(data), []
        patience = Patience(find=60.0)
        read = threading.Thread(
            target=lambda: found.append(store_on(reader, patience).get(cid, limit=len(data)))
        )
        read.start()
        wait_until(lambda: reader.holds(cid))
        author.kill()
        author.start()
        author.connect(reader)
        read.join()
        assert found == [data]


def test_shutting_down_while_content_is_added_is_outlived(tmp_path: Path) -> None:
    """`ipfs shutdown`, and a supervisor that starts the node again."""
    with alone(tmp_path) as node:
        data, put = content(200 * 10**6), list[Cid]()
        adding = threading.Thread(
            target=lambda: put.append(store_on(node, Patience(pause=2.0)).put(data))
        )
        adding.start()
        time.sleep(0.3)
        assert not put, "it was too fast to be met in the middle: make the content larger"
        node.ask("shutdown")
        assert node.process is not None
        node.process.wait()
        node.start()
        adding.join()
        assert put == [Cid.of(data)]


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    folder.mkdir()
    size = f"size={megabytes}m"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)])
    if done.returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_the_nodes_fault_and_over_once_there_is_space(
    tmp_path: Path,
) -> None:
    with (
        small_disk(tmp_path / "disk", 24) as disk,
        kubo_swarm(tmp_path / "others", 1) as [author],
    ):
        node = Kubo(disk / "node", author.swarm_key)
        with running([node]):
            node.connect(author)
            ballast = disk / "ballast"
            ballast.write_bytes(bytes(os.statvfs(disk).f_bavail * 4096 - (2 << 20)))
            data = content(8 * 10**6)
            store, cid = store_on(node), store_on(author).put(data)
            with pytest.raises(Broken, match="no space left on device"):
                store.put(data)
            with pytest.raises(Broken, match="no space left on device"):
                store.get(cid, limit=len(data))
            ballast.unlink()
            assert store.get(cid, limit=len(data)) == data
            assert store.put(data) == cid


def wait_until(holds: Any) -> None:
    for _look in range(2400):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("waited in vain")
