"""What a seller reads at the command line: what is spent, what a round costs, what does not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from d2m.cli.commands.seller import serve_seller
from d2m.cli.main import main
from d2m.cli.options.common import Serving
from d2m.cli.options.seller import Offering, Privacy
from d2m.data.files import write_samples
from d2m.learning.defaults import SPECS
from d2m.parties.seller.seller import train_honestly
from d2m.privacy.errors import LedgerError, PrivacyError
from d2m.privacy.ledger import LEDGER_FILE, PrivacyLedger
from d2m.privacy.terms import Spending

CHOSEN = {"mechanism": "per-example", "clip": 1.0, "noise": 1.1, "epsilon": 8.0, "delta": 1e-5}


def shown(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["seller", "privacy", *(str(each) for each in arguments)])


def spend(folder: Path) -> None:
    PrivacyLedger(folder).release(
        identity="a",
        job="31337/0xJobs/1",
        round_number=1,
        kind="per-update",
        spending=Spending(1.0, 1.0, 1),
        budget=(8.0, 1e-5),
        compute=lambda: b"answer",
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "own.npz"
    labels = np.zeros(120, dtype=np.uint8)
    write_samples(path, np.zeros((120, 1, 8, 8), dtype=np.uint8), labels)
    return path


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "job.json"
    path.write_bytes(SPECS["digits"](bytes(32)).to_bytes())
    return path


def test_what_is_spent_is_shown(tmp_path: Path) -> None:
    budget = ("--epsilon", 8, "--delta", "1e-5", "--ledger", tmp_path / "own")
    assert "spent ε = 0.000 of 8 at δ = 1e-05 by 0 released update(s)" in shown(*budget).output
    spend(tmp_path / "own")
    assert (
        "spent ε = 4.753 of 8 at δ = 1e-05 by 1 released update(s) in 1 job(s)"
        in shown(*budget).output
    )


def test_what_a_round_costs_is_shown(tmp_path: Path, data: Path, spec: Path) -> None:
    terms = ("--privacy", "per-example", "--clip", 1, "--noise", 1.1, "--epsilon", 8)
    rest = ("--delta", "1e-5", "--ledger", tmp_path / "own", "--data", data, "--spec", spec)
    result = shown(*terms, *rest)
    assert result.exit_code == 0, result.output
    assert "(24 steps, rate 0.1333); the budget allows 3 more round(s)" in result.output
    spend(tmp_path / "own")
    assert "the budget allows 1 more round(s)" in shown(*terms, *rest).output


@pytest.mark.parametrize(
    ("left_out", "remedy"),
    [("--epsilon", "--epsilon"), ("--delta", "--delta"), ("--ledger", "--ledger")],
)
def test_showing_takes_the_folder_and_the_budget(
    tmp_path: Path, left_out: str, remedy: str
) -> None:
    options = {"--epsilon": "8", "--delta": "1e-5", "--ledger": str(tmp_path)}
    del options[left_out]
    result = shown(*(item for pair in options.items() for item in pair))
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert remedy in result.output
    assert result.output.count("\n") == 1


def test_a_damaged_ledger_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / LEDGER_FILE).write_text("nothing")
    result = shown("--epsilon", 8, "--delta", "1e-5", "--ledger", tmp_path)
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert "restore it from a back-up" in result.output


def serve(data: Path, training=train_honestly, **privacy: object) -> None:
    """Everything that these tests give it is refused before it looks at its session."""
    chosen = Privacy(**{**dict.fromkeys([*CHOSEN, "ledger"]), **privacy})
    offering, serving = Offering(data, ("digits",), None), Serving(None, None, (), None, 5, None)
    serve_seller(None, offering, chosen, serving, training=training)


@pytest.mark.parametrize("alone", ["clip", "noise", "epsilon", "delta"])
def test_options_that_would_do_nothing_are_refused(data: Path, alone: str) -> None:
    with pytest.raises(PrivacyError, match=f"--{alone} without --privacy protects nothing"):
        serve(data, **{alone: CHOSEN[alone]})


@pytest.mark.parametrize("missing", ["clip", "noise", "epsilon", "delta", "ledger"])
def test_privacy_is_chosen_in_whole(data: Path, tmp_path: Path, missing: str) -> None:
    chosen = {**CHOSEN, "ledger": tmp_path, missing: None}
    with pytest.raises(PrivacyError, match=f"--privacy needs --{missing} too"):
        serve(data, **chosen)


def test_what_does_not_fit_the_data_or_the_ledger_is_refused_before_a_bond_is_paid(
    data: Path, tmp_path: Path
) -> None:
    chosen = {**CHOSEN, "ledger": tmp_path / "own"}
    with pytest.raises(PrivacyError, match="one of 120 records"):
        serve(data, **{**chosen, "delta": 0.01})
    with pytest.raises(PrivacyError, match="honest sellers"):
        serve(data, training=lambda *arguments: None, **chosen)
    spend(tmp_path / "own")
    (tmp_path / "own" / LEDGER_FILE).write_text("nothing")
    with pytest.raises(LedgerError, match="restore"):
        serve(data, **chosen)
