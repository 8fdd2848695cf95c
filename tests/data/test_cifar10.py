from __future__ import annotations

import hashlib
import io
import lzma
import tarfile
import warnings
from pathlib import Path

import numpy as np
import pytest

from d2m.data import cifar10
from d2m.data.cifar10 import ARCHIVE, TEST_BATCH, TRAINING_BATCHES, Batches
from d2m.data.datasets import load
from d2m.data.errors import DataError
from d2m.data.sources import DATA_VARIABLE, Source

NAMES = (*TRAINING_BATCHES, TEST_BATCH)


def batch(records: int, seed: int) -> bytes:
    """Random pixels; labels in turns."""
    pixels = np.random.default_rng(seed).integers(0, 256, (records, 3072), dtype=np.uint8)
    labels = (np.arange(records)[:, None] % 10).astype(np.uint8)
    return np.hstack([labels, pixels]).tobytes()


CONTENTS = {name: batch(4, seed) for seed, name in enumerate(NAMES)}
LOSSY = CONTENTS[TEST_BATCH][:-1] + bytes([CONTENTS[TEST_BATCH][-1] ^ 1])


def sum_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def archive(contents: dict[str, bytes]) -> bytes:
    """As the author packs them: a folder, a text and the batches."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        folder = tarfile.TarInfo("cifar-10-batches-bin")
        folder.type = tarfile.DIRTYPE
        file.addfile(folder)
        for name, content in {"batches.meta.txt": b"airplane\n", **contents}.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def small_set(site, contents: dict[str, bytes] = CONTENTS) -> Batches:
    """A set of few images, published on `site`."""
    sums = {name: sum_of(content) for name, content in contents.items()}
    return Batches(site.publish({ARCHIVE: archive(contents)}), sums, sum_of(LOSSY))


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the environment names."""
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "own"))
    (tmp_path / "own" / "small").mkdir(parents=True)
    return tmp_path / "own" / "small"


def check_content(arrays: cifar10.Arrays) -> None:
    inputs, labels, test_inputs, test_labels = arrays
    assert (inputs.shape, inputs.dtype) == ((20, 3, 32, 32), np.uint8)
    assert (test_inputs.shape, test_inputs.dtype) == ((4, 3, 32, 32), np.uint8)
    assert labels.tolist() == [0, 1, 2, 3] * 5
    assert test_labels.tolist() == [0, 1, 2, 3]
    record = 3073
    third = CONTENTS["data_batch_2.bin"][2 * record + 1 : 3 * record]
    assert inputs[6].tobytes() == third
    # Channel-major, then by rows: pixel (green, row 1, column 2).
    assert inputs[6, 1, 1, 2] == third[1024 + 32 + 2]
    assert test_inputs.tobytes() == b"".join(
        CONTENTS[TEST_BATCH][i * record + 1 : (i + 1) * record] for i in range(4)
    )


def test_the_archive_is_downloaded_once(site, cache):
    batches = small_set(site)
    for _ in range(2):
        arrays, note = cifar10.read(batches)
        check_content(arrays)
        assert note == ""
    assert [name for name, _ in site.asked] == [ARCHIVE]
    assert (cache / "small" / ARCHIVE).is_file()


@pytest.mark.parametrize("form", ["plain", "xz", "archive", "some of each"])
def test_a_local_folder_is_enough(site, own, cache, form):
    batches = small_set(site)
    for number, (name, content) in enumerate(CONTENTS.items()):
        if form == "plain" or (form == "some of each" and number % 3 == 0):
            (own / name).write_bytes(content)
        if form == "xz" or (form == "some of each" and number % 3 == 1):
            (own / f"{name}.xz").write_bytes(lzma.compress(content))
    if form in ("archive", "some of each"):
        (own / ARCHIVE).write_bytes(site.files[ARCHIVE])
    check_content(cifar10.read(batches)[0])
    assert site.asked == []
    assert not cache.exists()


def test_batches_that_are_not_in_the_folder_are_downloaded(site, own):
    batches = small_set(site)
    (own / "data_batch_3.bin").write_bytes(CONTENTS["data_batch_3.bin"])
    check_content(cifar10.read(batches)[0])
    assert [name for name, _ in site.asked] == [ARCHIVE]


def test_a_batch_with_another_checksum_is_refused(site, own):
    batches = small_set(site)
    (own / "data_batch_3.bin").write_bytes(CONTENTS["data_batch_2.bin"])
    with pytest.raises(DataError, match=r"data_batch_3\.bin has another SHA-256"):
        cifar10.read(batches)


def test_a_test_batch_that_nobody_knows_is_refused(site, own):
    batches = small_set(site)
    (own / TEST_BATCH).write_bytes(batch(4, seed=99))
    with pytest.raises(DataError, match=r"test_batch\.bin has another SHA-256"):
        cifar10.read(batches)


@pytest.mark.parametrize("damage", [lambda xz: xz[:-20], lambda xz: b"no xz", lambda xz: b""])
def test_a_damaged_xz_file_is_refused(site, own, damage):
    batches = small_set(site)
    (own / "data_batch_1.bin.xz").write_bytes(damage(lzma.compress(CONTENTS["data_batch_1.bin"])))
    with pytest.raises(DataError, match=r"data_batch_1\.bin\.xz is not an xz file"):
        cifar10.read(batches)


def test_a_changed_archive_is_refused(site, own):
    batches = small_set(site)
    (own / ARCHIVE).write_bytes(archive({**CONTENTS, "data_batch_1.bin": batch(4, seed=99)}))
    with pytest.raises(DataError, match=r"cifar-10-binary\.tar\.gz has another SHA-256"):
        cifar10.read(batches)


def test_the_lossy_copy_of_the_test_batch_is_taken_with_a_warning_and_a_note(site, own):
    batches = small_set(site)
    (own / f"{TEST_BATCH}.xz").write_bytes(lzma.compress(LOSSY))
    with pytest.warns(UserWarning, match="20 of the 10,000 test images"):
        (_, _, test_inputs, test_labels), note = cifar10.read(batches)
    assert "labels are exact" in note
    assert test_labels.tolist() == [0, 1, 2, 3]
    assert test_inputs[-1, -1, -1, -1] == LOSSY[-1]


def test_the_published_set_comes_without_a_warning(site, own):
    batches = small_set(site)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cifar10.read(batches)[1] == ""


@pytest.mark.parametrize("lossy", [False, True])
@pytest.mark.filterwarnings("ignore:CIFAR-10")
def test_the_set_is_loaded_by_name_with_an_evaluation_set_held_back(tmp_path, monkeypatch, lossy):
    contents = {name: batch(600, seed) for seed, name in enumerate(NAMES)}
    sums = {name: sum_of(content) for name, content in contents.items()}
    nobody = "0" * 64
    if lossy:
        sums[TEST_BATCH], nobody = nobody, sums[TEST_BATCH]
    source = Source("cifar-10", "http://localhost:1/", {})
    monkeypatch.setattr(cifar10, "CIFAR_10", Batches(source, sums, nobody))
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    (tmp_path / "cifar-10").mkdir()
    for name, content in contents.items():
        (tmp_path / "cifar-10" / name).write_bytes(content)
    data = load("cifar-10")
    assert data.classes == 10
    assert data.train_inputs.shape == (1000, 3, 32, 32)
    assert data.test_inputs.shape == (600, 3, 32, 32)
    assert np.bincount(data.evaluation_labels).tolist() == [200] * 10
    assert bool(data.note) == lossy


def test_the_published_checksums_are_written_in_full():
    published = cifar10.CIFAR_10
    sums = [*published.archive.sums.values(), *published.sums.values(), published.lossy_test_sum]
    assert all(len(bytes.fromhex(total)) == 32 for total in sums)
    assert len(set(sums)) == 8
    assert set(published.sums) == set(NAMES)
