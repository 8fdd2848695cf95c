"""The Solidity compiler in `.tools/solcx`, where every Python of `.venv` looks (`d2m_tools.pth`).

Three sources, the first that serves counts: the file or folder named by D2M_SOLC, the official
site, and the npm package `solc`, the same compiler as WebAssembly: same output, but slower.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import platform
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

from tools.setup.console import ROOT, SetupError, say

VERSION = "0.8.37"
COMMIT = "f401782d"
FOLDER = ROOT / ".tools" / "solcx"
COMPILER = FOLDER / f"solc-v{VERSION}"

_WRAPPER = ROOT / "tools" / "setup" / "solc.cjs"
_SITE = "https://binaries.soliditylang.org"
_PLATFORMS = {
    ("linux", "x86_64"): "linux-amd64",
    ("linux", "aarch64"): "linux-arm64",
    ("darwin", "x86_64"): "macosx-amd64",
    ("darwin", "arm64"): "macosx-amd64",  # universal binaries
}
_TIMEOUT_SECONDS = 15.0
_CHUNK = 1 << 20  # bytes


class _Unavailable(Exception):
    """The official site has no compiler for us now."""


def install() -> None:
    """Put the compiler in place unless it is there and answers.

    Raises:
        SetupError: D2M_SOLC is no such compiler, or a download was tampered with, or nothing works.
    """
    named = os.environ.get("D2M_SOLC")
    if COMPILER.exists() and not named and os.access(COMPILER, os.X_OK):
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    if named:
        _take(Path(named).expanduser())
        return
    try:
        _download()
    except _Unavailable as reason:
        say(f"Solidity compiler {VERSION}: from npm, WebAssembly ({reason})")
        _replace_by_link(_WRAPPER)
        _require_version(COMPILER, "the npm package solc")


def reported_version(compiler: Path) -> str:
    """Output of ``compiler --version``, or an empty string where it does not run."""
    try:
        answer = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return answer.stdout


def _require_version(compiler: Path, source: str) -> None:
    if f"{VERSION}+commit.{COMMIT}" not in reported_version(compiler):
        compiler.unlink(missing_ok=True)
        raise SetupError(f"{source} is not a working Solidity compiler {VERSION}+commit.{COMMIT}")


def _take(named: Path) -> None:
    source = named / COMPILER.name if named.is_dir() else named
    if not source.is_file():
        raise SetupError(
            f"D2M_SOLC: no compiler at {source}: name the solc {VERSION} file or its folder"
        )
    unfinished = COMPILER.with_suffix(".new")
    shutil.copyfile(source, unfinished)
    unfinished.chmod(0o755)
    _require_version(unfinished, f"D2M_SOLC={named}")
    unfinished.replace(COMPILER)


def _download() -> None:
    folder = _PLATFORMS.get((sys.platform, platform.machine()))
    if folder is None:
        raise _Unavailable(f"no native one for {platform.system()} {platform.machine()}")
    say(f"Solidity compiler {VERSION} from {_SITE} …")
    name, checksum = _listed(_fetch(f"{_SITE}/{folder}/list.json"))
    content = _fetch(f"{_SITE}/{folder}/{name}", show=True)
    if hashlib.sha256(content).hexdigest() != checksum:
        raise SetupError(
            f"the compiler from {_SITE} does not match its checksum: run the same command again"
        )
    unfinished = COMPILER.with_suffix(".new")
    unfinished.write_bytes(content)
    unfinished.chmod(0o755)
    if COMMIT not in reported_version(unfinished):
        unfinished.unlink()
        raise _Unavailable("the native one does not run here")
    unfinished.replace(COMPILER)


def _listed(catalogue: bytes) -> tuple[str, str]:
    """File name and SHA-256 (hexadecimal) of our compiler in the site's catalogue."""
    try:
        for build in json.loads(catalogue)["builds"]:
            if build["longVersion"] == f"{VERSION}+commit.{COMMIT}":
                return build["path"], build["sha256"].removeprefix("0x")
    except (ValueError, KeyError, TypeError):
        raise _Unavailable("the site answers with something else than its catalogue") from None
    raise _Unavailable("the site does not list this version")


def _fetch(url: str, *, show: bool = False) -> bytes:
    content = bytearray()
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:
            total = int(answer.headers.get("Content-Length", 0))
            while chunk := answer.read(_CHUNK):
                content += chunk
                if show and sys.stdout.isatty():
                    print(f"\r\033[K{len(content) >> 20} of {total >> 20} MB", end="", flush=True)
    except (OSError, http.client.HTTPException):
        raise _Unavailable(f"{_SITE} cannot be reached") from None
    finally:
        if show and sys.stdout.isatty():
            print("\r\033[K", end="", flush=True)
    if total and len(content) != total:
        raise _Unavailable("the download broke off")
    return bytes(content)


def _replace_by_link(target: Path) -> None:
    COMPILER.unlink(missing_ok=True)
    COMPILER.symlink_to(os.path.relpath(target, FOLDER))
