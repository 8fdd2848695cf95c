"""The ledger counts every release once, whatever happens to the process, and never too little."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from d2m.privacy.accountant import spent_epsilon
from d2m.privacy.errors import BudgetSpent, LedgerError
from d2m.privacy.ledger import LEDGER_FILE, PrivacyLedger
from d2m.privacy.terms import Spending

BUDGET = (8.0, 1e-5)
COST = Spending(1.0, 1.0, 1)
"""ε = 4.7 at δ = 1e-5; twice it is 7.1, thrice 9.0."""


def release(
    ledger: PrivacyLedger,
    identity: str = "first",
    answer: bytes = b"answer",
    *,
    round_number: int = 1,
    compute: Callable[[], bytes] | None = None,
) -> bytes:
    return ledger.release(
        identity=identity,
        job="31337/0xJobs/1",
        round_number=round_number,
        kind="per-update",
        spending=COST,
        budget=BUDGET,
        compute=compute or (lambda: answer),
    )


def nothing_computed() -> bytes:
    raise AssertionError("a refused or recorded release is not computed")


def killed_while(ledger: PrivacyLedger, doing: Callable[[], None]) -> None:
    """Run `doing` in a process of its own that ends by kill -9."""
    child = os.fork()
    if not child:
        try:
            doing()
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL


def kill_myself(*_arguments: object) -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)
    return b""


def test_a_release_is_counted_once_and_answered_alike(tmp_path: Path) -> None:
    ledger = PrivacyLedger(tmp_path / "own")
    assert ledger.spent(1e-5) == 0
    assert release(ledger) == b"answer"
    again = PrivacyLedger(tmp_path / "own")
    assert release(again, compute=nothing_computed) == b"answer"
    assert again.spent(1e-5) == spent_epsilon([COST], 1e-5)


def test_another_release_is_counted_beside_it(tmp_path: Path) -> None:
    ledger = PrivacyLedger(tmp_path)
    release(ledger)
    release(ledger, "second", b"other")
    assert len(ledger.releases()) == 2
    assert ledger.spent(1e-5) == spent_epsilon([COST, COST], 1e-5)


def test_past_the_budget_nothing_is_computed_or_recorded(tmp_path: Path) -> None:
    ledger = PrivacyLedger(tmp_path)
    release(ledger)
    release(ledger, "second", b"other")
    before = (tmp_path / LEDGER_FILE).read_bytes()
    with pytest.raises(BudgetSpent, match="past the budget of 8 at"):
        release(ledger, "third", compute=nothing_computed)
    assert (tmp_path / LEDGER_FILE).read_bytes() == before
    assert release(ledger, compute=nothing_computed) == b"answer"  # it was paid for


def test_killed_while_it_computes_it_has_released_nothing(tmp_path: Path) -> None:
    ledger = PrivacyLedger(tmp_path)
    killed_while(ledger, lambda: release(ledger, compute=kill_myself) and None)
    assert ledger.releases() == ()
    assert release(ledger, answer=b"fresh") == b"fresh"  # the dead process holds no lock
    assert len(ledger.releases()) == 1


def test_killed_before_it_is_recorded_the_answer_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = PrivacyLedger(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(PrivacyLedger, "_record", kill_myself)
        killed_while(ledger, lambda: release(ledger) and None)
    assert ledger.releases() == ()
    assert len(list(tmp_path.glob("*.answer"))) == 1
    assert release(ledger, answer=b"fresh") == b"fresh"
    assert len(ledger.releases()) == 1


def test_killed_after_it_is_recorded_the_recorded_answer_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = PrivacyLedger(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(PrivacyLedger, "_forget", kill_myself)
        killed_while(ledger, lambda: release(ledger) and None)
    assert len(ledger.releases()) == 1
    assert release(ledger, compute=nothing_computed) == b"answer"


def test_a_recorded_answer_that_is_gone_or_changed_is_released_anew_and_counted(
    tmp_path: Path,
) -> None:
    ledger = PrivacyLedger(tmp_path)
    release(ledger)
    (path,) = tmp_path.glob("*.answer")
    path.write_bytes(b"changed")
    assert release(ledger, answer=b"second") == b"second"
    assert len(ledger.releases()) == 2
    assert release(ledger, compute=nothing_computed) == b"second"


def test_answers_of_earlier_rounds_are_forgotten_and_stay_counted(tmp_path: Path) -> None:
    ledger = PrivacyLedger(tmp_path)
    release(ledger)
    release(ledger, "second", b"other", round_number=2)
    assert [path.read_bytes() for path in tmp_path.glob("*.answer")] == [b"other"]
    assert len(ledger.releases()) == 2


def test_processes_that_share_a_ledger_wait_for_each_other(tmp_path: Path) -> None:
    children = []
    for number in range(6):
        child = os.fork()
        if not child:
            try:
                release(PrivacyLedger(tmp_path), f"of {number}", str(number).encode())
            except BudgetSpent:
                os._exit(3)
            os._exit(0)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert sorted(codes) == [0, 0, 3, 3, 3, 3]
    assert len(PrivacyLedger(tmp_path).releases()) == 2


def test_the_ledger_is_the_owners_alone(tmp_path: Path) -> None:
    release(PrivacyLedger(tmp_path / "own"))
    paths = [tmp_path / "own", *(tmp_path / "own").iterdir()]
    assert all(path.stat().st_mode & 0o077 == 0 for path in paths)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "{}",
        lambda text: "[]",
        lambda text: "\udcff".encode("utf-8", "surrogateescape").decode("latin-1") + text,
        lambda text: text.replace('"steps": 1', '"steps": 0'),
        lambda text: text.replace('"noise": 1.0', '"noise": 9.0'),
        lambda text: text.replace('"version": 1', '"version": 2'),
        lambda text: json.dumps({**json.loads(text), "releases": []}),
    ],
)
def test_a_damaged_ledger_is_refused_and_left_alone(
    tmp_path: Path, damage: Callable[[str], str]
) -> None:
    ledger = PrivacyLedger(tmp_path)
    release(ledger)
    file = tmp_path / LEDGER_FILE
    damaged = damage(file.read_text())
    assert damaged != file.read_text()
    file.write_text(damaged)
    for action in (ledger.releases, lambda: release(ledger, compute=nothing_computed)):
        with pytest.raises(LedgerError, match="restore it from a back-up"):
            action()
    assert file.read_text() == damaged


def test_a_ledger_that_cannot_be_written_releases_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    ledger = PrivacyLedger(tmp_path / "file" / "own")
    with pytest.raises(LedgerError, match="cannot be written"):
        release(ledger, compute=nothing_computed)


def test_a_full_disk_releases_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = PrivacyLedger(tmp_path)

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(LedgerError, match="No space left"):
            release(ledger)
    assert ledger.releases() == ()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
