"""The IPFS node of the tests in `.tools/ipfs`, for `make test-all` only.

js-ipfs speaks the RPC that Kubo speaks and comes from npm as a whole. It is archived: tests only.
"""

from __future__ import annotations

import shutil

from scripts._setup import stamp
from scripts._setup.console import ROOT, run

NODE = ROOT / ".tools" / "ipfs"

_SOURCE = ROOT / "tests" / "store" / "devnode"
_FILES = [_SOURCE / name for name in ("devnode.mjs", "package.json", "package-lock.json")]
_STAMP = NODE / ".d2m-stamp"


def install() -> None:
    """Make `.tools/ipfs` anew unless it is complete and of the pinned packages.

    Raises:
        SetupError: a package cannot be installed.
    """
    wanted = {"inputs": stamp.digest(_FILES)}
    if stamp.read(_STAMP) == wanted:
        return
    _STAMP.unlink(missing_ok=True)
    NODE.mkdir(parents=True, exist_ok=True)
    for file in _FILES:  # a module of Node finds its packages only beside itself
        shutil.copyfile(file, NODE / file.name)
    options = ["--ignore-scripts", "--omit=optional", "--prefer-offline", "--no-audit", "--no-fund"]
    command = ["npm", "ci", "--prefix", str(NODE), *options]
    run("IPFS node of the tests, about a minute", command, "npm-ipfs")
    stamp.write(_STAMP, wanted)
