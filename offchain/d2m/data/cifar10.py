"""CIFAR-10 in its binary version: 60,000 colour photographs of 32×32 in ten classes.

Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009). A record is
one byte of label and 3,072 of pixels, channel by channel.
"""

from __future__ import annotations

import lzma
import math
import tarfile
import warnings
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from d2m.data.errors import DataError
from d2m.data.sources import Source, check_sum, locate, own_file
from d2m.learning.grid import ByteArray

Arrays = tuple[ByteArray, ByteArray, ByteArray, ByteArray]

ARCHIVE = "cifar-10-binary.tar.gz"
TRAINING_BATCHES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_BATCH = "test_batch.bin"
IMAGE_SHAPE = (3, 32, 32)
LOSSY_NOTE = (
    "CIFAR-10: 20 of the 10,000 test images in this copy were decoded from JPEG and differ from "
    "the published ones; labels are exact, so a test accuracy moves by at most 0.2 points"
)
_RECORD_BYTES = 1 + math.prod(IMAGE_SHAPE)


@dataclass(frozen=True)
class Batches:
    """The archive, the SHA-256 of each batch in it, and that of a known lossy test batch."""

    archive: Source
    sums: Mapping[str, str]
    lossy_test_sum: str


@dataclass(frozen=True)
class _Batch:
    """The content of a batch and the file that it came from."""

    path: Path
    content: bytes


CIFAR_10 = Batches(
    Source(
        "cifar-10",
        "https://www.cs.toronto.edu/~kriz/",
        # The author publishes the MD5 alone (c32a1d4ab5d03f1284b67883e8d87530). This SHA-256 is
        # the one in TensorFlow Datasets' url_checksums/cifar10.txt.
        {ARCHIVE: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
    ),
    # Of the training batches, computed from files with the SHA-1 that MXNet publishes; all six
    # are those of the TorchVision port for Ruby.
    {
        "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
        "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
        "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
        "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
        "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
        TEST_BATCH: "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
    },
    "123ca0dad8f960344d9149742165d4215093c84c8c4bdc5922af93b614bdb501",
)


def read(batches: Batches) -> tuple[Arrays, str]:
    """Train inputs uint8 (50000, 3, 32, 32), train labels, test inputs, test labels; and a note.

    A batch is taken from ``$D2M_DATA/<folder>/`` if it is there, plain or with ``.xz``; those that
    are not there come from the archive, which is looked for as any other file. The note is empty
    unless the test batch is the known lossy copy; then it is also a warning. Raises DataError when
    a file cannot be had or has another checksum.
    """
    found = _own_batches(batches.archive)
    missing = [name for name in batches.sums if name not in found]
    if missing:
        found |= _archived_batches(locate(batches.archive, ARCHIVE), missing)
    test = found[TEST_BATCH].content
    note = LOSSY_NOTE if sha256(test).hexdigest() == batches.lossy_test_sum else ""
    for name, batch in found.items():
        if name != TEST_BATCH or not note:
            check_sum(batch.path, batch.content, batches.sums[name])
    if note:
        warnings.warn(note, stacklevel=2)
    train = _parse([found[name].content for name in TRAINING_BATCHES])
    return (*train, *_parse([test])), note


def _own_batches(archive: Source) -> dict[str, _Batch]:
    batches = {}
    for name in (*TRAINING_BATCHES, TEST_BATCH):
        plain, compressed = own_file(archive, name), own_file(archive, f"{name}.xz")
        if plain and plain.is_file():
            batches[name] = _Batch(plain, plain.read_bytes())
        elif compressed and compressed.is_file():
            batches[name] = _Batch(compressed, _decompress(compressed))
    return batches


def _decompress(path: Path) -> bytes:
    try:
        return lzma.decompress(path.read_bytes())
    except lzma.LZMAError as error:
        raise DataError(f"{path} is not an xz file ({error}); delete it and try again") from error


def _archived_batches(path: Path, names: Collection[str]) -> dict[str, _Batch]:
    """Batches of an archive that ``locate`` has checked, so they are in it."""
    batches = {}
    with tarfile.open(path, "r|gz") as archive:
        for member in archive:
            name, file = Path(member.name).name, archive.extractfile(member)
            if file is not None and name in names:
                batches[name] = _Batch(path, file.read())
    return batches


def _parse(contents: Iterable[bytes]) -> tuple[ByteArray, ByteArray]:
    records = np.concatenate(
        [np.frombuffer(content, np.uint8).reshape(-1, _RECORD_BYTES) for content in contents]
    )
    return records[:, 1:].copy().reshape(-1, *IMAGE_SHAPE), records[:, 0].copy()
