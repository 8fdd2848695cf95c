"""geth and Kubo: built once from what is pinned, left out where there is no Go."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from d2m.clients import binaries
from tools.setup import real_clients
from tools.setup.console import ROOT, SetupError


class Go:
    """Takes the place of the build, which fails as long as it is told to."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.calls = 0

    def __call__(self, title: str, command: Sequence[str | Path], _log_name: str) -> None:
        self.calls += 1
        assert command[:2] == ["go", "build"]
        if self.fails:
            raise SetupError(title)


@pytest.fixture
def clients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for the clients, and a Go on the PATH."""
    folder, programs = tmp_path / "clients", tmp_path / "bin"
    programs.mkdir()
    (programs / "go").write_text("#!/bin/sh\n")
    (programs / "go").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(real_clients, "CLIENTS", folder)
    monkeypatch.setattr(real_clients, "_STAMP", folder / "stamp")
    return folder


def build(monkeypatch: pytest.MonkeyPatch, go: Go) -> int:
    monkeypatch.setattr(real_clients, "run", go)
    real_clients.install()
    return go.calls


def test_what_is_built_is_kept_until_a_pin_changes(
    clients: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert build(monkeypatch, Go()) == 1
    assert build(monkeypatch, Go()) == 0
    other = tmp_path / "go.mod"
    other.write_text("module other\n")
    monkeypatch.setattr(real_clients, "_INPUTS", [other])
    assert build(monkeypatch, Go()) == 1


def test_a_build_that_failed_is_tried_again(clients: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SetupError):
        build(monkeypatch, Go(fails=True))
    assert build(monkeypatch, Go()) == 1


def test_without_go_they_are_left_out_with_one_line(
    clients: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert build(monkeypatch, Go()) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert "Go is not on the PATH" in line
    monkeypatch.setattr(binaries, "FOLDER", clients)
    assert "run tools/setup/setup.sh clients" in binaries.skip_reason()


def test_every_module_is_pinned_by_checksum() -> None:
    module = ROOT / "tools" / "setup" / "clients"
    versions = re.findall(
        r"^\t(?:require )?(\S+/\S+) (v\S+)", (module / "go.mod").read_text(), re.MULTILINE
    )
    sums = (module / "go.sum").read_text()
    assert len(versions) > 100
    for name, version in versions:
        assert f"{name} {version}/go.mod h1:" in sums
