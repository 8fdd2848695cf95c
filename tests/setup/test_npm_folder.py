"""Programs of the tests that come from npm into folders of their own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts._setup import evm_client, ipfs_node, npm_folder
from scripts._setup.console import SetupError


class Npm:
    """Takes the place of npm, which fails as long as it is told to."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.calls = 0

    def __call__(self, title: str, command: Sequence[str], _log_name: str) -> None:
        self.calls += 1
        assert command[:2] == ["npm", "ci"]
        if self.fails:
            raise SetupError(title)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A program's files, to be installed into an empty place."""
    source = tmp_path / "source"
    source.mkdir()
    for name in ("package.json", "package-lock.json", "node.mjs"):
        (source / name).write_text(f"// {name}")
    return source


def install(source: Path, monkeypatch: pytest.MonkeyPatch, npm: Npm) -> int:
    monkeypatch.setattr(npm_folder, "run", npm)
    npm_folder.install(source.parent / "program", sorted(source.iterdir()), "a program")
    return npm.calls


def test_a_complete_program_is_not_installed_again(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert install(source, monkeypatch, Npm()) == 1
    assert (source.parent / "program" / "node.mjs").read_text() == "// node.mjs"
    assert install(source, monkeypatch, Npm()) == 0


def test_an_interrupted_installation_is_redone(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SetupError):
        install(source, monkeypatch, Npm(fails=True))
    assert install(source, monkeypatch, Npm()) == 1


def test_another_program_is_installed_anew(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(source, monkeypatch, Npm())
    (source / "node.mjs").write_text("// another one")
    assert install(source, monkeypatch, Npm()) == 1


@pytest.mark.parametrize("files", [ipfs_node.FILES, evm_client.FILES])
def test_the_locks_serve_every_machine_and_pin_by_hash(files: Sequence[Path]) -> None:
    [path] = [file for file in files if file.name == "package-lock.json"]
    installed = {
        name: each for name, each in json.loads(path.read_text())["packages"].items() if name
    }
    assert len(installed) > 100
    assert not [name for name, entry in installed.items() if "resolved" in entry]
    assert all("integrity" in entry for entry in installed.values())
