from __future__ import annotations

import gzip
import socketserver
import threading
from collections.abc import Iterator
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest

from offchain.data import idx
from offchain.data.errors import DataError
from tests.data.conftest import idx_bytes, write_idx


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[idx.IdxSource]:
    """The authors' site, on this machine, with small files."""
    sums = write_idx(tmp_path / "site", train=20, test=10)
    server = HTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "site")))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield idx.IdxSource("small", f"http://127.0.0.1:{server.server_port}/", sums)
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(idx.DATA_VARIABLE, raising=False)
    return tmp_path / "cache" / "d2m"


def closed_port() -> int:
    with socketserver.TCPServer(("127.0.0.1", 0), None) as server:  # type: ignore[arg-type]
        return int(server.server_address[1])


def test_files_are_downloaded_once_and_then_taken_from_the_cache(site, cache):
    inputs, labels, test_inputs, test_labels = idx.read(site)
    assert (inputs.shape, labels.shape) == ((20, 1, 28, 28), (20,))
    assert (test_inputs.shape, test_labels.tolist()) == ((10, 1, 28, 28), list(range(10)))
    assert sorted(path.name for path in (cache / "small").iterdir()) == sorted(site.sums)
    offline = idx.IdxSource("small", f"http://127.0.0.1:{closed_port()}/", site.sums)
    assert (idx.read(offline)[0] == inputs).all()


def test_the_folder_in_the_environment_comes_first(site, tmp_path, monkeypatch, cache):
    sums = write_idx(tmp_path / "own" / "small", train=7, test=3)
    monkeypatch.setenv(idx.DATA_VARIABLE, str(tmp_path / "own"))
    own = idx.IdxSource("small", site.address, sums)
    assert len(idx.read(own)[0]) == 7
    assert not cache.exists()


def test_without_a_network_one_line_says_what_to_do(cache):
    away = idx.IdxSource("small", f"http://127.0.0.1:{closed_port()}/", {idx.TRAIN_IMAGES: "0"})
    with pytest.raises(DataError) as refused:
        idx.locate(away, idx.TRAIN_IMAGES)
    message = str(refused.value)
    assert "\n" not in message
    assert "cannot download" in message
    assert "$D2M_DATA/small/" in message
    assert list((cache / "small").iterdir()) == []


def test_a_file_that_the_site_does_not_have_is_a_failed_download(site):
    absent = idx.IdxSource("small", site.address + "absent/", site.sums)
    with pytest.raises(DataError, match="cannot download"):
        idx.locate(absent, idx.TRAIN_IMAGES)


def test_a_download_with_another_checksum_is_not_kept(site, cache):
    other = idx.IdxSource("small", site.address, dict.fromkeys(site.sums, "0" * 64))
    with pytest.raises(DataError, match="SHA-256"):
        idx.locate(other, idx.TRAIN_LABELS)
    assert list((cache / "small").iterdir()) == []


def test_a_local_file_with_another_checksum_is_refused(site, tmp_path, monkeypatch):
    write_idx(tmp_path / "own" / "small", train=7, test=3)
    monkeypatch.setenv(idx.DATA_VARIABLE, str(tmp_path / "own"))
    with pytest.raises(DataError, match="SHA-256"):
        idx.locate(site, idx.TRAIN_IMAGES)


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
