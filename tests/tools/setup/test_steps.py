"""The steps of the set-up: what they skip, what they redo, what they say when something lacks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tools.setup import console, node_packages, python_packages, stamp
from tools.setup.console import ROOT, SetupError


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the set-up and of its inputs, with nothing set up."""
    shutil.copytree(ROOT / "tools/setup", tmp_path / "tools/setup")
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    return tmp_path


def set_up(checkout: Path, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.setup.main"],
        cwd=checkout,
        env={"PATH": str(path), "HOME": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
    )


def put_node(folder: Path, version: str) -> None:
    folder.mkdir()
    for name in ("node", "npm"):
        (folder / name).write_text(f"#!/bin/sh\necho {version}\n")
        (folder / name).chmod(0o755)


def test_missing_node_ends_with_one_line_at_once(checkout: Path) -> None:
    answer = set_up(checkout, checkout / "nothing")
    assert answer.returncode == 1
    assert answer.stderr.startswith("set-up: Node.js is not on the PATH: install")
    assert answer.stderr.count("\n") == 1
    assert not (checkout / ".venv").exists()


def test_old_node_ends_with_one_line_at_once(checkout: Path) -> None:
    put_node(checkout / "bin", "v18.20.1")
    answer = set_up(checkout, checkout / "bin")
    assert answer.returncode == 1
    assert answer.stderr.startswith("set-up: Node.js 18.20.1 is too old: install")
    assert answer.stderr.count("\n") == 1


def test_recent_node_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_node(tmp_path / "bin", "v22.1.0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    node_packages.check_node()


class Pip:
    """Takes the place of the commands of the Python step; fails at the one whose title says so."""

    def __init__(self, fails_at: str = "nothing") -> None:
        self.commands: list[list[str]] = []
        self._fails_at = fails_at

    def __call__(
        self, title: str, command: Sequence[str | Path], log_name: str, *, on_failure: str = ""
    ) -> None:
        self.commands.append([str(part) for part in command])
        if self._fails_at in title:
            raise SetupError(title)
        packages = python_packages.VENV / f"lib/python3.{sys.version_info.minor}/site-packages"
        packages.mkdir(parents=True, exist_ok=True)
        python_packages.PYTHON.parent.mkdir(exist_ok=True)
        python_packages.PYTHON.touch()


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for the virtual environment, and a CPU build of PyTorch assumed in it."""
    venv = tmp_path / ".venv"
    monkeypatch.setattr(python_packages, "VENV", venv)
    monkeypatch.setattr(python_packages, "PYTHON", venv / "bin/python")
    monkeypatch.setattr(python_packages, "_STAMP", venv / ".d2m-stamp")
    monkeypatch.setattr(python_packages, "_check_torch_is_cpu", lambda _python: None)
    monkeypatch.delenv("D2M_TORCH", raising=False)
    return venv


def install_python_packages(monkeypatch: pytest.MonkeyPatch, pip: Pip) -> list[list[str]]:
    monkeypatch.setattr(python_packages, "run", pip)
    python_packages.install()
    return pip.commands


def test_complete_packages_are_not_installed_again(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert install_python_packages(monkeypatch, Pip())
    assert install_python_packages(monkeypatch, Pip()) == []


def test_an_interrupted_installation_starts_from_nothing(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SetupError):
        install_python_packages(monkeypatch, Pip(fails_at="Python packages"))
    first = install_python_packages(monkeypatch, Pip())[0]
    assert first == [sys.executable, "-m", "venv", "--clear", str(environment)]


def torch_installed(commands: list[list[str]]) -> list[str]:
    """What was asked of pip, for PyTorch, in order."""
    return [part for command in commands for part in command if part.startswith("torch==")]


def test_the_cpu_build_is_asked_for_first_and_without_its_dependencies(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(python_packages.sys, "platform", "linux")
    commands = install_python_packages(monkeypatch, Pip(fails_at="your package index"))
    torch = [command for command in commands if any("torch==" in part for part in command)]
    assert len(torch) == 2
    for command in torch:
        assert "--no-deps" in command
        assert command[command.index("--no-deps") + 1].endswith("+cpu")


def test_where_no_cpu_build_can_be_had_the_index_s_own_is_taken_and_said(
    environment: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(python_packages.sys, "platform", "linux")
    pip = Pip(fails_at="CPU build")
    version = python_packages._torch_version()
    asked = torch_installed(install_python_packages(monkeypatch, pip))
    assert asked == [f"torch=={version}+cpu", f"torch=={version}+cpu", f"torch=={version}"]
    [line] = capsys.readouterr().out.splitlines()
    assert "GB on the disk" in line
    assert install_python_packages(monkeypatch, Pip()) == []  # it stays
    monkeypatch.setenv("D2M_TORCH", "cpu")
    with pytest.raises(SetupError, match="without D2M_TORCH your package index's build is taken"):
        install_python_packages(monkeypatch, pip)


def test_the_torch_build_once_chosen_stays(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("D2M_TORCH", "cuda")
    assert install_python_packages(monkeypatch, Pip())
    monkeypatch.delenv("D2M_TORCH")
    assert install_python_packages(monkeypatch, Pip()) == []
    monkeypatch.setenv("D2M_TORCH", "cpu")
    assert install_python_packages(monkeypatch, Pip())


def test_an_unknown_torch_build_is_refused(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("D2M_TORCH", "rocm")
    with pytest.raises(SetupError, match="set it to cpu or cuda"):
        install_python_packages(monkeypatch, Pip())


@pytest.mark.parametrize(
    ("output", "remedy"),
    [
        ("npm error code EAI_AGAIN", "HTTPS_PROXY"),
        ("NewConnectionError(...)\nERROR: No matching distribution found", "HTTPS_PROXY"),
        ("OSError: [Errno 28] No space left on device", "make room"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "mirror"),
        ("something\nERROR: of an unknown kind.\n", "ERROR: of an unknown kind"),
        ("", "it wrote nothing"),
    ],
)
def test_failures_are_explained(output: str, remedy: str) -> None:
    assert remedy in console.explain(output)


def test_a_failing_command_names_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "ROOT", tmp_path)
    monkeypatch.setattr(console, "LOGS", tmp_path / "build/setup")
    with pytest.raises(SetupError, match=r"^the step failed: not so\. Log: build/setup/step\.log$"):
        console.run("the step", ["sh", "-c", "echo 'not so'; exit 3"], "step")
    assert "not so" in (tmp_path / "build/setup/step.log").read_text()


def test_a_stamp_tells_of_every_change(tmp_path: Path) -> None:
    inputs = [tmp_path / "one", tmp_path / "two"]
    for file in inputs:
        file.write_text("same")
    before = stamp.digest(inputs)
    inputs[1].write_text("other")
    assert stamp.digest(inputs) != before
    inputs[1].rename(tmp_path / "three")
    (tmp_path / "three").write_text("same")
    assert stamp.digest([inputs[0], tmp_path / "three"]) != before


def test_a_damaged_stamp_counts_as_none(tmp_path: Path) -> None:
    place = tmp_path / "stamp"
    stamp.write(place, {"inputs": "abc"})
    assert stamp.read(place) == {"inputs": "abc"}
    place.write_bytes(place.read_bytes()[:-4])
    assert stamp.read(place) == {}
    os.remove(place)
    assert stamp.read(place) == {}


def test_a_wrapper_puts_its_options_before_those_given(tmp_path: Path) -> None:
    program, wrapper = tmp_path / "program", tmp_path / "wrapper"
    program.write_text('#!/bin/sh\necho "$$ $@"\n')
    program.chmod(0o755)
    wrapper.symlink_to(program)  # what an earlier set-up left there
    for _ in range(2):
        node_packages._wrap(program, wrapper, "--prune-history 100")
    with subprocess.Popen([wrapper, "--port", "1 2"], stdout=subprocess.PIPE, text=True) as run:
        output, _errors = run.communicate()
    assert output.split(maxsplit=1) == [str(run.pid), "--prune-history 100 --port 1 2\n"]
