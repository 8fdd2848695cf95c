"""The compiled contracts in `.build`, made here so that the first run does not seem to hang."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

from tools.setup import compiler, stamp
from tools.setup.console import ROOT, SetupError, read_log, run
from tools.setup.python_packages import VENV

_SOURCES = ROOT / "contracts"
_STAMP = ROOT / ".build" / ".d2m-stamp"
_LOG = "contracts"
# Ape silently overlooks further files below contracts/. Copies of libraries in .cache count, which
# it leaves there in a checkout below the temporary directory.
_MOST_FILES = 500
# What Ape says when it has kept only a part of a dependency, as an interruption may leave it.
_HALF_A_DEPENDENCY = re.compile(r"\.cache/.* not found|File import callback not supported")


def compile_all() -> None:
    """Compile the contracts unless their sources are as they were when this was last done.

    Raises:
        SetupError: they do not compile; the compiler's words are in the log.
    """
    if is_compiled():
        return
    _compile("contracts, half a minute at most")
    if _files_ape_reads() > _MOST_FILES:
        _forget_dependencies()
        _compile("contracts again, as another project has left larger libraries with Ape")
    if _files_ape_reads() > _MOST_FILES:
        raise SetupError(
            f"more than {_MOST_FILES} files lie below contracts/, copies of libraries in .cache"
            " included: Ape overlooks the rest, so take fewer in ape-config.yaml"
        )
    stamp.write(_STAMP, _facts())


def is_compiled() -> bool:
    """Whether what is in `.build` is of the sources as they are now."""
    return stamp.read(_STAMP) == _facts()


def _facts() -> stamp.Facts:
    sources = [path for path in sorted(_SOURCES.rglob("*.sol")) if ".cache" not in path.parts]
    return {
        "inputs": stamp.digest([ROOT / "ape-config.yaml", ROOT / "package-lock.json", *sources]),
        "compiler": compiler.VERSION,
    }


def _files_ape_reads() -> int:
    return sum(1 for file in _SOURCES.rglob("*.*") if file.is_file())


def _compile(title: str) -> None:
    # By force: Ape overlooks that a file which a contract imports has changed.
    command: list[str | Path] = [VENV / "bin" / "ape", "compile", "--force"]
    try:
        run(title, command, _LOG)
    except SetupError:
        output = read_log(_LOG)
        if not _HALF_A_DEPENDENCY.search(output):
            print(output[output.find("ERROR:") :], file=sys.stderr, flush=True)
            raise SetupError("contracts do not compile: see the compiler's words above") from None
        _forget_dependencies()
        run("contracts again, with fresh libraries", command, _LOG)


def _forget_dependencies() -> None:
    for folder in (_SOURCES / ".cache", _STAMP.parent):
        shutil.rmtree(folder, ignore_errors=True)
    ape = Path(os.environ.get("APE_DATA_FOLDER", Path.home() / ".ape"))
    for library in ("@openzeppelin_contracts", "solady"):
        for cache in ("projects", "manifests", "api"):
            shutil.rmtree(ape / "packages" / cache / library, ignore_errors=True)
