"""Ray in `.venv`, for `--engine ray` of the experiments and for `make test-all`.

It runs the market's own code, so it belongs beside the market's packages, whose versions its lock
keeps.
"""

from __future__ import annotations

from tools.setup import stamp
from tools.setup.console import ROOT, run
from tools.setup.python_packages import PYTHON, VENV

_LOCK = ROOT / "requirements" / "ray.txt"
_STAMP = VENV / ".d2m-ray-stamp"
"""Inside the environment, so that it goes with it."""


def install() -> None:
    """Add the pinned Ray to the environment unless it is there.

    Raises:
        SetupError: a package cannot be installed.
    """
    wanted = {"inputs": stamp.digest([_LOCK])}
    if stamp.read(_STAMP) == wanted:
        return
    options = ["--require-hashes", "--no-deps"]
    run("Ray", [PYTHON, "-m", "pip", "install", *options, "-r", _LOCK], "pip-ray")
    run("consistency of the packages", [PYTHON, "-m", "pip", "check"], "pip-check-ray")
    stamp.write(_STAMP, wanted)
