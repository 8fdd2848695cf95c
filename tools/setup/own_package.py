"""The market itself in `.venv`, as it lies in this checkout: the package and the command `d2m`."""

from __future__ import annotations

from tools.setup import stamp
from tools.setup.console import ROOT, run
from tools.setup.python_packages import PYTHON, VENV

_DESCRIPTION = ROOT / "pyproject.toml"
_STAMP = VENV / ".d2m-own-stamp"
"""Inside the environment, so that it goes with it."""


def install() -> None:
    """Install the checkout in editable form unless it is.

    Raises:
        SetupError: pip cannot install it.
    """
    wanted = {"inputs": stamp.digest([_DESCRIPTION])}
    if stamp.read(_STAMP) == wanted:
        return
    options = ["--no-deps", "--no-build-isolation", "--editable"]
    run("the market's own package", [PYTHON, "-m", "pip", "install", *options, ROOT], "pip-own")
    stamp.write(_STAMP, wanted)
