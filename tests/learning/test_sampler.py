from __future__ import annotations

import decimal
import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d2m.learning.canonical import SpecError
from d2m.learning.draws import PROBABILITY_ONE, draw
from d2m.learning.sampler import (
    SamplerSpec,
    floor_units,
    project,
    share_out,
    step,
    to_integers,
    uniform,
)

WEIGHTS = st.lists(
    st.decimals("1e-12", "1e12", allow_nan=False, allow_infinity=False), min_size=1, max_size=40
)
ALPHAS = st.decimals(0, 1, places=4)


def spec(eta="1", alpha="0.2", bound="1", exploration="0.1"):
    return SamplerSpec(Decimal(eta), Decimal(alpha), Decimal(bound), Decimal(exploration))


def bisection(weights, alpha):
    """Reference: p_i = max(alpha/n, s·w_i), with the scale s found by bisection."""
    n = len(weights)
    scaled = [float(w / max(weights)) for w in weights]

    def total(scale):
        return sum(max(alpha / n, scale * w) for w in scaled)

    low, high = 0.0, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if total(middle) < 1 else (low, middle)
    return [max(alpha / n, low * w) for w in scaled]


@given(WEIGHTS, ALPHAS)
def test_the_projection_equals_a_bisection(weights, alpha):
    found = project(weights, alpha)
    for p, reference in zip(found, bisection(weights, float(alpha)), strict=True):
        assert math.isclose(float(p), reference, rel_tol=1e-9, abs_tol=1e-12)


@given(WEIGHTS, ALPHAS)
def test_integers_sum_to_one_exactly_and_keep_the_floor(weights, alpha):
    integers = to_integers(project(weights, alpha), alpha)
    assert sum(integers) == PROBABILITY_ONE
    assert min(integers) >= floor_units(len(weights), alpha)
    assert floor_units(len(weights), alpha) == math.floor(
        Fraction(alpha) * PROBABILITY_ONE / len(weights)
    )
    for p, q in zip(project(weights, alpha), integers, strict=True):
        assert abs(Fraction(p) * PROBABILITY_ONE - q) <= len(weights)


@st.composite
def rounds(draw_value):
    n = draw_value(st.integers(1, 20))
    spread = draw_value(st.lists(st.integers(0, 9), min_size=n, max_size=n).filter(any))
    floor = floor_units(n, Decimal("0.2"))
    probabilities = [floor + x for x in share_out(spread, PROBABILITY_ONE - n * floor)]
    multiplicities = draw_value(st.lists(st.integers(0, 3), min_size=n, max_size=n).filter(any))
    utilities = draw_value(
        st.lists(st.fractions(-1, 1, max_denominator=360), min_size=n, max_size=n)
    )
    return probabilities, multiplicities, utilities


@given(rounds(), st.sampled_from(["0.1", "1", "1000"]))
def test_a_step_always_gives_probabilities(case, eta):
    found = step(*case, spec(eta=eta))
    assert sum(found) == PROBABILITY_ONE
    assert min(found) >= floor_units(len(found), Decimal("0.2"))


@given(rounds())
def test_a_step_is_the_published_formula(case):
    _probabilities, multiplicities, _utilities = case
    count = sum(multiplicities)
    weights = [
        Decimal(p / 1e18 * math.exp(m * float(u) / (count * p / 1e18 + 0.1)))
        for p, m, u in zip(*case, strict=True)
    ]
    expected = bisection(weights, 0.2)
    for p, reference in zip(step(*case, spec()), expected, strict=True):
        assert math.isclose(p / 1e18, reference, rel_tol=1e-6, abs_tol=1e-12)


@given(rounds())
def test_a_step_does_not_depend_on_the_callers_decimal_context(case):
    expected = step(*case, spec())
    with decimal.localcontext() as context:
        context.prec, context.rounding, context.Emax = 3, decimal.ROUND_UP, 9
        context.traps[decimal.Inexact] = True
        assert step(*case, spec()) == expected
        assert context.prec == 3


def test_the_better_seller_rises_and_the_worse_falls():
    found = step(
        uniform(4), [1, 1, 1, 0], [Fraction(1, 2), Fraction(0), Fraction(-1, 2), 0], spec()
    )
    assert found[0] > found[1] == found[3] > found[2]


def test_a_repeat_adds():
    once = step(uniform(3), [1, 1, 1], [Fraction(1, 4), 0, 0], spec())
    twice = step(uniform(3), [2, 1, 0], [Fraction(1, 4), 0, 0], spec())
    assert twice[0] > once[0]
    assert abs(twice[1] - twice[2]) <= 1


def test_a_seller_that_was_not_drawn_is_not_judged():
    utilities = [Fraction(0), Fraction(-1), Fraction(1)]
    assert step(uniform(3), [3, 0, 0], utilities, spec()) == step(
        uniform(3), [3, 0, 0], [0, 0, 0], spec()
    )


def test_utilities_are_clipped_to_the_bound():
    bounded = spec(bound="0.1")
    assert step(uniform(2), [1, 1], [Fraction(1), 0], bounded) == step(
        uniform(2), [1, 1], [Fraction(1, 10), 0], bounded
    )


def test_exploration_bounds_the_estimate_of_an_improbable_seller():
    low = floor_units(2, Decimal("0.0002"))
    probabilities = [low, PROBABILITY_ONE - low]
    cautious = step(probabilities, [1, 1], [Fraction(1, 10), 0], spec(alpha="0.0002"))
    assert cautious[0] < 4 * low


@given(st.integers(1, 300))
def test_the_start_is_uniform(sellers):
    start = uniform(sellers)
    assert sum(start) == PROBABILITY_ONE
    assert max(start) - min(start) <= 1
    assert list(start) == sorted(start, reverse=True)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30).filter(any), st.integers(0, 10**6))
def test_sharing_out_is_exact_and_fair(weights, total):
    parts = share_out(weights, total)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(Fraction(total * weight, sum(weights)) - part) < 1


def test_remainders_go_by_size_and_then_by_index():
    assert share_out([1, 1, 1], 4) == (2, 1, 1)
    assert share_out([1, 2], 2) == (1, 1)
    assert share_out([1, 3], 2) == (1, 1)
    assert share_out([1, 1, 1, 1], 2) == (1, 1, 0, 0)


def test_good_sellers_are_found_on_a_synthetic_market():
    """Of ten sellers two help and the rest do nothing: the two end with most of the probability."""
    helpful = {3, 8}
    utilities = [Fraction(i in helpful, 20) for i in range(10)]
    probabilities = uniform(10)
    gained = []
    for r in range(200):
        drawn = draw(probabilities, 3, r.to_bytes(32, "big"))
        probabilities = step(probabilities, drawn, utilities, spec())
        gained.append(sum(probabilities[i] for i in helpful) / PROBABILITY_ONE)
    assert gained[0] < 0.5
    assert min(gained[-50:]) > 0.7


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("eta", "-1"),
        ("alpha", "1.1"),
        ("utility_bound", "2"),
        ("exploration", "0"),
        ("eta", "0.50"),
        ("eta", "1e3"),
        ("eta", "NaN"),
        ("eta", "many"),
        ("eta", 1),
        ("eta", "0.0000000000000000001"),
    ],
)
def test_parameters_out_of_range_are_refused_by_name(name, value):
    with pytest.raises(SpecError, match=name):
        SamplerSpec.from_json({**spec().to_json(), name: value})
