"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

UNFINISHED = ".writing-"
"""How names begin of files that are being written, or that a killed process left behind."""
READABLE_BY_ALL = 0o644


@contextmanager
def writing(path: Path, *, private: bool = False) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` once the block has ended well, durably.

    A reader sees the old content or the whole new one. `private`: readable by its owner alone.
    Raises OSError where there is no place.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=UNFINISHED, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if not private:
            os.chmod(name, READABLE_BY_ALL)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync(path.parent)


def write_file(path: Path, content: bytes | str, *, private: bool = False) -> None:
    """Write content, text as UTF-8, as `writing` does."""
    with writing(path, private=private) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def _sync(folder: Path) -> None:
    """Make a name durable, too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
