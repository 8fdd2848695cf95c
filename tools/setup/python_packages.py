"""The virtual environment `.venv` with the pinned Python packages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tools.setup import stamp
from tools.setup.console import ROOT, SetupError, run, say

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"

_REQUIREMENTS = ROOT / "requirements"
_LOCKS = ("build", "lock", "torch")
_HOOK = ROOT / "tools" / "setup" / "d2m_tools.pth"
_STAMP = VENV / ".d2m-stamp"
_CPU_WHEELS = "https://download.pytorch.org/whl/cpu"
_TORCH_CHOICES = ("cpu", "cuda")
_CUDA_GB = 4.6
"""Disk space of PyTorch 2.13 and its CUDA libraries; the CPU build takes 0.8."""


def install() -> None:
    """Make `.venv` anew unless it is complete and of the pinned packages.

    A complete environment keeps its Python and its PyTorch build; only PYTHON and D2M_TORCH, set
    to something else, replace them.

    Raises:
        SetupError: a package cannot be installed.
    """
    wanted = {
        "inputs": stamp.digest([*(_REQUIREMENTS / f"{name}.txt" for name in _LOCKS), _HOOK]),
        "root": str(ROOT),  # an environment does not survive being moved
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "torch": _torch_choice(),
    }
    present = stamp.read(_STAMP)
    if not os.environ.get("D2M_TORCH"):
        wanted["torch"] = present.get("torch", wanted["torch"])
    if present == wanted and PYTHON.exists():
        return
    # From scratch each time, as what an interrupted installation leaves behind is anybody's guess.
    run(
        f"virtual environment (Python {wanted['python']})",
        [sys.executable, "-m", "venv", "--clear", VENV],
        "venv",
    )
    _install_locked()
    wanted["torch"] = _install_torch(wanted["torch"])
    run("consistency of the packages", [*_pip(), "check"], "pip-check")
    _install_hook()
    stamp.write(_STAMP, wanted)


def _pip() -> list[str | Path]:
    return [PYTHON, "-m", "pip"]


def _install_locked() -> None:
    # The lock is complete but for PyTorch, which Opacus would fetch with several GB of CUDA.
    options = ["--require-hashes", "--no-deps", "--use-pep517", "--no-build-isolation"]
    for name, title in (("build", "build tool"), ("lock", "Python packages, 1 to 3 minutes")):
        run(
            title,
            [*_pip(), "install", *options, "-r", _REQUIREMENTS / f"{name}.txt"],
            f"pip-{name}",
        )


def _torch_choice() -> str:
    choice = os.environ.get("D2M_TORCH") or "cpu"
    if choice not in _TORCH_CHOICES:
        raise SetupError(f"D2M_TORCH={choice} is unknown: set it to {' or '.join(_TORCH_CHOICES)}")
    return choice


def _install_torch(choice: str) -> str:
    """Install the pinned PyTorch; the build that was taken, of `_TORCH_CHOICES`."""
    if choice == "cpu":
        return install_torch_cpu(PYTHON)
    _install_index_torch(PYTHON, choice)
    return choice


def install_torch_cpu(python: Path) -> str:
    """Install the pinned PyTorch's CPU build into an environment; the build that was taken.

    Where there is none, and D2M_TORCH does not insist on it, the package index's own build is
    taken: larger, and as good on the CPU. Raises SetupError.
    """
    if sys.platform != "linux":
        _install_index_torch(python, "cpu")
        _check_torch_is_cpu(python)
        return "cpu"
    # Named with `+cpu`, which PyPI never carries, so that no index can answer with several GB of
    # CUDA. First where the user's pip configuration points (a mirror, a folder), then at PyTorch.
    wanted = ["--no-deps", f"torch=={_torch_version()}+cpu"]
    sources: dict[str, list[str]] = {
        "your package index": [],
        "pytorch.org": ["--index-url", _CPU_WHEELS],
    }
    for number, (source, options) in enumerate(sources.items()):
        title = f"PyTorch {_torch_version()}, CPU build, from {source}"
        install: list[str | Path] = [python, "-m", "pip", "install", *wanted, *options]
        try:
            run(title, install, f"pip-torch-cpu-{number}", on_failure="not there")
        except SetupError as error:
            refusal = error
            continue
        _check_torch_is_cpu(python)
        return "cpu"
    if os.environ.get("D2M_TORCH"):
        raise SetupError(f"{refusal}; without D2M_TORCH your package index's build is taken")
    say(
        "PyTorch's CPU build cannot be had: your package index's build is taken, which brings CUDA"
        f" along, {_CUDA_GB} GB on the disk, and works on the CPU (D2M_TORCH=cpu insists)"
    )
    _install_index_torch(python, "your package index's build")
    return "cuda"


def _install_index_torch(python: Path, build: str) -> None:
    version = _torch_version()
    command: list[str | Path] = [python, "-m", "pip", "install", f"torch=={version}"]
    run(f"PyTorch {version} ({build})", command, "pip-torch")


def _torch_version() -> str:
    pin = re.search(
        r"^torch==(\S+)$", (_REQUIREMENTS / "torch.txt").read_text(encoding="utf-8"), re.MULTILINE
    )
    if pin is None:
        raise SetupError("requirements/torch.txt does not pin torch")
    return pin.group(1)


def _check_torch_is_cpu(python: Path) -> None:
    probe = "import torch; print(torch.version.cuda or 'cpu')"
    build = subprocess.run([python, "-c", probe], capture_output=True, text=True, check=False)
    if build.stdout.strip() != "cpu":
        found = build.stdout.strip() or build.stderr.strip().splitlines()[-1]
        raise SetupError(
            f"PyTorch is no working CPU build ({found}): set D2M_TORCH=cuda to take another"
        )


def _install_hook() -> None:
    """Let every Python of `.venv` find the project's compiler and chain, activated or not."""
    packages = (
        VENV / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    )
    (packages / _HOOK.name).write_bytes(_HOOK.read_bytes())
