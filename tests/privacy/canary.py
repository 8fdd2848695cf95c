"""Planted records, the forms in which they could leave their seller, and the search for them."""

from __future__ import annotations

import base64
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

FRAGMENT_BYTES = 16
"""Of a record: a leak need not be whole to be found."""
CANARIES = 6
"""Planted by one seller, every other one readable text."""
EXPANSIONS = 3
"""How deep packed content is unpacked."""


@dataclass(frozen=True)
class Needle:
    """One form of a fragment of one seller's record."""

    seller: str
    form: str
    content: bytes


def planted(seller: str, shape: tuple[int, ...]) -> np.ndarray:
    """Records uint8 (CANARIES, *shape) that nobody else has."""
    size = int(np.prod(shape))
    random = np.random.default_rng(list(seller.encode()))
    rows = random.integers(0, 256, (CANARIES, size), dtype=np.uint8)
    for number in range(0, CANARIES, 2):
        text = f"{seller} canary {number} ".encode() + random.bytes(size).hex().encode()
        rows[number] = np.frombuffer(text[:size], dtype=np.uint8)
    return rows.reshape(CANARIES, *shape)


def needles(seller: str, records: np.ndarray, centre: int) -> Iterator[Needle]:
    """Every form of every fragment."""
    for row in records.reshape(len(records), -1):
        for start in range(0, len(row) - FRAGMENT_BYTES + 1, FRAGMENT_BYTES):
            for form, content in forms(row[start : start + FRAGMENT_BYTES], centre):
                yield Needle(seller, form, content)


def forms(fragment: np.ndarray, centre: int) -> Iterator[tuple[str, bytes]]:
    """How bytes may be written: as they are, as text, and as numbers of other types."""
    raw = fragment.tobytes()
    yield "raw", raw
    yield "hexadecimal", raw.hex().encode()
    yield "HEXADECIMAL", raw.hex().upper().encode()
    for shift in range(3):
        # What stands before a fragment moves it within base64's groups of three bytes.
        text = base64.b64encode(b"\0" * shift + raw)[4 if shift else 0 :]
        yield "base64", text[: len(text) - 4]
        yield (
            "base64, for addresses",
            text[: len(text) - 4].translate(bytes.maketrans(b"+/", b"-_")),
        )
    for separator in (",", ", ", " ", "\n"):
        yield "decimal", separator.join(map(str, fragment.tolist())).encode()
    yield "Python's bytes", repr(raw)[2:-1].encode()
    wide = fragment.astype(np.int64)
    for values in (wide, wide - centre):
        for name in ("<i2", "<i4", "<i8", ">i2", ">i4", ">i8", "<f4", "<f8"):
            yield f"{name} of values", values.astype(name).tobytes()
        for name in ("<f4", "<f8"):
            yield f"{name} of network inputs", (values / 256).astype(name).tobytes()
        for name in ("<i4", "<i8"):
            yield f"{name} of network inputs on the grid", (values * 256).astype(name).tobytes()
            yield f"{name} of values on the grid", (values << 16).astype(name).tobytes()


def found(content: bytes, wanted: list[Needle]) -> set[tuple[str, str]]:
    """(seller, form) of all that a content holds, packed or not."""
    views = list(unpacked(content, EXPANSIONS))
    return {
        (needle.seller, needle.form)
        for needle in wanted
        if any(needle.content in view for view in views)
    }


def unpacked(content: bytes, depth: int) -> Iterator[bytes]:
    """The content, and what it holds where it is an archive or compressed."""
    yield content
    if not depth:
        return
    for inner in _inside(content):
        yield from unpacked(inner, depth - 1)


def _inside(content: bytes) -> Iterator[bytes]:
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield archive.read(name)
    for unpack in (gzip.decompress, zlib.decompress):
        try:
            yield unpack(content)
        except (OSError, EOFError, zlib.error):
            continue
