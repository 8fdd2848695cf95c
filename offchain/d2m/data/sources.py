"""Files of published data sets: looked for at hand, else downloaded, always checked by SHA-256."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import requests
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from tenacity import Retrying, retry_if_exception, stop_after_attempt

from d2m.data.errors import DataError

DATA_VARIABLE = "D2M_DATA"
"""Environment variable with a folder that is searched first."""
CONNECT_SECONDS = 10
READ_SECONDS = 60
ATTEMPTS = 5
"""How often a download is begun or resumed before it counts as failed."""
_CHUNK_BYTES = 1 << 16
_INTERRUPTIONS = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)
"""Errors that a connection raises when it breaks in the middle of a file."""


@dataclass(frozen=True)
class Source:
    """Where a set comes from: its folder name, its address and the SHA-256 of its files."""

    folder: str
    address: str
    sums: dict[str, str]


def locate(source: Source, name: str) -> Path:
    """Path of a checked file of ``source.sums``.

    It is taken from ``$D2M_DATA/<folder>/`` if it is there, then from the user's cache, and is
    downloaded into the cache otherwise. Raises DataError when it cannot be had or has another sum.
    """
    cached = cache_folder() / source.folder / name
    for path in (own_file(source, name), cached):
        if path is not None and path.is_file():
            check_sum(path, path.read_bytes(), source.sums[name])
            return path
    _download(source, name, cached)
    return cached


def own_file(source: Source, name: str) -> Path | None:
    """Where the folder that the environment names would hold a file; None if it names none."""
    folder = os.environ.get(DATA_VARIABLE)
    return Path(folder) / source.folder / name if folder else None


def cache_folder() -> Path:
    """The user's cache folder for data sets."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "d2m"


def check_sum(path: Path, content: bytes, expected: str) -> None:
    """Raise DataError unless ``content``, which came from ``path``, is the published file."""
    if hashlib.sha256(content).hexdigest() != expected:
        raise DataError(f"{path} has another SHA-256 than the published file; delete it")


def _download(source: Source, name: str, target: Path) -> None:
    """Download to a partial file, check it, then move it into place."""
    address = source.address + name
    remedy = f"check the network, or put the file into ${DATA_VARIABLE}/{source.folder}/"
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(f".{os.getpid()}.part")
    try:
        _fetch_resuming(address, f"{source.folder}/{name}", partial)
        if hashlib.sha256(partial.read_bytes()).hexdigest() != source.sums[name]:
            raise DataError(f"{address} sent a file with another SHA-256 than published: {remedy}")
        partial.replace(target)
    except requests.RequestException as error:
        raise DataError(f"cannot download {address} ({type(error).__name__}): {remedy}") from error
    finally:
        partial.unlink(missing_ok=True)


def _fetch_resuming(address: str, label: str, path: Path) -> None:
    """Fetch, and go on where a connection broke that had brought something."""
    path.touch()
    attempts = Retrying(
        retry=retry_if_exception(
            lambda error: isinstance(error, _INTERRUPTIONS) and path.stat().st_size > 0
        ),
        stop=stop_after_attempt(ATTEMPTS),
        reraise=True,
    )
    attempts(_fetch, address, label, path)


def _fetch(address: str, label: str, path: Path) -> None:
    """Append what is missing to ``path``; a server that cannot send a part sends all of it."""
    here = path.stat().st_size
    wanted = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={here}-"} if here else {})
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with (
        requests.get(
            address, headers=wanted, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)
        ) as response,
        Progress(*columns, TransferSpeedColumn(), console=Console(stderr=True)) as progress,
    ):
        response.raise_for_status()
        if response.status_code != requests.codes.partial_content:
            here = 0
        size = int(response.headers.get("Content-Length", 0))
        task = progress.add_task(label, total=here + size if size else None, completed=here)
        with path.open("ab" if here else "wb") as file:
            for chunk in response.iter_content(_CHUNK_BYTES):
                file.write(chunk)
                progress.advance(task, len(chunk))
