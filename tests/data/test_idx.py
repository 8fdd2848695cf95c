from __future__ import annotations

import gzip

import numpy as np
import pytest

from d2m.data import idx
from d2m.data.errors import DataError
from d2m.data.sources import DATA_VARIABLE, Source
from tests.data.conftest import idx_bytes, write_idx


def test_a_set_is_read_from_its_four_files(tmp_path, monkeypatch):
    sums = write_idx(tmp_path / "small", train=20, test=10)
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    inputs, labels, test_inputs, test_labels = idx.read(Source("small", "http://never/", sums))
    assert (inputs.shape, labels.shape) == ((20, 1, 28, 28), (20,))
    assert (test_inputs.shape, test_labels.tolist()) == ((10, 1, 28, 28), list(range(10)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not gzip",
        gzip.compress(b""),
        gzip.compress(b"\x00\x00\x08"),
        gzip.compress(b"\x00\x00\x0d\x01" + bytes(8)),
        gzip.compress(b"\x00\x00\x08\x03" + bytes(5)),
        idx_bytes(np.zeros((2, 3), dtype=np.uint8))[:-9],
        gzip.compress(gzip.decompress(idx_bytes(np.zeros(5, dtype=np.uint8))) + b"\0"),
    ],
    ids=["empty", "text", "nothing", "short", "floats", "no sizes", "cut gzip", "one byte more"],
)
def test_a_file_that_is_no_idx_file_is_refused(tmp_path, data):
    path = tmp_path / "file.gz"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"file\.gz is not"):
        idx.parse(path)


def test_the_published_checksums_are_written_in_full():
    for source in (idx.MNIST, idx.FASHION_MNIST):
        assert set(source.sums) == {
            idx.TRAIN_IMAGES,
            idx.TRAIN_LABELS,
            idx.TEST_IMAGES,
            idx.TEST_LABELS,
        }
        assert all(len(bytes.fromhex(total)) == 32 for total in source.sums.values())
