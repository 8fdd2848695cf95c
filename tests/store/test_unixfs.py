from __future__ import annotations

import pytest

from d2m.store import Cid, WrongContent
from d2m.store.unixfs import CHUNK_BYTES, LINKS_PER_NODE, blocks_of, is_block, links_of
from tests.store.make_cid_vectors import SIZES, content


@pytest.mark.parametrize("size", [*SIZES, CHUNK_BYTES * LINKS_PER_NODE + 1])
def test_the_root_is_the_cid_and_the_leaves_are_the_content(size: int) -> None:
    data = content(size)
    blocks = {block.cid: block.data for block in blocks_of(data)}
    assert all(is_block(cid, block) for cid, block in blocks.items())

    def read(cid: Cid) -> bytes:
        links = links_of(cid, blocks[cid])
        return b"".join(map(read, links)) if links else blocks[cid]

    *_below, root = blocks_of(data)
    assert root.cid == Cid.of(data)
    assert read(root.cid) == data


def test_changed_bytes_are_another_block() -> None:
    [leaf] = blocks_of(b"weights")
    assert is_block(leaf.cid, b"weights")
    assert not is_block(leaf.cid, b"weightz")


def test_half_a_node_is_refused() -> None:
    *_leaves, root = blocks_of(content(CHUNK_BYTES + 1))
    refused = 0
    for cut in range(1, len(root.data)):
        try:
            assert len(links_of(root.cid, root.data[:cut])) <= 2  # cut between two fields
        except WrongContent:
            refused += 1
    assert refused > 0.9 * len(root.data)
