"""The second Ethereum client of the tests in `.tools/ethereumjs`, for `make test-all` only.

EthereumJS comes from npm as a whole; its EVM and its RPC are other programs than anvil's.
"""

from __future__ import annotations

from scripts._setup import npm_folder
from scripts._setup.console import ROOT

CLIENT = ROOT / ".tools" / "ethereumjs"

_SOURCE = ROOT / "tests" / "clients" / "npm"
FILES = [_SOURCE / name for name in ("package.json", "package-lock.json")]


def install() -> None:
    """Make `.tools/ethereumjs` anew unless it is complete and of the pinned packages.

    Raises:
        SetupError: a package cannot be installed.
    """
    npm_folder.install(CLIENT, FILES, "second Ethereum client of the tests, 20 seconds")
