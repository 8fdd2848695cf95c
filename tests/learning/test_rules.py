from __future__ import annotations

import doctest
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offchain.learning import rules
from offchain.learning.grid import DIMENSION_LIMIT, UPDATE_LIMIT
from offchain.learning.rules import RULES, CorrectedKrum, KrumMean, Mean, RuleError


def rows(*values):
    return np.array(values, dtype=np.int32)


@st.composite
def updates(draw_value):
    n, d = draw_value(st.integers(1, 9)), draw_value(st.integers(1, 5))
    limit = draw_value(st.sampled_from([2, UPDATE_LIMIT]))
    entries = st.lists(st.integers(-limit, limit), min_size=d, max_size=d)
    return np.array(draw_value(st.lists(entries, min_size=n, max_size=n)), dtype=np.int32)


def distance(a, b):
    return sum((int(x) - int(y)) ** 2 for x, y in zip(a, b, strict=True))


def slow_candidates(updates, f):
    n = len(updates)
    scores = []
    for i in range(n):
        others = sorted(distance(updates[i], updates[j]) for j in range(n) if j != i)
        scores.append((sum(others[: max(1, n - f - 2)]), i))
    return sorted(i for _, i in sorted(scores)[: n - f])


def slow_mean(updates):
    means = [
        Fraction(sum(int(row[k]) for row in updates), len(updates)) for k in range(len(updates[0]))
    ]
    return [int((mean + Fraction(1, 2)).__floor__()) for mean in means]


@given(updates(), st.data())
def test_krum_mean_equals_the_slow_reference(updates, data):
    f = data.draw(st.integers(0, len(updates) - 1))
    decision = KrumMean(f=f).decide(updates)
    assert list(decision.kept) == slow_candidates(updates, f)
    assert decision.aggregate.tolist() == slow_mean(updates[list(decision.kept)])
    assert decision.aggregate.dtype == np.int32


@given(updates(), st.data())
def test_corrected_krum_equals_the_slow_reference(updates, data):
    f = data.draw(st.integers(0, len(updates) - 1))
    decision = CorrectedKrum(f=f).decide(updates)
    kept = slow_candidates(updates, f)
    centre = [
        Fraction(sum(int(updates[i][k]) for i in kept), len(kept)) for k in range(updates.shape[1])
    ]
    distances = [
        sum((int(x) - c) ** 2 for x, c in zip(updates[i], centre, strict=True)) for i in kept
    ]
    nearest = kept[distances.index(min(distances))]
    assert list(decision.kept) == kept
    assert decision.aggregate.tolist() == updates[nearest].tolist()


@given(updates())
def test_mean_equals_the_slow_reference(updates):
    decision = Mean().decide(updates)
    assert decision.aggregate.tolist() == slow_mean(updates)
    assert decision.kept == tuple(range(len(updates)))


@given(updates(), st.sampled_from(sorted(RULES)))
def test_a_call_gives_the_aggregate_of_the_decision(updates, name):
    rule = RULES[name](f=0)
    assert (rule(updates) == rule.decide(updates).aggregate).all()


def test_halves_are_rounded_up():
    assert Mean()(rows([1, -1, -3], [2, -2, -4])).tolist() == [2, -1, -3]


def test_ties_go_to_the_lower_index():
    equal = rows([5], [5], [5], [5])
    assert KrumMean(f=2).decide(equal).kept == (0, 1)
    two_pairs = rows([0], [1], [100], [101])
    assert KrumMean(f=1).decide(two_pairs).kept == (0, 1, 2)
    assert CorrectedKrum(f=0)(rows([3], [1])).tolist() == [3]


def test_an_outlier_is_left_out():
    honest = np.random.default_rng(0).integers(-50, 50, (6, 30))
    poisoned = np.vstack([honest[:2], -honest[:1] * 40, honest[2:]]).astype(np.int32)
    for rule in (KrumMean(f=1), CorrectedKrum(f=1)):
        assert 2 not in rule.decide(poisoned).kept


def test_small_inputs_are_defined():
    for rule in (KrumMean, CorrectedKrum, Mean):
        assert rule(f=0)(rows([4, 5])).tolist() == [4, 5]
    assert KrumMean(f=1).decide(rows([1], [9])).kept == (0,)
    assert KrumMean(f=1).decide(rows([1], [9], [10])).kept == (1, 2)


def test_the_largest_distances_do_not_overflow():
    far = np.array([[UPDATE_LIMIT], [UPDATE_LIMIT], [-UPDATE_LIMIT]], dtype=np.int32)
    wide = np.repeat(far, 1 << 20, axis=1)
    expected = (2 * UPDATE_LIMIT) ** 2 << 20
    assert int(rules.squared_distances(rules.gram(wide))[0, 2]) == expected
    assert KrumMean(f=1).decide(wide).kept == (0, 1)
    # With 2**22 entries, the most a model may have, a distance is four times as large.
    assert (2 * UPDATE_LIMIT) ** 2 * DIMENSION_LIMIT < 2**63


@pytest.mark.parametrize("name", sorted(RULES))
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((0, 3), dtype=np.int32), "shape"),
        (np.zeros((3, 0), dtype=np.int32), "shape"),
        (np.zeros(3, dtype=np.int32), "shape"),
        (np.zeros((2, 2)), "int32"),
        (np.full((2, 2), np.nan), "int32"),
        (np.zeros((2, 2), dtype=np.int64), "int32"),
        (np.full((2, 2), UPDATE_LIMIT + 1, dtype=np.int32), "limit|exceeds"),
        (np.full((2, 2), -(2**31), dtype=np.int32), "limit|exceeds"),
    ],
)
def test_input_that_a_rule_is_not_defined_on_is_refused(name, wrong, message):
    with pytest.raises(RuleError, match=message):
        RULES[name](f=0)(wrong)


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_tolerance_that_leaves_nothing_is_refused(name):
    with pytest.raises(RuleError, match="leaves none"):
        RULES[name](f=2)(rows([1], [2]))
    with pytest.raises(RuleError, match="not -1"):
        RULES[name](f=-1)


def test_the_examples_in_the_docstrings_hold():
    results = doctest.testmod(rules)
    assert results.attempted >= 5
    assert results.failed == 0
