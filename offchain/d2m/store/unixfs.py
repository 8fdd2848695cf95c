"""The blocks that a content is stored as in IPFS: raw leaves, and dag-pb nodes that link them.

The layout is that of `Cid.of`: chunks of 256 KiB, a balanced tree with 174 links per node. A dag-pb
node is a protobuf message PBNode{repeated PBLink Links = 2; bytes Data = 1}, its links before its
data; PBLink{bytes Hash = 1; string Name = 2; uint64 Tsize = 3}; Data holds the UnixFS message
{Type = 1; filesize = 3; repeated blocksizes = 4}.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from multiformats import varint

from d2m.store.cid import DAG_PB_PREFIX, RAW_PREFIX, Cid
from d2m.store.errors import InvalidCid, WrongContent

CHUNK_BYTES = 1 << 18
LINKS_PER_NODE = 174
_FILE = 2  # the UnixFS type
_VARINT, _BYTES = 0, 2  # protobuf's wire types


class Block(NamedTuple):
    """One block: its bytes hash to its CID."""

    cid: Cid
    data: bytes


class _Link(NamedTuple):
    """A node's link to a child."""

    cid: Cid
    tree_bytes: int
    """Bytes of the child and all below it, as stored."""
    file_bytes: int
    """Bytes of the content that it holds."""


def blocks_of(content: bytes) -> Iterator[Block]:
    """The blocks of a content, leaves first, its root last."""
    level: list[_Link] = []
    for start in range(0, max(1, len(content)), CHUNK_BYTES):
        chunk = content[start : start + CHUNK_BYTES]
        leaf = Block(_cid(RAW_PREFIX, chunk), chunk)
        level.append(_Link(leaf.cid, len(chunk), len(chunk)))
        yield leaf
    while len(level) > 1:
        above: list[_Link] = []
        for start in range(0, len(level), LINKS_PER_NODE):
            children = level[start : start + LINKS_PER_NODE]
            data = _node(children)
            block = Block(_cid(DAG_PB_PREFIX, data), data)
            tree_bytes = len(data) + sum(child.tree_bytes for child in children)
            above.append(_Link(block.cid, tree_bytes, sum(child.file_bytes for child in children)))
            yield block
        level = above


def is_block(cid: Cid, data: bytes) -> bool:
    """Whether the bytes of one block hash to its CID."""
    return cid.binary[len(RAW_PREFIX) :] == hashlib.sha256(data).digest()


def links_of(cid: Cid, data: bytes) -> list[Cid]:
    """The CIDs that a block links, in order; none of a leaf.

    Raises ``WrongContent`` for a node that an author laid out in a way of its own.
    """
    if cid.binary.startswith(RAW_PREFIX):
        return []
    try:
        links = [value for number, value in _fields(data) if number == 2]
        return [Cid(dict(_fields(link))[1]) for link in links]
    except (InvalidCid, ValueError, LookupError) as error:
        raise WrongContent(
            f"{cid} is no file as this market stores it ({error}): treat it as not delivered"
        ) from error


def _cid(prefix: bytes, data: bytes) -> Cid:
    return Cid(prefix + hashlib.sha256(data).digest())


def _node(children: list[_Link]) -> bytes:
    links = b"".join(
        _field(2, _field(1, child.cid.binary) + _field(2, b"") + _number(3, child.tree_bytes))
        for child in children
    )
    sizes = [child.file_bytes for child in children]
    blocksizes = b"".join(_number(4, size) for size in sizes)
    return links + _field(1, _number(1, _FILE) + _number(3, sum(sizes)) + blocksizes)


def _number(number: int, value: int) -> bytes:
    return varint.encode(number << 3 | _VARINT) + varint.encode(value)


def _field(number: int, value: bytes) -> bytes:
    return varint.encode(number << 3 | _BYTES) + varint.encode(len(value)) + value


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and value of the fields that hold bytes. Raises ValueError for malformed ones."""
    rest = memoryview(message)
    while rest:
        key, _read, rest = varint.decode_raw(rest)
        value, _read, rest = varint.decode_raw(rest)
        if key & 7 == _VARINT:
            continue
        if key & 7 != _BYTES or value > len(rest):
            raise ValueError("malformed block")
        yield key >> 3, bytes(rest[:value])
        rest = rest[value:]
