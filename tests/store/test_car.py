from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from d2m.clients.kubo import Kubo, kubo_swarm
from d2m.store import Cid, Corrupt
from d2m.store.car import read_car, write_car
from d2m.store.unixfs import CHUNK_BYTES, blocks_of
from tests.store.make_cid_vectors import content
from tests.support.kubo import store_on

CONTENTS = [content(size) for size in (0, 1, CHUNK_BYTES, 3 * CHUNK_BYTES + 5)]
ROOTS = tuple(map(Cid.of, CONTENTS))


def archive() -> bytes:
    file = io.BytesIO()
    write_car(file, ROOTS, (block for data in CONTENTS for block in blocks_of(data)))
    return file.getvalue()


def test_what_was_written_is_read() -> None:
    car = read_car(io.BytesIO(archive()))
    assert car.roots == ROOTS
    assert car.blocks == {block.cid: block.data for data in CONTENTS for block in blocks_of(data)}


def test_a_block_is_written_once() -> None:
    file = io.BytesIO()
    write_car(file, ROOTS[:1], [*blocks_of(b"twice"), *blocks_of(b"twice")])
    assert file.getvalue().count(b"twice") == 1


@pytest.mark.parametrize("place", [0, 5, 40, 400, 300_000, -1])
def test_a_changed_byte_is_noticed(place: int) -> None:
    data = bytearray(archive())
    data[place] ^= 1
    with pytest.raises(Corrupt):
        read_car(io.BytesIO(data))


@pytest.mark.parametrize("size", [0, 1, 30, 300, 300_000, -1])
def test_half_an_archive_is_noticed(size: int) -> None:
    with pytest.raises(Corrupt):
        read_car(io.BytesIO(archive()[:size]))


@pytest.mark.parametrize("data", [b"PK\x03\x04", b"\xff" * 20, b"\x01\xa0", bytes(100)])
def test_what_is_no_archive(data: bytes) -> None:
    with pytest.raises(Corrupt):
        read_car(io.BytesIO(data))


def test_a_section_that_announces_ten_gigabytes_is_not_read() -> None:
    ten_gigabytes = bytes.fromhex("80c8afa025")
    with pytest.raises(Corrupt):
        read_car(io.BytesIO(ten_gigabytes + b"\xa0" * 100))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubo]:
    with kubo_swarm(tmp_path_factory.mktemp("ipfs"), 1) as [node]:
        yield node


@pytest.mark.ipfs
def test_a_node_imports_what_was_written(node: Kubo) -> None:
    answer = node.ask("dag/import", archive())
    assert answer.ok, answer.text
    for data, root in zip(CONTENTS, ROOTS, strict=True):
        assert node.is_pinned(root)
        assert store_on(node).get(root, limit=len(data)) == data


@pytest.mark.ipfs
def test_what_a_node_exports_is_read(node: Kubo) -> None:
    """The node's own archive of a chunked content holds the same blocks."""
    data = CONTENTS[-1]
    root = store_on(node).put(data)
    car = read_car(io.BytesIO(node.ask("dag/export", arg=str(root)).content))
    assert car.roots == (root,)
    assert car.blocks == {block.cid: block.data for block in blocks_of(data)}
