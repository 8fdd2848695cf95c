"""Small data sets in the original idx format."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np

from offchain.data import idx


def idx_bytes(array: np.ndarray) -> bytes:
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return gzip.compress(head + array.tobytes(), mtime=0)


def write_idx(folder: Path, train: int, test: int) -> dict[str, str]:
    """Write the four files of a set and return their checksums."""
    generator = np.random.default_rng(0)
    files = {}
    for images, labels, count in (
        (idx.TRAIN_IMAGES, idx.TRAIN_LABELS, train),
        (idx.TEST_IMAGES, idx.TEST_LABELS, test),
    ):
        files[images] = idx_bytes(generator.integers(0, 256, (count, 28, 28), dtype=np.uint8))
        files[labels] = idx_bytes(np.arange(count, dtype=np.uint8) % 10)
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
