"""The embedded content-addressed store: a folder of files, each named by the CID of its content."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from d2m.files import UNFINISHED, write_file
from d2m.store.cid import Cid
from d2m.store.errors import Corrupt, NotFound, TooLarge, Unreachable

OWN_NAME = "d2m"
"""Name of the market's content; a longer name begins with it and a slash."""
_ABANDONED_SECONDS = 3600  # a write that is this old belongs to a process that was killed


class Store(Protocol):
    """Where content is pinned and fetched; the chain holds only CIDs and content hashes."""

    def put(self, data: bytes, *, name: str = OWN_NAME) -> Cid:
        """Keep ``data``; putting the same content again, from anywhere, changes nothing.

        ``name`` says what it is kept for, in stores that have names.
        """
        ...

    def get(self, cid: Cid, *, limit: int, name: str = OWN_NAME) -> bytes:
        """The content of ``cid`` if it has at most ``limit`` bytes, from wherever it comes.

        Raises ``NotFound``, ``TooLarge`` (before reading) or ``Corrupt``; a store of other
        processes also ``WrongContent``, ``Unreachable``, ``TooSlow`` and ``Refused``.
        """
        ...

    def kept(self, cid: Cid, *, limit: int, name: str = OWN_NAME) -> bytes:
        """As ``get``, without waiting for others: what is not kept here is ``NotFound`` at once."""
        ...

    def named(self, prefix: str) -> dict[Cid, str]:
        """Content under names that begin with ``prefix``; none where there are no names."""
        ...

    def unpin(self, cid: Cid) -> None:
        """Keep ``cid`` no longer; nothing happens where it is not kept."""
        ...


class LocalStore:
    """A store in one folder, which any number of processes may use at the same time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._remove_abandoned()

    def path(self, cid: Cid) -> Path:
        """Where the content of ``cid`` lies, if the store holds it."""
        return self._folder / str(cid)

    def put(self, data: bytes, *, name: str = OWN_NAME) -> Cid:
        """Keep ``data`` durably: under its name there is always the whole content or nothing."""
        cid = Cid.of(data)
        if not self._holds(cid, data):
            write_file(self.path(cid), data, private=True)
        return cid

    def get(self, cid: Cid, *, limit: int, name: str = OWN_NAME) -> bytes:
        """The content of ``cid``, hashed again on reading; ``limit`` in bytes."""
        try:
            with self.path(cid).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size > limit:
                    raise TooLarge(
                        f"{cid} has {size} bytes, allowed are {limit}: raise the limit or refuse it"
                    )
                data = file.read(limit + 1)  # the file may have grown since
        except FileNotFoundError:
            if not self._folder.is_dir():
                raise Unreachable(
                    f"{self._folder} is gone: mount it, or name the folder that holds the content"
                ) from None
            raise NotFound(
                f"{cid} is not in {self._folder}: check the folder or ask its author to put it"
            ) from None
        if Cid.of(data) != cid:
            raise Corrupt(
                f"{self.path(cid)} was changed on disk: remove the file and put the content again"
            )
        return data

    def kept(self, cid: Cid, *, limit: int, name: str = OWN_NAME) -> bytes:
        """The same as `get`: a folder has nobody to ask."""
        return self.get(cid, limit=limit, name=name)

    def named(self, prefix: str) -> dict[Cid, str]:
        """Nothing: a file is named by its CID alone."""
        return {}

    def unpin(self, cid: Cid) -> None:
        """Remove the file, for all who share the folder."""
        self.path(cid).unlink(missing_ok=True)

    def _holds(self, cid: Cid, data: bytes) -> bool:
        try:
            return self.path(cid).read_bytes() == data
        except FileNotFoundError:
            return False

    def _remove_abandoned(self) -> None:
        for path in self._folder.glob(f"{UNFINISHED}*"):
            with suppress(FileNotFoundError):  # finished, or removed by another process
                if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                    path.unlink()
