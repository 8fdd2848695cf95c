"""The virtual environment `.tools/audit` with slither and halmos, made for `make audit` only.

They pull their own web3 and z3, which would not fit beside those of the market.
"""

from __future__ import annotations

import sys

from tools.setup import stamp
from tools.setup.console import ROOT, SetupError, run

VENV = ROOT / ".tools" / "audit"

_OLDEST_PYTHON = (3, 11)  # of halmos
_LOCKS = [ROOT / "requirements" / f"{name}.txt" for name in ("build", "audit")]
_STAMP = VENV / ".d2m-stamp"


def install() -> None:
    """Make `.tools/audit` anew unless it is complete and of the pinned packages.

    Raises:
        SetupError: the Python is too old for them, or a package cannot be installed.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if sys.version_info[:2] < _OLDEST_PYTHON:
        raise SetupError(
            f"halmos needs Python 3.11 or 3.12, and this is {version}:"
            " run the same command with PYTHON=python3.11"
        )
    wanted = {"inputs": stamp.digest(_LOCKS), "root": str(ROOT), "python": version}
    if stamp.read(_STAMP) == wanted:
        return
    python = VENV / "bin" / "python"
    run(
        f"virtual environment of the audit (Python {version})",
        [sys.executable, "-m", "venv", "--clear", VENV],
        "audit-venv",
    )
    options = ["--require-hashes", "--use-pep517", "--no-build-isolation"]
    for lock in _LOCKS:
        run(
            f"packages of the audit ({lock.stem}), half a minute",
            [python, "-m", "pip", "install", *options, "-r", lock],
            f"audit-pip-{lock.stem}",
        )
    run("consistency of the audit's packages", [python, "-m", "pip", "check"], "audit-pip-check")
    stamp.write(_STAMP, wanted)
