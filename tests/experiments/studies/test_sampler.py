"""The sampler's regret: counted right, and smaller than that of uniform sampling."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from experiments.studies.sampler import (
    EVALUATION,
    FLOOR,
    MARKETS,
    SELLERS,
    STUDY,
    WORST,
    Outcome,
    best_fixed,
    play,
    regret,
    utilities,
)


def test_the_best_fixed_distribution_is_the_floor_and_the_best_seller() -> None:
    gains = np.zeros((3, SELLERS), dtype=np.int64)
    gains[:, 7], gains[0, 9] = 5, 14
    best = best_fixed(gains)
    assert best.sum() == pytest.approx(1)
    assert best[7] == pytest.approx(1 - FLOOR * (SELLERS - 1))
    assert np.delete(best, 7) == pytest.approx(FLOOR)


def test_regret_is_what_the_best_fixed_distribution_gains_more() -> None:
    gains = np.zeros((2, SELLERS), dtype=np.int64)
    gains[:, 0] = EVALUATION // 2
    even = np.full(gains.shape, 1 / SELLERS)
    missed = (1 - FLOOR * (SELLERS - 1) - 1 / SELLERS) / 2
    assert regret(even, gains) == pytest.approx([missed, 2 * missed])
    assert regret(np.tile(best_fixed(gains), (2, 1)), gains) == pytest.approx(0)


def test_a_market_is_the_same_each_time_and_has_its_means() -> None:
    for market, means in MARKETS.items():
        gains = utilities(market, 200, 3)
        assert (gains == utilities(market, 200, 3)).all()
        assert (gains != utilities(market, 200, 4)).any()
        error = gains.mean(axis=0) / EVALUATION - means(200).mean(axis=0)
        assert abs(error).max() < 5 * 0.02 / 200**0.5


def test_what_is_played_are_distributions_that_start_uniform() -> None:
    played = play(utilities("poisoned", 20, 0), 0)
    assert played.sum(axis=1) == pytest.approx(1)
    assert played.min() >= FLOOR * (1 - 1e-9)
    assert played[0] == pytest.approx(1 / SELLERS)


@pytest.mark.parametrize("market", ["spread", "poisoned", "turning"])
def test_the_sampler_regrets_less_than_uniform_sampling(market: str) -> None:
    outcome = Outcome.of(market, 150, [0, 1])
    assert (outcome.sampler[:, -1] < outcome.uniform[:, -1]).all()
    assert (outcome.worst < WORST / SELLERS).all()


def test_regret_grows_ever_slower() -> None:
    """Toward 0 a round, where uniform sampling stays at its first rate."""
    outcome = Outcome.of("spread", 300, [0])
    first, last = (
        [curves[0, end] - curves[0, start] for curves in (outcome.sampler, outcome.uniform)]
        for start, end in ((0, 60), (239, 299))
    )
    assert last[0] < first[0] / 4
    assert last[1] > first[1] / 1.2


def test_the_study_is_written_and_the_same_each_time(tmp_path: Path) -> None:
    for folder in ("once", "again"):
        assert any("spread" in line for line in STUDY.run(tmp_path / folder, rounds=4, seeds=2))
    names = ["sampler.json", "sampler.md", "sampler.svg"]
    once, again = ([(tmp_path / f / n).read_text() for n in names] for f in ("once", "again"))
    assert once == again
    content = json.loads(once[0])
    assert (content["rounds"], content["seeds"], set(content["markets"])) == (4, 2, set(MARKETS))
    played = Outcome.of("spread", 4, [0, 1])
    shown = content["markets"]["spread"]
    assert shown["sampler regret by seed"] == pytest.approx(played.sampler[:, -1], abs=1e-4)
    assert shown["uniform regret"] == pytest.approx(played.uniform.mean(axis=0), abs=1e-4)
    assert "| spread |" in once[1]
