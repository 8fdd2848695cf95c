"""The environments `.tools/bench-flower` and `.tools/bench-pfl`, for `make bench-learning` only.

The frameworks measured beside this one bring packages that the market does without.
"""

from __future__ import annotations

import sys

from tools.setup import python_packages, stamp
from tools.setup.console import ROOT, SetupError, run

PEERS = ("flower", "pfl")

_TOOLS = ROOT / ".tools"
_REQUIREMENTS = ROOT / "requirements"
_OLDEST_PYTHON = (3, 11)  # of the locks


def install() -> None:
    """Make both anew unless they are complete and of the pinned packages.

    Raises:
        SetupError: the Python is too old for the locks, or a package cannot be installed.
    """
    if sys.version_info[:2] < _OLDEST_PYTHON:
        raise SetupError(
            "the benchmark's peers are pinned for Python 3.11 and 3.12: run the same command with"
            " PYTHON=python3.11"
        )
    for peer in PEERS:
        _install(peer)


def _install(peer: str) -> None:
    name = f"bench-{peer}"
    lock, environment = _REQUIREMENTS / f"{name}.txt", _TOOLS / name
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    inputs = stamp.digest([lock, _REQUIREMENTS / "torch.txt"])
    wanted = {"inputs": inputs, "root": str(ROOT), "python": version}
    if stamp.read(environment / ".d2m-stamp") == wanted:
        return
    python = environment / "bin" / "python"
    run(
        f"virtual environment of {peer} (Python {version})",
        [sys.executable, "-m", "venv", "--clear", environment],
        f"{name}-venv",
    )
    run(
        f"packages of {peer}, a minute",
        [python, "-m", "pip", "install", "--require-hashes", "-r", lock],
        f"{name}-pip",
    )
    python_packages.install_torch_cpu(python)
    stamp.write(environment / ".d2m-stamp", wanted)
