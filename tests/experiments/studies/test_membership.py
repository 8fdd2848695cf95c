"""The attacks on scores whose truth is known, and one small study."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from d2m.learning.network.model import ModelSpec, initial_weights
from d2m.parties.seller.seller import Samples
from d2m.privacy.terms import PER_EXAMPLE
from experiments.studies import membership
from experiments.studies.membership import SELLERS, STUDY, confidences, play, spent, terms_of
from experiments.studies.membership_attacks import (
    best_threshold,
    by_likelihood,
    by_loss,
    tell_all,
    told,
)
from experiments.studies.membership_table import Setting, most_allowed

MEMBERS = np.array([True] * 100 + [False] * 100)


@pytest.fixture(autouse=True)
def _quick(one_thread: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "TRAINING", replace(membership.TRAINING, epochs=1))
    terms_of.cache_clear()


def test_scores_that_know_tell_all() -> None:
    scores = MEMBERS + np.linspace(0, 0.5, 200)
    judged = told(scores, MEMBERS, best_threshold(scores, MEMBERS))
    assert (judged.advantage, judged.auc, judged.low) == (1, 1, 1)


def test_scores_that_know_nothing_tell_nothing() -> None:
    scores = np.random.default_rng(0).normal(size=200)
    judged = told(scores, MEMBERS, 0.0)
    assert abs(judged.advantage) < 0.15
    assert judged.auc == pytest.approx(0.5, abs=0.1)
    assert told(-1.0 * MEMBERS, MEMBERS, -0.5).advantage == -1


def test_the_rate_of_false_accusations_is_kept() -> None:
    scores = np.concatenate([np.full(100, 5.0), np.arange(100.0)])
    assert told(scores, MEMBERS, 0).low == 0  # 94 others are above
    scores = np.concatenate([np.full(100, 98.5), np.arange(100.0)])
    assert told(scores, MEMBERS, 0).low == 1  # one of a hundred is


def test_the_threshold_is_the_best_of_all() -> None:
    scores = np.array([0.1, 0.4, 0.35, 0.8, 0.9, 0.2])
    members = np.array([False, False, True, True, True, False])
    line = best_threshold(scores, members)
    rates = [
        (scores[members] > x).mean() - (scores[~members] > x).mean() for x in np.arange(0, 1, 0.01)
    ]
    assert (scores[members] > line).mean() - (scores[~members] > line).mean() == pytest.approx(
        max(rates)
    )


def test_likelihoods_find_members_among_records_of_unlike_difficulty() -> None:
    random = np.random.default_rng(1)
    members = random.random((40, 300)) < 0.5
    difficulty = random.normal(0, 10, 300)
    confidence = difficulty + 2.0 * members + random.normal(0, 1, members.shape)
    plain = np.mean([each.advantage for each in tell_all(by_loss(confidence), members)])
    likely = tell_all(by_likelihood(confidence, members), members)
    assert plain < 0.15
    # Two normals two deviations apart: the best threshold has an advantage of 0.68.
    assert np.mean([each.advantage for each in likely]) == pytest.approx(0.67, abs=0.04)


def test_no_record_is_judged_by_its_own_job() -> None:
    """Where membership changes nothing, an attacker that peeked would seem to win."""
    random = np.random.default_rng(2)
    members = random.random((8, 400)) < 0.5
    confidence = random.normal(size=members.shape)
    for scores in (by_loss(confidence), by_likelihood(confidence, members)):
        assert abs(np.mean([each.advantage for each in tell_all(scores, members)])) < 0.025
        peeking = [
            told(own, its, best_threshold(own, its)).advantage
            for own, its in zip(scores, members, strict=True)
        ]
        assert np.mean(peeking) > 0.03


def test_confidences_are_log_odds_of_the_label() -> None:
    spec = ModelSpec("logistic", (1, 2, 2), 3)
    weights = initial_weights(spec, bytes(32))
    inputs = np.arange(20, dtype=np.uint8).reshape(5, 1, 2, 2)
    odds = [
        confidences(spec, weights, Samples(inputs, np.full(5, label, dtype=np.uint8)))
        for label in range(3)
    ]
    assert np.sum(1 / (1 + np.exp(-np.stack(odds))), axis=0) == pytest.approx(np.ones(5))


def test_the_largest_advantage_that_privacy_leaves() -> None:
    assert most_allowed(None, 0.1) == 1
    assert most_allowed(1e-9, 0.0) == pytest.approx(0, abs=1e-9)
    assert most_allowed(1.0, 0.01) == pytest.approx((math.e - 1 + 0.02) / (math.e + 1))


@pytest.mark.parametrize("kind", ["per-example", "per-update"])
def test_the_noise_is_the_least_for_the_budget(kind: str) -> None:
    terms = terms_of(Setting(kind, 8.0), 3)
    assert 7.9 < spent(terms, 3) <= 8.0


def test_a_job_trains_on_half_of_the_pool_and_can_be_played_again() -> None:
    setting = Setting(PER_EXAMPLE, 8.0)
    job, again, other = play(setting, 1, 1), play(setting, 1, 1), play(setting, 2, 1)
    assert job.members.sum() == membership.POOL // 2
    assert job.first.sum() == membership.POOL // 2 // SELLERS
    assert not (job.first & ~job.members).any()
    assert (job.delivered == again.delivered).all()
    assert (job.members != other.members).any()
    assert (play(setting, 0, 1).members == ~job.members).all()  # a pair shares the pool
    assert (job.delivered != play(Setting("none", None), 1, 1).delivered).any()


def test_the_study_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = (Setting("none", None), Setting("per-update", 8.0))
    monkeypatch.setattr(membership, "SETTINGS", settings)
    list(STUDY.run(tmp_path, pairs=2, rounds=1))
    rows = json.loads((tmp_path / "membership.json").read_text())["rows"]
    assert len(rows) == 2 * 3 * 4
    page = (tmp_path / "membership.md").read_text()
    assert page.count("| per-update, ε = 8 |") == 3
    assert (tmp_path / "membership.svg").read_text().startswith("<?xml")
