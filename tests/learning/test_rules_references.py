"""Every rule against what its source says, written down slowly and in floating point or fractions.

The references know nothing of the grid, of inner products or of combining coefficients. Aggregates
agree to one grid unit, selections and pre-steps exactly.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d2m.learning.grid import GRID_ONE, UPDATE_LIMIT
from d2m.learning.rules import RULES, STEPS, build

CASES = [(1, 0), (2, 0), (2, 1), (3, 1), (5, 1), (7, 1), (7, 3), (9, 4), (11, 2), (12, 5), (15, 3)]
"""n and f, inside the rules' conditions and outside."""
SCALES = [3, 2000, UPDATE_LIMIT]
"""Largest entries: at the smallest nearly everything ties."""


def half_up(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))


def distance(x, y) -> Fraction:
    return sum(((a - b) ** 2 for a, b in zip(x, y, strict=True)), Fraction(0))


def mean(rows) -> list[Fraction]:
    return [Fraction(sum(column), len(rows)) for column in zip(*rows, strict=True)]


def krum_order(rows, f):
    """Indices, best first."""
    n, scores = len(rows), []
    for i in range(n):
        others = sorted(distance(rows[i], rows[j]) for j in range(n) if j != i)
        scores.append((sum(others[: max(1, n - f - 2)]), i))
    return [i for _, i in sorted(scores)]


def candidates(rows, f):
    return sorted(krum_order(rows, f)[: len(rows) - f])


def median(values) -> Fraction:
    ordered, n = sorted(values), len(values)
    return Fraction(ordered[(n - 1) // 2] + ordered[n // 2], 2)


def slow_median(rows, f):
    return [median(column) for column in zip(*rows, strict=True)]


def slow_trimmed_mean(rows, f):
    cut = min(f, (len(rows) - 1) // 2)
    trimmed = [sorted(column)[cut : len(rows) - cut] for column in zip(*rows, strict=True)]
    return [Fraction(sum(column), len(column)) for column in trimmed]


def slow_corrected_krum(rows, f):
    kept = candidates(rows, f)
    centre = mean([rows[i] for i in kept])
    return rows[min(kept, key=lambda i: (distance(rows[i], centre), i))]


def bulyan_choice(rows, f):
    left, chosen = list(range(len(rows))), []
    while len(chosen) < max(1, len(rows) - 2 * f):
        best = left[krum_order([rows[i] for i in left], f)[0]]
        chosen.append(best)
        left.remove(best)
    return sorted(chosen)


def slow_bulyan(rows, f):
    chosen = [rows[i] for i in bulyan_choice(rows, f)]
    count, result = max(1, len(chosen) - 2 * f), []
    for column in zip(*chosen, strict=True):
        middle = median(column)
        nearest = sorted(column, key=lambda x: (abs(x - middle), x))[:count]
        result.append(Fraction(sum(nearest), count))
    return result


def slow_geometric_median(rows, f):
    x, z = np.array(rows, dtype=np.longdouble), 0
    nearest = GRID_ONE // 10  # 0.1 on the grid
    for _ in range(8):
        weights = 1 / np.maximum(nearest, np.sqrt(((x - z) ** 2).sum(axis=1)))
        z = (weights[:, None] * x).sum(axis=0) / weights.sum()
    return z


def slow_centered_clipping(rows, f):
    x, v = np.array(rows, dtype=np.longdouble), np.zeros(len(rows[0]), dtype=np.longdouble)
    for _ in range(8):
        distances = np.sqrt(((x - v) ** 2).sum(axis=1))
        radius = np.sort(distances)[(len(x) - 1) // 2]
        shares = np.where(distances > radius, radius / np.maximum(distances, 1e-30), 1)
        v = v + (shares[:, None] * (x - v)).mean(axis=0)
    return v


AGGREGATES = {
    "mean": lambda rows, f: mean(rows),
    "median": slow_median,
    "trimmed_mean": slow_trimmed_mean,
    "geometric_median": slow_geometric_median,
    "krum": lambda rows, f: rows[krum_order(rows, f)[0]],
    "multi_krum": lambda rows, f: mean([rows[i] for i in candidates(rows, f)]),
    "corrected_krum": slow_corrected_krum,
    "centered_clipping": slow_centered_clipping,
    "bulyan": slow_bulyan,
}
KEPT = {
    "mean": lambda rows, f: list(range(len(rows))),
    "krum": lambda rows, f: krum_order(rows, f)[:1],
    "bulyan": bulyan_choice,
}
"""What is kept; all others keep the candidates."""


def slow_nnm(rows, f):
    n = len(rows)
    mixed = []
    for own in rows:
        order = sorted(range(n), key=lambda j, own=own: (distance(own, rows[j]), j))
        mixed.append(mean([rows[j] for j in order[: n - f]]))
    return mixed


def slow_bucketing(rows, f):
    pairs = [rows[i : i + 2] for i in range(0, len(rows), 2)]
    return [mean(pair) for pair in pairs] if len(pairs) > 2 * f else rows


def slow_clipping(rows, f):
    n = len(rows)
    norms = [float(distance(row, [0] * len(row))) ** 0.5 for row in rows]
    limit = sorted(norms, reverse=True)[floor(Fraction(2 * f, n) * (n - f))]
    factors = [min(1.0, limit / norm) if norm else 1.0 for norm in norms]
    return [[x * factor for x in row] for row, factor in zip(rows, factors, strict=True)]


MIXED = {"nnm": slow_nnm, "bucketing": slow_bucketing, "clipping": slow_clipping}


def examples():
    random = np.random.default_rng(4)
    for n, f in CASES:
        for scale in SCALES:
            array = random.integers(-scale, scale, (n, 3), endpoint=True, dtype=np.int32)
            yield array, [[int(x) for x in row] for row in array], f


def within_one_unit(found, expected):
    assert found.dtype == np.int32
    differences = [abs(int(a) - b) for a, b in zip(found.flat, expected, strict=True)]
    assert max(differences) <= 1


@st.composite
def any_updates(draw):
    n, d = draw(st.integers(1, 9)), draw(st.integers(1, 4))
    limit = draw(st.sampled_from(SCALES))
    entries = st.lists(st.integers(-limit, limit), min_size=d, max_size=d)
    return draw(st.lists(entries, min_size=n, max_size=n)), draw(st.integers(0, n - 1))


def check_rule(name, rows, f):
    expected = AGGREGATES[name](rows, f)
    decision = RULES[name](f=f).decide(np.array(rows, dtype=np.int32))
    if isinstance(expected, np.ndarray):
        within_one_unit(decision.aggregate, expected)
    else:
        assert decision.aggregate.tolist() == [half_up(Fraction(x)) for x in expected]
    assert list(decision.kept) == KEPT.get(name, candidates)(rows, f)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_its_sources_definition(name):
    for _, rows, f in examples():
        check_rule(name, rows, f)


@given(any_updates())
@settings(max_examples=40)
@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_its_sources_definition_on_any_updates(name, case):
    check_rule(name, *case)


@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_its_sources_definition(name):
    for updates, rows, f in examples():
        before = updates.copy()
        found, expected = STEPS[name](f=f)(updates), MIXED[name](rows, f)
        assert len(found) == len(expected)
        assert (updates == before).all(), "the input stays as it was"
        if name == "clipping":
            within_one_unit(found, [x for row in expected for x in row])
        else:
            assert found.tolist() == [[half_up(Fraction(x)) for x in row] for row in expected]


@pytest.mark.parametrize("name", ["clipping+nnm+geometric_median", "bucketing+krum", "nnm+bulyan"])
def test_steps_come_before_the_rule_in_the_order_of_the_name(name):
    *steps, rule = name.split("+")
    for updates, rows, f in examples():
        mixed = updates
        for step in steps:
            mixed = STEPS[step](f=f)(mixed)
        decision = build(name, f).decide(updates)
        assert (decision.aggregate == RULES[rule](f=f)(mixed)).all()
        assert list(decision.kept) == candidates(rows, f), "judged as posted, not as mixed"
