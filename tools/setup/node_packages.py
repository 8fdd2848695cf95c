"""The npm packages: Solidity libraries, local chain, formatter and linter of the contracts."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

from tools.setup import stamp
from tools.setup.console import ROOT, SetupError, run
from tools.setup.python_packages import VENV

MODULES = ROOT / "node_modules"
OLDEST_NODE = 20

_STAMP = MODULES / ".d2m-stamp"
_TOOLS = ("anvil", "forge")
_ANVIL_OPTIONS = "--prune-history 100"
"""Ape says nothing about the states of old blocks, which anvil would then write to the user's
disk, a gigabyte for a few thousand blocks. Nobody asks for any but the last."""
_REMEDY = "install Node.js 20 or newer with npm (https://nodejs.org, nvm, or your package manager)"


def install() -> None:
    """Make `node_modules` anew unless complete and of the pinned packages; link its programs.

    Raises:
        SetupError: a package cannot be installed or does not run here.
    """
    inputs = [ROOT / "package.json", ROOT / "package-lock.json", Path(__file__)]
    wanted = {"inputs": stamp.digest(inputs)}
    if stamp.read(_STAMP) != wanted:
        # No package here needs its install script; `npm ci` starts from an empty folder.
        options = ["--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"]
        run("npm packages, about half a minute", ["npm", "ci", *options], "npm")
        # Compiled copies, which nobody reads and Ape would count as sources (see contracts.py).
        shutil.rmtree(MODULES / "@openzeppelin" / "contracts" / "build")
        for tool in _TOOLS:
            _check_runs(_binary(tool))
        stamp.write(_STAMP, wanted)
    _link(_binary("forge"), VENV / "bin" / "forge")
    _wrap(_binary("anvil"), VENV / "bin" / "anvil", _ANVIL_OPTIONS)


def check_node() -> None:
    """Make sure that there is a Node.js which serves.

    Raises:
        SetupError: Node.js or npm is missing or too old.
    """
    if shutil.which("node") is None or shutil.which("npm") is None:
        missing = "npm" if shutil.which("node") else "Node.js"
        raise SetupError(f"{missing} is not on the PATH: {_REMEDY}")
    version = _output(["node", "--version"]).lstrip("v")
    if not version.split(".")[0].isdigit() or int(version.split(".")[0]) < OLDEST_NODE:
        raise SetupError(f"Node.js {version or '(unknown version)'} is too old: {_REMEDY}")


def _binary(tool: str) -> Path:
    """The program itself, in the package for this platform: npm's wrapper hides its process."""
    binaries = sorted(MODULES.glob(f"@foundry-rs/{tool}-*/bin/{tool}"))
    if not binaries:
        raise SetupError(f"npm has no {tool} for {platform.system()} {platform.machine()}")
    return binaries[0]


def _check_runs(binary: Path) -> None:
    if not _output([str(binary), "--version"]):
        raise SetupError(f"{binary.name} does not run on this system: it needs glibc 2.35 or newer")


def _output(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _link(target: Path, link: Path) -> None:
    relative = os.path.relpath(target, link.parent)
    if link.is_symlink() and os.readlink(link) == relative:
        return
    link.unlink(missing_ok=True)
    link.symlink_to(relative)


def _wrap(target: Path, wrapper: Path, options: str) -> None:
    """Make `wrapper` run `target` with `options` ahead of those given; it becomes that process."""
    script = f'#!/bin/sh\nexec "{target}" {options} "$@"\n'
    if not wrapper.is_symlink() and wrapper.is_file() and wrapper.read_text() == script:
        return
    wrapper.unlink(missing_ok=True)
    wrapper.write_text(script)
    wrapper.chmod(0o755)
