"""Where the real clients are: built by the set-up into `.tools/clients`, or on the PATH."""

from __future__ import annotations

import shutil
from pathlib import Path

PROJECT = Path(__file__).parents[3]
FOLDER = PROJECT / ".tools" / "clients"


class ClientMissing(Exception):
    """A client's program is not installed."""


class ClientFailed(Exception):
    """A client did not start, or refused what a test needs."""


def find_client(name: str) -> Path:
    """The program of a client, "geth" or "ipfs". Raises ClientMissing."""
    found = shutil.which(name, path=FOLDER) or shutil.which(name)
    if found is None:
        raise ClientMissing(
            f"{name} is not installed: run tools/setup/setup.sh clients, which needs Go"
        )
    return Path(found)


def skip_reason() -> str:
    """Why tests with real clients cannot run here; empty where they can."""
    try:
        find_client("geth")
        find_client("ipfs")
    except ClientMissing as error:
        return str(error)
    return ""
