"""The accountant beside formulas that are exact, and what the terms tell it."""

from __future__ import annotations

import math
from decimal import Decimal
from statistics import NormalDist

import numpy as np
import pytest

from d2m.learning.spec import TrainingSpec
from d2m.privacy.accountant import spent_epsilon
from d2m.privacy.errors import PrivacyError
from d2m.privacy.terms import PrivacyTerms, Spending

HYPER = TrainingSpec(3, 16, Decimal("0.01"), "adam")
DELTA = 1e-5


def gaussian_delta(epsilon: float, sigma: float) -> float:
    """Exact δ of the Gaussian mechanism with sensitivity 1 (Balle and Wang, ICML 2018)."""
    cdf = NormalDist().cdf
    near, far = 1 / (2 * sigma) - epsilon * sigma, -1 / (2 * sigma) - epsilon * sigma
    return cdf(near) - math.exp(epsilon) * cdf(far)


@pytest.mark.parametrize(("noise", "releases"), [(1.0, 1), (4.0, 10), (0.5, 2), (50.0, 100)])
def test_gaussian_releases_are_bounded_and_not_by_far(noise: float, releases: int) -> None:
    epsilon = spent_epsilon([Spending(noise, 1.0, 1)] * releases, DELTA)
    together = noise / math.sqrt(releases)  # k of them are one with less noise
    assert gaussian_delta(epsilon, together) <= DELTA
    assert gaussian_delta(0.8 * epsilon, together) > DELTA


@pytest.mark.parametrize(("rate", "tight"), [(0.01, 0.25), (0.2, 0.6), (0.9, 0.6)])
def test_one_sampled_step_is_bounded_in_both_directions(rate: float, tight: float) -> None:
    noise = 0.8
    epsilon = spent_epsilon([Spending(noise, rate, 1)], DELTA)
    x = np.linspace(-12, 13, 400_001)
    without = np.exp(-(x**2) / (2 * noise**2)) / (noise * math.sqrt(2 * math.pi))
    shifted = np.exp(-((x - 1) ** 2) / (2 * noise**2)) / (noise * math.sqrt(2 * math.pi))
    with_it = (1 - rate) * without + rate * shifted
    for p, q in ((with_it, without), (without, with_it)):
        assert np.trapz(np.maximum(p - math.exp(epsilon) * q, 0), x) <= DELTA
    assert np.trapz(np.maximum(with_it - math.exp(tight * epsilon) * without, 0), x) > DELTA


def test_the_example_of_the_inventors_of_dp_sgd() -> None:
    """q = 0.01, σ = 4, 10,000 steps: their accountant gave 1.26 (Abadi et al., 2016)."""
    assert 0.9 < spent_epsilon([Spending(4.0, 0.01, 10_000)], DELTA) <= 1.26


def test_steps_of_one_release_and_of_many_add_up_alike() -> None:
    many = spent_epsilon([Spending(1.1, 0.1, 21)] * 5, DELTA)
    assert many == pytest.approx(spent_epsilon([Spending(1.1, 0.1, 105)], DELTA))
    assert spent_epsilon([], DELTA) == 0
    mixed = spent_epsilon([Spending(1.1, 0.1, 105), Spending(2.0, 1.0, 1)], DELTA)
    assert mixed > many


def terms(**changes: object) -> PrivacyTerms:
    chosen = {"kind": "per-example", "clip": 1.0, "noise": 1.1, "epsilon": 8.0, "delta": 1e-5}
    return PrivacyTerms(**{**chosen, **changes})


def test_a_round_costs_as_many_steps_as_training_takes() -> None:
    assert terms().cost(100, HYPER) == Spending(1.1, 0.16, 21)
    assert terms().cost(10, HYPER) == Spending(1.1, 1.0, 3)


def test_an_update_may_move_by_two_clips_when_the_data_is_replaced() -> None:
    assert terms(kind="per-update").cost(100, HYPER) == Spending(0.55, 1.0, 1)


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"kind": "per-seller"}, "per-example, per-update"),
        ({"clip": 0.0}, "say 1.0"),
        ({"clip": math.nan}, "say 1.0"),
        ({"clip": 9.0}, "say 1.0"),
        ({"noise": 0.0}, "say 1.1"),
        ({"noise": math.nan}, "say 1.1"),
        ({"noise": math.inf}, "say 1.1"),
        ({"epsilon": 0.0}, "say 8"),
        ({"epsilon": math.inf}, "say 8"),
        ({"delta": 0.0}, "say 1e-5"),
        ({"delta": 1.0}, "say 1e-5"),
    ],
)
def test_terms_out_of_range_are_refused_with_a_remedy(
    change: dict[str, object], remedy: str
) -> None:
    with pytest.raises(PrivacyError, match=remedy):
        terms(**change)


def test_a_delta_that_gives_records_away_is_refused() -> None:
    terms(delta=0.001).check(999)
    with pytest.raises(PrivacyError, match="one of 1000 records"):
        terms(delta=0.001).check(1000)
