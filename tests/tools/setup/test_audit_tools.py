from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tools.setup import audit_tools
from tools.setup.console import ROOT, SetupError


class Commands:
    """Takes the place of the commands of the step; fails at the one whose title says so."""

    def __init__(self, fails_at: str = "nothing") -> None:
        self.titles: list[str] = []
        self._fails_at = fails_at

    def __call__(self, title: str, command: Sequence[str | Path], log_name: str) -> None:
        self.titles.append(title)
        if self._fails_at in title:
            raise SetupError(title)


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for the environment of the audit, and a Python that suits it."""
    monkeypatch.setattr(audit_tools, "_STAMP", tmp_path / "audit" / ".d2m-stamp")
    monkeypatch.setattr(audit_tools, "_OLDEST_PYTHON", sys.version_info[:2])
    return tmp_path


def install(monkeypatch: pytest.MonkeyPatch, commands: Commands) -> list[str]:
    monkeypatch.setattr(audit_tools, "run", commands)
    audit_tools.install()
    return commands.titles


def test_complete_tools_are_not_installed_again(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(install(monkeypatch, Commands())) == 4
    assert install(monkeypatch, Commands()) == []


def test_an_interrupted_installation_starts_from_nothing(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SetupError):
        install(monkeypatch, Commands(fails_at="packages of the audit (audit)"))
    assert install(monkeypatch, Commands())[0].startswith("virtual environment")


def test_another_lock_is_installed_anew(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = environment / "audit.txt"
    lock.write_text("one")
    monkeypatch.setattr(audit_tools, "_LOCKS", [lock])
    assert install(monkeypatch, Commands())
    lock.write_text("other")
    assert install(monkeypatch, Commands())


def test_a_python_that_halmos_refuses_is_named_with_a_remedy(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_tools, "_OLDEST_PYTHON", (sys.version_info.major + 1, 0))
    with pytest.raises(SetupError, match=r"PYTHON=python3\.11"):
        install(monkeypatch, Commands())


def test_the_audit_is_pinned_with_hashes() -> None:
    lock = (ROOT / "requirements/audit.txt").read_text()
    entries = [entry for entry in re.split(r"\n(?=\S)", lock) if not entry.startswith("#")]
    assert len(entries) > 50
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==", entry)
        assert "--hash=sha256:" in entry


def test_the_audit_stays_out_of_the_market_environment() -> None:
    market = (ROOT / "requirements/lock.txt").read_text()
    assert not re.search(r"^(slither-analyzer|halmos|z3-solver)==", market, re.MULTILINE)
