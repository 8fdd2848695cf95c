"""geth and Kubo in `.tools/clients`, for `make test-all` and `make chaos` only.

Both are tools of the Go module beside this file, which pins them and all that they are built of by
checksum. Without Go they are left out, and what needs them says so.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tools.setup import stamp
from tools.setup.console import ROOT, run, say

CLIENTS = ROOT / ".tools" / "clients"

_MODULE = ROOT / "tools" / "setup" / "clients"
_INPUTS = [_MODULE / "go.mod", _MODULE / "go.sum"]
_STAMP = CLIENTS / ".d2m-stamp"


def install() -> None:
    """Build both into `.tools/clients` unless those that are there are the pinned ones.

    Raises:
        SetupError: they cannot be built.
    """
    if shutil.which("go") is None:
        say("Go is not on the PATH: geth and Kubo are not built, tests that need them are skipped")
        return
    wanted = {"inputs": stamp.digest(_INPUTS)}
    if stamp.read(_STAMP) == wanted:
        return
    CLIENTS.mkdir(parents=True, exist_ok=True)
    build: list[str | Path] = [
        "go",
        "build",
        "-C",
        _MODULE,
        "-trimpath",
        "-o",
        f"{CLIENTS}/",
        "tool",
    ]
    run("geth and Kubo from source, 3 to 6 minutes", build, "go-clients")
    stamp.write(_STAMP, wanted)
