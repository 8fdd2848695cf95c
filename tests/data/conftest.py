"""Small data sets in the original formats, and a site that serves them."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from d2m.data import idx
from d2m.data.sources import DATA_VARIABLE, Source


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


class Site(HTTPServer):
    """An author's site on this machine, with connections that can break."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.files: dict[str, bytes] = {}
        self.breaks: list[int] = []
        """After how many bytes the next connections break, one by one."""
        self.sends_parts = True
        """Whether a request for a part of a file is honoured."""
        self.asked: list[tuple[str, str | None]] = []
        """(name, wanted range) of every request."""

    def publish(self, files: dict[str, bytes]) -> Source:
        """Put files on the site; the set that they make."""
        self.files |= files
        sums = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        return Source("small", f"http://127.0.0.1:{self.server_port}/", sums)


class Page(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        name, part = self.path.lstrip("/"), self.headers.get("Range")
        self.server.asked.append((name, part))
        if name not in self.server.files:
            self.send_error(404)
            return
        start = int(part[6:-1]) if part and self.server.sends_parts else 0
        content = self.server.files[name][start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        cut = self.server.breaks.pop(0) if self.server.breaks else len(content)
        self.wfile.write(content[:cut])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache, empty, and no folder in the environment."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    return tmp_path / "cache" / "d2m"
