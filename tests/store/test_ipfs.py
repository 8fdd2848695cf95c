"""The IPFS store on real nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from offchain.store import (
    Cid,
    IpfsStore,
    NotFound,
    TooLarge,
    Unreachable,
    WrongContent,
    content_hash,
    fetch_verified,
)
from offchain.store.ipfs import Patience
from offchain.store.unixfs import CHUNK_BYTES, _field, _number, blocks_of
from tests.store.make_cid_vectors import content
from tests.store.nodes import DevNode, ipfs_node

pytestmark = pytest.mark.ipfs

SIZES = (0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 10**6, 60 * 10**6)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevNode]:
    with ipfs_node(tmp_path_factory.mktemp("ipfs") / "repository") as node:
        yield node


@pytest.fixture(scope="module")
def store(node: DevNode) -> IpfsStore:
    return node.store()


def put_block(node: DevNode, data: bytes) -> Cid:
    """A block as its author likes it."""
    return Cid.parse(node.ask("block/put", data, format="dag-pb", version="1").json()["Key"])


def tree(links: list[tuple[Cid, int]]) -> bytes:
    """A dag-pb node that says of each child how much content it holds."""
    children = b"".join(
        _field(2, _field(1, cid.binary) + _field(2, b"") + _number(3, size)) for cid, size in links
    )
    sizes = b"".join(_number(4, size) for _cid, size in links)
    total = sum(size for _cid, size in links)
    return children + _field(1, _number(1, 2) + _number(3, total) + sizes)


@pytest.mark.parametrize("size", SIZES)
def test_what_was_put_is_pinned_and_had_under_its_own_cid(
    node: DevNode, store: IpfsStore, size: int
) -> None:
    data = content(size)
    cid = store.put(data)
    assert cid == Cid.of(data)
    assert node.is_pinned(cid)
    assert store.get(cid, limit=size) == data
    store.unpin(cid)
    assert not node.is_pinned(cid)
    store.unpin(cid)


def test_putting_again_changes_nothing(node: DevNode, store: IpfsStore) -> None:
    assert store.put(b"weights") == store.put(b"weights")
    assert node.is_pinned(Cid.of(b"weights"))


def test_what_was_unpinned_is_pinned_by_who_fetches_it(node: DevNode, store: IpfsStore) -> None:
    cid = store.put(b"unpinned")
    store.unpin(cid)
    assert store.get(cid, limit=8) == b"unpinned"
    assert node.is_pinned(cid)


def test_absent_content(store: IpfsStore) -> None:
    with pytest.raises(NotFound, match=r"within 2 s: ask its author"):
        store.get(Cid.of(b"absent"), limit=6)


@pytest.mark.parametrize("size", [11, CHUNK_BYTES + 1])
def test_too_large_content_is_refused_by_its_size(store: IpfsStore, size: int) -> None:
    cid = store.put(content(size))
    with pytest.raises(TooLarge, match=f"{size} bytes, allowed are {size - 1}"):
        store.get(cid, limit=size - 1)


def test_ten_gigabytes_announced(node: DevNode, store: IpfsStore) -> None:
    """By a root that anybody can make, without the leaves."""
    leaf = Cid.of(b"never pinned")
    root = put_block(node, tree([(leaf, 10**10)]))
    with pytest.raises(TooLarge, match="10000000000 bytes, allowed are 1000000"):
        store.get(root, limit=10**6)


@pytest.mark.parametrize("announced", [0, 1, 5])
def test_a_root_that_announces_less_than_it_links(
    node: DevNode, store: IpfsStore, announced: int
) -> None:
    leaf = store.put(content(CHUNK_BYTES))
    root = put_block(node, tree([(leaf, announced)] * 3))
    with pytest.raises((TooLarge, WrongContent)):
        store.get(root, limit=2 * CHUNK_BYTES)


def test_content_laid_out_in_another_way_is_its_author_s_fault(
    node: DevNode, store: IpfsStore
) -> None:
    options = {"cid-version": "1", "raw-leaves": "true", "chunker": "size-1000"}
    cid = Cid.parse(node.ask("add", content(5000), **options).json()["Hash"])
    with pytest.raises(WrongContent, match="treat it as not delivered"):
        store.get(cid, limit=5000)


@pytest.mark.parametrize(
    "block",
    [
        b"",  # an empty node
        b"rubbish",
        b"\x12\x05short",  # no link
        _field(1, _number(1, 1)),  # a directory
        _field(1, _number(1, 4)),  # a symbolic link
        _field(2, _field(1, bytes(36))),  # a link with another kind of hash
        bytes(CHUNK_BYTES + 1),
    ],
    ids=["empty", "rubbish", "short", "directory", "symlink", "other hash", "large"],
)
def test_what_is_no_file_is_its_author_s_fault(
    node: DevNode, store: IpfsStore, block: bytes
) -> None:
    root = put_block(node, block)
    with pytest.raises(WrongContent, match=r"treat it as not delivered|larger block"):
        store.get(root, limit=10**6)


def test_a_tree_without_end_is_given_up(node: DevNode, store: IpfsStore) -> None:
    """Thirty levels, each linking the one below twice: a billion empty leaves."""
    child = store.put(b"")
    for _level in range(30):
        child = put_block(node, tree([(child, 0), (child, 0)]))
    impatient = node.store(Patience(silence=1.0, find=1.0))
    with pytest.raises(WrongContent, match="more blocks than content"):
        impatient.get(child, limit=10**6)


def test_a_missing_leaf_is_absent_content(node: DevNode) -> None:
    *_leaves, root = blocks_of(content(2 * CHUNK_BYTES + 7))
    assert put_block(node, root.data) == root.cid
    impatient = node.store(Patience(silence=1.5, find=1.0))
    with pytest.raises(NotFound):
        impatient.get(root.cid, limit=10**6)


def test_the_hash_on_chain_decides(store: IpfsStore) -> None:
    cid = store.put(b"weights")
    assert fetch_verified(store, cid, content_hash(b"weights"), limit=7) == b"weights"
    with pytest.raises(WrongContent, match="not delivered"):
        fetch_verified(store, cid, content_hash(b"other"), limit=7)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], DevNode]]:
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(ipfs_node(tmp_path / name))


def test_two_nodes_give_each_other_what_they_keep(start: Callable[[str], DevNode]) -> None:
    """What the second one fetched it keeps when the first one is gone."""
    first, second = start("first"), start("second")
    data, small = content(10**6 + 3), b"small"
    cid = first.store().put(data)
    with pytest.raises(NotFound):
        second.store().get(cid, limit=len(data))
    second.connect(first)
    assert second.store().get(cid, limit=len(data)) == data
    assert first.store().get(second.store().put(small), limit=5) == small
    assert first.is_pinned(cid)
    assert second.is_pinned(cid)
    first.process.kill()
    first.process.wait()
    assert second.store().get(cid, limit=len(data)) == data


def test_a_node_that_was_away_is_used_again(tmp_path: Path) -> None:
    with ipfs_node(tmp_path) as node:
        port, cid = node.port, node.store().put(b"kept")
    with pytest.raises(Unreachable, match="cannot be reached: start it"):
        node.store().get(cid, limit=4)
    with ipfs_node(tmp_path, port) as again:
        assert again.rpc == node.rpc
        assert node.store().get(cid, limit=4) == b"kept"
