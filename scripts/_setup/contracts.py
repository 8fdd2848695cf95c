"""The compiled contracts in `.build`, made here so that the first run does not seem to hang."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from scripts._setup import compiler, stamp
from scripts._setup.console import ROOT, SetupError, read_log, run
from scripts._setup.python_packages import VENV

_SOURCES = ROOT / "contracts"
_STAMP = ROOT / ".build" / ".d2m-stamp"
_LOG = "contracts"
# Ape's words for a dependency of which it has kept only a part, after an interrupted compilation.
_HALF_A_DEPENDENCY = ("File import callback not supported", "Source file does not exist")


def compile_all() -> None:
    """Compile the contracts unless their sources are as they were when this was last done.

    Raises:
        SetupError: they do not compile; the compiler's words are in the log.
    """
    sources = [path for path in sorted(_SOURCES.rglob("*.sol")) if ".cache" not in path.parts]
    wanted = {
        "inputs": stamp.digest([ROOT / "ape-config.yaml", ROOT / "package-lock.json", *sources]),
        "compiler": compiler.VERSION,
    }
    if stamp.read(_STAMP) == wanted:
        return
    command: list[str | Path] = [VENV / "bin" / "ape", "compile"]
    try:
        run("contracts, half a minute at most", command, _LOG)
    except SetupError:
        if not any(words in read_log(_LOG) for words in _HALF_A_DEPENDENCY):
            raise
        _forget_dependencies()
        run("contracts again, with fresh libraries", command, _LOG)
    stamp.write(_STAMP, wanted)


def _forget_dependencies() -> None:
    shutil.rmtree(_SOURCES / ".cache", ignore_errors=True)
    ape = Path(os.environ.get("APE_DATA_FOLDER", Path.home() / ".ape"))
    for library in ("@openzeppelin_contracts", "solady"):
        for cache in ("projects", "manifests", "api"):
            shutil.rmtree(ape / "packages" / cache / library, ignore_errors=True)
