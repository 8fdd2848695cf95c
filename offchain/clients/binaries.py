"""Where the clients are that the set-up builds: geth and Kubo."""

from __future__ import annotations

import shutil
from pathlib import Path

PROJECT = Path(__file__).parents[2]
CLIENTS = PROJECT / ".tools" / "clients"


class ClientMissing(Exception):
    """A client is not installed."""


def find_client(name: str) -> Path:
    """The program `name` (`geth`, `ipfs`): the pinned one that the set-up built, or that on PATH.

    Raises ClientMissing.
    """
    built = CLIENTS / name
    if built.is_file():
        return built
    on_path = shutil.which(name)
    if on_path is None:
        raise ClientMissing(f"{name} is not installed: run scripts/_setup/setup.sh clients")
    return Path(on_path)
