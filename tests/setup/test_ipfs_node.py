from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts._setup import ipfs_node
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
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the node's files, to be installed into an empty place."""
    source = shutil.copytree(ipfs_node._SOURCE, tmp_path / "source")
    monkeypatch.setattr(ipfs_node, "NODE", tmp_path / "ipfs")
    monkeypatch.setattr(ipfs_node, "_STAMP", tmp_path / "ipfs" / ".d2m-stamp")
    monkeypatch.setattr(ipfs_node, "_FILES", sorted(source.iterdir()))
    return source


def install(monkeypatch: pytest.MonkeyPatch, npm: Npm) -> int:
    monkeypatch.setattr(ipfs_node, "run", npm)
    ipfs_node.install()
    return npm.calls


def test_a_complete_node_is_not_installed_again(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert install(monkeypatch, Npm()) == 1
    assert (ipfs_node.NODE / "devnode.mjs").read_text() == (source / "devnode.mjs").read_text()
    assert install(monkeypatch, Npm()) == 0


def test_an_interrupted_installation_is_redone(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SetupError):
        install(monkeypatch, Npm(fails=True))
    assert install(monkeypatch, Npm()) == 1


def test_another_program_is_installed_anew(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Npm())
    (source / "devnode.mjs").write_text("// another one")
    assert install(monkeypatch, Npm()) == 1


def test_the_lock_serves_every_machine_and_pins_by_hash() -> None:
    lock = json.loads((ipfs_node._SOURCE / "package-lock.json").read_text())
    installed = {name: entry for name, entry in lock["packages"].items() if name}
    assert len(installed) > 100
    assert not [name for name, entry in installed.items() if "resolved" in entry]
    assert all("integrity" in entry for entry in installed.values())
