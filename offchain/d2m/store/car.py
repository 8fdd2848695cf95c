"""Content as one file: a CARv1 archive, which every IPFS node imports (`ipfs dag import`).

A section is a varint with its length and its bytes. The first one is the header, DAG-CBOR of
{roots, version: 1}; every other one is a binary CID and the bytes of that block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple

import dag_cbor
from multiformats import CID, varint

from d2m.store.cid import BINARY_LENGTH, Cid
from d2m.store.errors import Corrupt, InvalidCid
from d2m.store.unixfs import CHUNK_BYTES, Block, is_block

VERSION = 1
HEADER_LIMIT = 32 << 20
"""Bytes: half a million roots, more than a job of 256 rounds of 256 updates has."""
BLOCK_LIMIT = BINARY_LENGTH + CHUNK_BYTES
"""Bytes of a section: no block of this market is larger than a chunk."""


class Car(NamedTuple):
    """Contents of an archive."""

    roots: tuple[Cid, ...]
    blocks: dict[Cid, bytes]


def write_car(file: BinaryIO, roots: Iterable[Cid], blocks: Iterable[Block]) -> None:
    """Write an archive; a block that comes again is left out."""
    cids = [CID.decode(root.binary) for root in roots]
    header: Any = {"roots": cids, "version": VERSION}
    _write(file, dag_cbor.encode(header))
    seen: set[Cid] = set()
    for block in blocks:
        if block.cid not in seen:
            seen.add(block.cid)
            _write(file, block.cid.binary + block.data)


def read_car(file: BinaryIO) -> Car:
    """Read an archive whole.

    Raises ``Corrupt`` unless every block hashes to its CID and every root is among the blocks.
    """
    sections = _sections(file)
    roots = _roots(next(sections, b""))
    blocks = {}
    for section in sections:
        try:
            cid, data = Cid(section[:BINARY_LENGTH]), section[BINARY_LENGTH:]
        except InvalidCid as error:
            raise Corrupt(f"a block of the archive has another kind of CID: {error}") from error
        if not is_block(cid, data):
            raise Corrupt(f"block {cid} of the archive holds other bytes: export it again")
        blocks[cid] = data
    if not blocks.keys() >= set(roots):
        raise Corrupt("the archive lacks the block of a root: export it again")
    return Car(roots, blocks)


def _write(file: BinaryIO, section: bytes) -> None:
    file.write(varint.encode(len(section)))
    file.write(section)


def _sections(file: BinaryIO) -> Iterator[bytes]:
    limit = HEADER_LIMIT
    while (size := _read_varint(file)) is not None:
        section = file.read(size) if size <= limit else b""
        if size > limit or len(section) != size:
            raise Corrupt("the archive is cut off or none: export it again")
        yield section
        limit = BLOCK_LIMIT


def _read_varint(file: BinaryIO) -> int | None:
    """The next section's length; None at the end of the file."""
    read = b""
    while not read or read[-1] & 0x80:
        byte = file.read(1)
        if not byte and not read:
            return None
        read += byte
        if not byte or len(read) > 9:
            raise Corrupt("the archive is cut off or none: export it again")
    try:
        return varint.decode(read)
    except ValueError as error:
        raise Corrupt("the archive is cut off or none: export it again") from error


def _roots(header: bytes) -> tuple[Cid, ...]:
    try:
        fields: Any = dag_cbor.decode(header)
        if not isinstance(fields, dict) or fields["version"] != VERSION:
            raise ValueError("another version")
        return tuple(Cid(bytes(root)) for root in fields["roots"])
    except Exception as error:  # the codecs raise many kinds
        raise Corrupt(f"the file is no CARv1 archive of this market: {error}") from error
