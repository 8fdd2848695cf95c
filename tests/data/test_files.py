from __future__ import annotations

import numpy as np
import pytest

from d2m.data.errors import DataError
from d2m.data.files import read_samples, write_samples

INPUTS = np.arange(3 * 16, dtype=np.uint8).reshape(3, 1, 4, 4)
LABELS = np.array([0, 9, 3], dtype=np.uint8)


@pytest.mark.parametrize("labels", [LABELS, LABELS.astype(np.uint16)])
def test_a_data_file_survives_the_way_there_and_back(tmp_path, labels):
    path = tmp_path / "seller.npz"
    write_samples(path, INPUTS, labels)
    inputs, again = read_samples(path)
    assert (inputs == INPUTS).all()
    assert (again == labels).all()
    assert again.dtype == labels.dtype


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.npz is missing"):
        read_samples(tmp_path / "none.npz")


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


def test_a_pickle_is_never_loaded(tmp_path):
    path = tmp_path / "bomb.npz"
    np.savez(path, inputs=np.array([Bomb()], dtype=object), labels=LABELS)
    with pytest.raises(DataError, match="not a data file"):
        read_samples(path)


def test_what_is_no_data_file_is_refused(tmp_path):
    path = tmp_path / "wrong.npz"
    for content in (b"", b"hello", b"PK\x03\x04 truncated"):
        path.write_bytes(content)
        with pytest.raises(DataError, match="not a data file"):
            read_samples(path)
    np.savez(path, inputs=INPUTS)
    with pytest.raises(DataError, match="labels"):
        read_samples(path)
    np.save(tmp_path / "array", INPUTS)
    with pytest.raises(DataError, match="not a data file"):
        read_samples(tmp_path / "array.npy")


@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        (INPUTS.astype(np.float32), LABELS, "inputs are uint8"),
        (INPUTS.reshape(-1), LABELS, "inputs are uint8"),
        (INPUTS, LABELS.astype(np.int64), "labels are uint8"),
        (INPUTS, LABELS[:-1], "labels are uint8"),
    ],
)
def test_wrong_types_are_refused_both_ways(tmp_path, inputs, labels, message):
    path = tmp_path / "wrong.npz"
    with pytest.raises(DataError, match=message):
        write_samples(path, inputs, labels)
    np.savez(path, inputs=inputs, labels=labels)
    with pytest.raises(DataError, match=message):
        read_samples(path)
