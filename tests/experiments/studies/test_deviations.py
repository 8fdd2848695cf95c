"""Rounds of the vote with the contracts' pay and slash; jobs with lazy and poisoning sellers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d2m.incentives.chances import Vote
from d2m.protocol.likelihood import Pool
from d2m.protocol.sortition import asked_after
from experiments.studies import deviations
from experiments.studies.deviations import (
    JOB,
    LIE,
    NODE_DEVIATIONS,
    SEATS,
    SILENCE_BPS,
    TRUE,
    WRONG_AUDIT_BPS,
    play_nodes,
    play_round,
    play_sellers,
)

POT = (JOB.price - JOB.gain) / JOB.rules.rounds
STAKE = JOB.stake_unit
IN_ORDER = [list(range(SEATS))] * 2
FIRST = asked_after(JOB.rules.base, 1, SEATS)


def test_honest_nodes_share_the_round_s_pay() -> None:
    outcome = play_round(JOB, {}, IN_ORDER)
    assert outcome.accepted == TRUE
    assert set(outcome.payoffs.values()) == {POT / len(outcome.payoffs)}


@settings(deadline=None)
@given(
    kind=st.sampled_from([*NODE_DEVIATIONS]),
    nodes=st.integers(0, JOB.tolerated),
    seed=st.integers(0, 99),
)
def test_no_wei_comes_or_goes(kind: str, nodes: int, seed: int) -> None:
    """What is slashed goes to the right votes: together they have the round's pay."""
    random = np.random.default_rng(seed)
    orders = [random.permutation(SEATS).tolist() for _ in range(2)]
    outcome = play_round(JOB, dict.fromkeys(range(nodes), kind), orders)
    assert outcome.accepted in (TRUE, LIE)
    assert sum(outcome.payoffs.values()) == pytest.approx(POT, rel=1e-6)


def test_a_copier_loses_by_its_audit_word_or_its_result() -> None:
    asked_first = play_round(JOB, {0: "copier"}, IN_ORDER).payoffs
    assert asked_first[0] == -STAKE / 2
    later = play_round(JOB, {FIRST: "copier"}, IN_ORDER).payoffs
    assert later[FIRST] == -STAKE * WRONG_AUDIT_BPS / 10_000
    silent = play_round(JOB, {0: "silent"}, IN_ORDER).payoffs
    assert silent[0] == -STAKE * SILENCE_BPS / 10_000


def test_who_joins_once_outnumbered_loses_one_vote_and_no_more() -> None:
    """Seats 0 and FIRST lie: the second is asked when the true digest leads."""
    stubborn = play_round(JOB, {0: "bribed", FIRST: "bribed"}, IN_ORDER).payoffs
    joining = play_round(JOB, {0: "joining", FIRST: "joining"}, IN_ORDER).payoffs
    assert (stubborn[0], stubborn[FIRST]) == (-STAKE / 2, -STAKE / 2)
    assert joining[0] == -STAKE / 2
    assert joining[FIRST] > 0


def test_who_waits_for_the_order_never_loses() -> None:
    row = play_nodes("waiting", 24, 500)
    assert row.lies > 0.1
    assert row.deviating > 0


@pytest.mark.parametrize("kind", ["bribed", "joining", "waiting"])
def test_lies_are_accepted_as_often_as_the_chances_say(kind: str) -> None:
    rounds, nodes = 1500, 26
    row = play_nodes(kind, nodes, rounds)
    vote = Vote(Pool(SEATS, JOB.rules.byzantine_bps), JOB.rules.base, JOB.rules.error_ppm)
    exact = vote.against(nodes, joining=kind == "joining").wrong
    assert row.lies == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / rounds))
    assert row.least_bribe == (0 if kind == "waiting" else JOB.bribe(nodes).each)


def test_constants_are_the_pool_s() -> None:
    pool = Path("contracts/cone/ConePool.sol").read_text()
    assert f"WRONG_AUDIT_BPS = {WRONG_AUDIT_BPS};" in pool
    assert f"SILENCE_BPS = {SILENCE_BPS};" in pool


def test_lazy_and_poisoning_sellers_earn_less() -> None:
    """In a job where both of them earn when they are honest."""
    rows = {kind: play_sellers(kind, 2, [1]) for kind in ("lazy", "sign_flip")}
    for row in rows.values():
        assert row.honest > JOB.gain / 100
        assert row.deviating < row.honest / 100
        assert (row.gained, row.jobs) == (0, 1)


def test_the_study_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deviations, "NODE_DEVIATIONS", {"bribed": (1, 30), "copier": (1,)})
    monkeypatch.setattr(deviations, "SELLER_BEHAVIOURS", ("lazy",))
    monkeypatch.setattr(deviations, "SELLER_COUNTS", (1,))
    list(deviations.STUDY.run(tmp_path, rounds=50, seeds=1))
    found = json.loads((tmp_path / "deviations.json").read_text())
    assert [row["kind"] for row in found["nodes"]] == ["bribed", "bribed", "copier"]
    page = (tmp_path / "deviations.md").read_text()
    assert "| bribed | 1 |" in page
    assert "| lazy | 1 |" in page
    assert "in the honest region" in page
