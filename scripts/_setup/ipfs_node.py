"""The IPFS node of the tests in `.tools/ipfs`, for `make test-all` only.

js-ipfs speaks the RPC that Kubo speaks and comes from npm as a whole. It is archived: tests only.
"""

from __future__ import annotations

from scripts._setup import npm_folder
from scripts._setup.console import ROOT

NODE = ROOT / ".tools" / "ipfs"

_SOURCE = ROOT / "tests" / "store" / "devnode"
FILES = [_SOURCE / name for name in ("devnode.mjs", "package.json", "package-lock.json")]


def install() -> None:
    """Make `.tools/ipfs` anew unless it is complete and of the pinned packages.

    Raises:
        SetupError: a package cannot be installed.
    """
    npm_folder.install(NODE, FILES, "IPFS node of the tests, about a minute")
