"""Which Python the set-up takes, tried with interpreters made for the test."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BASE = str(Path(getattr(sys, "_base_executable", sys.executable)))


@dataclass
class Machine:
    """A checkout and a PATH on which nothing is installed but what a test puts there."""

    folder: Path

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    def add_python(self, place: Path, version: tuple[int, int, int], venv: bool = True) -> None:
        """An interpreter that says it is of this version; the real one answers otherwise."""
        lie = (
            f"import sys; sys.version_info = ({version[0]}, {version[1]}, {version[2]}, 'final', 0)"
        )
        hide = "" if venv else "; sys.modules['ensurepip'] = None"
        name = f"; sys._base_executable = '{place}'"
        self._program(place, f'exec {BASE} -c "{lie}{hide}{name}; exec(sys.argv[2])" "$@"')

    def add_uv(self, python: Path) -> None:
        """A uv that can install one Python, after which it finds it."""
        self._program(self.bin / "uv", f'[ "$1 $2" = "python find" ] && echo {python} || true')

    def find(self, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.bin / "bash"), str(self.folder / "tools/setup/find_python.sh")],
            env={"PATH": str(self.bin), "HOME": str(self.folder / "home"), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def _program(self, place: Path, body: str) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"#!/bin/sh\n{body}\n")
        place.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    made.bin.mkdir()
    for tool in ("bash", "dirname"):
        (made.bin / tool).symlink_to(str(shutil.which(tool)))
    (tmp_path / "tools/setup").mkdir(parents=True)
    shutil.copy(ROOT / "tools/setup/find_python.sh", tmp_path / "tools/setup")
    return made


@pytest.mark.parametrize("version", [(3, 10, 13), (3, 11, 7), (3, 12, 1)])
def test_takes_a_suitable_python(machine: Machine, version: tuple[int, int, int]) -> None:
    python = machine.bin / "python3"
    machine.add_python(python, version)
    assert machine.find().stdout == f"{python}\n"


def test_passes_over_unsuitable_ones(machine: Machine) -> None:
    machine.add_python(machine.bin / "python3.11", (3, 11, 2), venv=False)
    machine.add_python(machine.bin / "python3", (3, 13, 0))
    machine.add_python(machine.bin / "python3.10", (3, 10, 1))
    assert machine.find().stdout == f"{machine.bin / 'python3.10'}\n"


def test_finds_pyenv_versions_that_are_not_on_the_path(machine: Machine) -> None:
    hidden = machine.folder / "home/.pyenv/versions/3.12.1/bin/python"
    machine.add_python(machine.bin / "python3", (3, 13, 0))
    machine.add_python(hidden, (3, 12, 1))
    assert machine.find().stdout == f"{hidden}\n"


def test_keeps_the_python_of_a_present_environment(machine: Machine) -> None:
    inside = machine.folder / ".venv/bin/python"
    machine.add_python(inside, (3, 10, 1))
    machine.add_python(machine.bin / "python3.11", (3, 11, 1))
    assert machine.find().stdout == f"{inside}\n"


def test_names_the_base_interpreter_of_a_virtual_environment(machine: Machine) -> None:
    (machine.bin / "python3").symlink_to(sys.executable)
    assert Path(machine.find().stdout.strip()).resolve() == Path(BASE).resolve()


def test_asks_uv_when_only_newer_ones_are_there(machine: Machine) -> None:
    from_uv = machine.folder / "uv/python3.11"
    machine.add_python(machine.bin / "python3", (3, 13, 0))
    machine.add_python(from_uv, (3, 11, 9))
    machine.add_uv(from_uv)
    assert machine.find().stdout == f"{from_uv}\n"


def test_says_in_one_line_what_to_install(machine: Machine) -> None:
    machine.add_python(machine.bin / "python3", (3, 13, 0))
    machine.add_python(machine.bin / "python3.11", (3, 11, 2), venv=False)
    answer = machine.find()
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr.count("\n") == 1
    assert "python3 is 3.13.0" in answer.stderr
    assert "apt install python3.11-venv" in answer.stderr


def test_python_variable_goes_before_all_others(machine: Machine) -> None:
    named = machine.folder / "mine/python"
    machine.add_python(named, (3, 10, 4))
    machine.add_python(machine.bin / "python3.11", (3, 11, 1))
    assert machine.find(PYTHON=str(named)).stdout == f"{named}\n"


def test_an_unsuitable_python_variable_is_an_error(machine: Machine) -> None:
    named = machine.folder / "mine/python"
    machine.add_python(named, (3, 9, 4))
    machine.add_python(machine.bin / "python3.11", (3, 11, 1))
    answer = machine.find(PYTHON=str(named))
    assert answer.returncode == 1
    assert answer.stderr.count("\n") == 1
    assert "is 3.9.4" in answer.stderr
