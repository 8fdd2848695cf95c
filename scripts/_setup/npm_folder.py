"""A folder of npm packages of its own, for a program that only some tests run."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from scripts._setup import stamp
from scripts._setup.console import run

STAMP = ".d2m-stamp"


def install(folder: Path, files: Sequence[Path], title: str) -> None:
    """Make `folder` anew from `files`, unless it is complete and of the packages pinned there.

    Raises:
        SetupError: a package cannot be installed.
    """
    mark = folder / STAMP
    wanted = {"inputs": stamp.digest(list(files))}
    if stamp.read(mark) == wanted:
        return
    mark.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:  # a module of Node finds its packages only beside itself
        shutil.copyfile(file, folder / file.name)
    options = ["--ignore-scripts", "--omit=optional", "--prefer-offline", "--no-audit", "--no-fund"]
    where = folder.resolve()  # npm finds no lock behind a symbolic link
    run(title, ["npm", "ci", "--prefix", str(where), *options], f"npm-{folder.name}")
    stamp.write(mark, wanted)
