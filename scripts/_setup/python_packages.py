"""The virtual environment `.venv` with the pinned Python packages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from scripts._setup import stamp
from scripts._setup.console import ROOT, SetupError, run

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"

_REQUIREMENTS = ROOT / "requirements"
_LOCKS = ("build", "lock", "torch")
_HOOK = ROOT / "scripts" / "_setup" / "d2m_tools.pth"
_STAMP = VENV / ".d2m-stamp"
_CPU_WHEELS = "https://download.pytorch.org/whl/cpu"
_TORCH_CHOICES = ("cpu", "cuda")


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
    _install_torch(wanted["torch"])
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


def _install_torch(choice: str) -> None:
    version = _torch_version()
    if sys.platform != "linux" or choice == "cuda":
        run(f"PyTorch {version} ({choice})", [*_pip(), "install", f"torch=={version}"], "pip-torch")
    else:
        install_torch_cpu(PYTHON)
    if choice == "cpu":
        _check_torch_is_cpu()


def install_torch_cpu(python: Path) -> None:
    """Install the pinned PyTorch's CPU build for Linux into an environment. Raises SetupError."""
    # Named with `+cpu`, which PyPI never carries, so that no index can answer with several GB of
    # CUDA. First where the user's pip configuration points (a mirror, a folder), then at PyTorch.
    version = _torch_version()
    title = f"PyTorch {version}, CPU build, from"
    install: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "--no-deps",
        f"torch=={version}+cpu",
    ]
    try:
        run(f"{title} your package index", install, "pip-torch", on_failure="not there")
        return
    except SetupError:
        pass
    try:
        run(f"{title} pytorch.org", [*install, "--index-url", _CPU_WHEELS], "pip-torch-cpu")
    except SetupError as error:
        raise SetupError(
            f"{error}; D2M_TORCH=cuda takes your package index's build (several GB)"
        ) from None


def _torch_version() -> str:
    pin = re.search(
        r"^torch==(\S+)$", (_REQUIREMENTS / "torch.txt").read_text(encoding="utf-8"), re.MULTILINE
    )
    if pin is None:
        raise SetupError("requirements/torch.txt does not pin torch")
    return pin.group(1)


def _check_torch_is_cpu() -> None:
    probe = "import torch; print(torch.version.cuda or 'cpu')"
    build = subprocess.run([PYTHON, "-c", probe], capture_output=True, text=True, check=False)
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
