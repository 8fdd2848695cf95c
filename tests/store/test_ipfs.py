"""The IPFS store on real nodes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from d2m.clients.kubo import Kubo, kubo_swarm
from d2m.store import (
    Cid,
    IpfsStore,
    NotFound,
    TooLarge,
    WrongContent,
    content_hash,
    fetch_verified,
)
from d2m.store.ipfs_node import Patience
from d2m.store.unixfs import CHUNK_BYTES, _field, _number, blocks_of
from tests.store.make_cid_vectors import content
from tests.support.kubo import store_on

pytestmark = pytest.mark.ipfs

SIZES = (0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 10**6, 60 * 10**6)


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Kubo]]:
    with kubo_swarm(tmp_path_factory.mktemp("ipfs")) as nodes:
        yield nodes


@pytest.fixture(scope="module")
def node(swarm: list[Kubo]) -> Kubo:
    return swarm[0]


@pytest.fixture(scope="module")
def store(node: Kubo) -> IpfsStore:
    return store_on(node)


def put_block(node: Kubo, data: bytes) -> Cid:
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
def test_what_one_puts_every_other_has_and_pins_under_its_own_cid(
    swarm: list[Kubo], store: IpfsStore, size: int
) -> None:
    data = content(size)
    cid = store.put(data)
    assert cid == Cid.of(data)
    assert store.get(cid, limit=size) == data
    for other in swarm[1:]:
        assert store_on(other).get(cid, limit=size) == data
    for each in swarm if size else swarm[:1]:
        assert each.is_pinned(cid)
        store_on(each).unpin(cid)
        assert not each.is_pinned(cid)
        store_on(each).unpin(cid)


def test_putting_again_changes_nothing(node: Kubo, store: IpfsStore) -> None:
    assert store.put(b"weights") == store.put(b"weights")
    assert node.is_pinned(Cid.of(b"weights"))


def test_what_was_unpinned_is_pinned_by_who_fetches_it(node: Kubo, store: IpfsStore) -> None:
    cid = store.put(b"unpinned")
    store.unpin(cid)
    assert store.get(cid, limit=8) == b"unpinned"
    assert node.is_pinned(cid)


def test_absent_content(store: IpfsStore) -> None:
    with pytest.raises(NotFound, match=r"within 2 s: ask its author"):
        store.get(Cid.of(b"absent"), limit=6)


@pytest.mark.parametrize("size", [11, CHUNK_BYTES + 2])
def test_too_large_content_is_refused_by_its_size(store: IpfsStore, size: int) -> None:
    cid = store.put(content(size))
    with pytest.raises(TooLarge, match=f"{size} bytes, allowed are {size - 1}"):
        store.get(cid, limit=size - 1)


def test_ten_gigabytes_announced(node: Kubo, store: IpfsStore) -> None:
    """By a root that anybody can make, without the leaves."""
    leaf = Cid.of(b"never pinned")
    root = put_block(node, tree([(leaf, 10**10)]))
    with pytest.raises(TooLarge, match="10000000000 bytes, allowed are 1000000"):
        store.get(root, limit=10**6)


@pytest.mark.parametrize("announced", [0, 1, 5])
def test_a_root_that_announces_less_than_it_links(
    node: Kubo, store: IpfsStore, announced: int
) -> None:
    leaf = store.put(content(CHUNK_BYTES))
    root = put_block(node, tree([(leaf, announced)] * 3))
    with pytest.raises((TooLarge, WrongContent)):
        store.get(root, limit=2 * CHUNK_BYTES)


def test_content_laid_out_in_another_way_is_its_author_s_fault(
    node: Kubo, store: IpfsStore
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
def test_what_is_no_file_is_its_author_s_fault(node: Kubo, store: IpfsStore, block: bytes) -> None:
    root = put_block(node, block)
    with pytest.raises(WrongContent, match=r"treat it as not delivered|larger block"):
        store.get(root, limit=10**6)


def test_a_tree_without_end_is_given_up(node: Kubo, store: IpfsStore) -> None:
    """Thirty levels, each linking the one below twice: a billion empty leaves."""
    child = store.put(b"")
    for _level in range(30):
        child = put_block(node, tree([(child, 0), (child, 0)]))
    impatient = store_on(node, Patience(silence=1.0, find=1.0))
    with pytest.raises(WrongContent, match="more blocks than content"):
        impatient.get(child, limit=10**6)


def test_a_missing_leaf_is_absent_content(node: Kubo) -> None:
    *_leaves, root = blocks_of(content(2 * CHUNK_BYTES + 7))
    assert put_block(node, root.data) == root.cid
    impatient = store_on(node, Patience(silence=1.5, find=1.0))
    with pytest.raises(NotFound):
        impatient.get(root.cid, limit=10**6)


def test_the_hash_on_chain_decides(store: IpfsStore) -> None:
    cid = store.put(b"weights")
    assert fetch_verified(store, cid, content_hash(b"weights"), limit=7) == b"weights"
    with pytest.raises(WrongContent, match="not delivered"):
        fetch_verified(store, cid, content_hash(b"other"), limit=7)
