"""What the audit makes of the answers of its tools, which `make audit` runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tools.audit import main as audit
from tools.setup.console import ROOT

SLOT = ("unused-return", "Slots.push")


def element(kind: str, name: str, parent: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": kind, "name": name, "type_specific_fields": {"parent": parent or {}}}


@pytest.fixture
def accepted(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    reasons = {("unused-return", "Slots.*"): "the old value is not needed"}
    monkeypatch.setattr(audit, "ACCEPTED", reasons)
    return reasons


def test_a_place_is_contract_and_function() -> None:
    function = element("function", "push", element("contract", "Slots"))
    assert audit.place(function) == "Slots.push"
    assert audit.place(element("variable", "end", function)) == "Slots.push"
    assert audit.place(element("variable", "SEED", element("contract", "Slots"))) == "Slots.SEED"


def test_an_accepted_finding_is_no_fault(accepted: dict[tuple[str, str], str]) -> None:
    assert audit.unaccepted([SLOT, SLOT]) == []
    assert audit.accepted_lines([SLOT, SLOT]) == [
        "accepted  2  unused-return in Slots.*: the old value is not needed"
    ]


@pytest.mark.parametrize("finding", [("reentrancy-eth", "Slots.push"), ("unused-return", "Pool.x")])
def test_another_finding_is_a_fault(
    accepted: dict[tuple[str, str], str], finding: tuple[str, str]
) -> None:
    assert audit.unaccepted([SLOT, finding]) == [f"slither: {finding[0]} in {finding[1]}"]


def test_a_reason_without_a_finding_is_a_fault(accepted: dict[tuple[str, str], str]) -> None:
    assert audit.unaccepted([]) == [
        "nothing is found any more, remove the reason: unused-return in Slots.*"
    ]


@pytest.mark.parametrize(
    ("exit_code", "cut_off", "held"), [(0, 0, True), (1, 0, False), (2, 0, False), (0, 1, False)]
)
def test_a_proof_holds_on_all_paths_or_not_at_all(exit_code: int, cut_off: int, held: bool) -> None:
    assert audit.holds({"exitcode": exit_code, "num_bounded_loops": cut_off}) is held


@pytest.mark.parametrize("step", [audit.analyse, audit.prove])
def test_a_tool_that_does_not_run_is_a_fault(
    step: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("slither", "halmos"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'no compiler'\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(audit, "_TOOLS", tmp_path)
    monkeypatch.setattr(audit, "_WORK", tmp_path)
    monkeypatch.setattr(audit, "REPORTS", tmp_path)
    faults = step()
    assert faults
    assert all("did not run" in fault and fault.endswith(": no compiler") for fault in faults)


def test_every_proof_says_what_it_proves() -> None:
    for source in (ROOT / "tests/proofs").glob("*.t.sol"):
        lines = source.read_text().splitlines()
        for number, line in enumerate(lines):
            if line.strip().startswith("function check_"):
                above = [text.strip() for text in lines[number - 2 : number]]
                assert any(text.startswith("/// @notice") for text in above), (source.name, line)
