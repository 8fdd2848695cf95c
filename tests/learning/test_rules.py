from __future__ import annotations

import doctest
from importlib import import_module

import numpy as np
import pytest

from d2m.learning import rules
from d2m.learning.grid import DIMENSION_LIMIT, UPDATE_LIMIT
from d2m.learning.rules import RULES, STEPS, CorrectedKrum, Mean, MultiKrum, RuleError, build
from d2m.learning.rules.stack import Stack

NAMES = [*RULES, *(f"{step}+mean" for step in STEPS)]


def rows(*values):
    return np.array(values, dtype=np.int32)


@pytest.mark.parametrize("name", NAMES)
def test_a_call_gives_the_aggregate_of_the_decision(name):
    random = np.random.default_rng(0)
    updates = random.integers(-UPDATE_LIMIT, UPDATE_LIMIT, (7, 20), dtype=np.int32)
    rule = build(name, f=2)
    aggregate, kept = rule.decide(updates)
    assert (rule(updates) == aggregate).all()
    assert (aggregate.shape, aggregate.dtype) == ((20,), np.int32)
    assert list(kept) == sorted(set(kept) & set(range(7))) != []


def test_halves_are_rounded_up():
    assert Mean()(rows([1, -1, -3], [2, -2, -4])).tolist() == [2, -1, -3]


def test_ties_go_to_the_lower_index():
    equal = rows([5], [5], [5], [5])
    assert MultiKrum(f=2).decide(equal).kept == (0, 1)
    two_pairs = rows([0], [1], [100], [101])
    assert MultiKrum(f=1).decide(two_pairs).kept == (0, 1, 2)
    assert CorrectedKrum(f=0)(rows([3], [1])).tolist() == [3]


def test_an_outlier_is_left_out():
    honest = np.random.default_rng(0).integers(-50, 50, (6, 30))
    poisoned = np.vstack([honest[:2], -honest[:1] * 40, honest[2:]]).astype(np.int32)
    for rule in (MultiKrum(f=1), CorrectedKrum(f=1)):
        assert 2 not in rule.decide(poisoned).kept


def test_small_inputs_are_defined():
    for name in NAMES:
        assert build(name, f=0)(rows([4, 5])).tolist() == [4, 5]
    assert MultiKrum(f=1).decide(rows([1], [9])).kept == (0,)
    assert MultiKrum(f=1).decide(rows([1], [9], [10])).kept == (1, 2)


def test_the_largest_distances_do_not_overflow():
    far = np.array([[UPDATE_LIMIT], [UPDATE_LIMIT], [-UPDATE_LIMIT]], dtype=np.int32)
    wide = np.repeat(far, 1 << 20, axis=1)
    expected = (2 * UPDATE_LIMIT) ** 2 << 20
    assert Stack(wide).distances[0][2] == expected
    assert MultiKrum(f=1).decide(wide).kept == (0, 1)
    # With 2**22 entries, the most a model may have, a distance is four times as large.
    assert (2 * UPDATE_LIMIT) ** 2 * DIMENSION_LIMIT < 2**63


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((0, 3), dtype=np.int32), "shape"),
        (np.zeros((3, 0), dtype=np.int32), "shape"),
        (np.zeros(3, dtype=np.int32), "shape"),
        ([[1, 2]], "array of shape .* got list"),
        (np.zeros((2, 2)), "int32 updates on the grid, got float64"),
        (np.full((2, 2), np.nan), "NaN or infinity"),
        (np.array([[1, -np.inf]], dtype=np.float32), "NaN or infinity"),
        (np.zeros((2, 2), dtype=np.int64), "int32"),
        (np.full((2, 2), UPDATE_LIMIT + 1, dtype=np.int32), "limit|exceeds"),
        (np.full((2, 2), -(2**31), dtype=np.int32), "limit|exceeds"),
    ],
)
def test_input_that_a_rule_is_not_defined_on_is_refused(name, wrong, message):
    with pytest.raises(RuleError, match=message):
        build(name, f=0)(wrong)
    with pytest.raises(RuleError, match=message):
        build(name, f=0).decide(wrong)


@pytest.mark.parametrize("name", NAMES)
def test_a_tolerance_that_leaves_nothing_is_refused(name):
    with pytest.raises(RuleError, match="leaves none"):
        build(name, f=2)(rows([1], [2]))
    for f in (-1, 1.5):
        with pytest.raises(RuleError, match=f"not {f}"):
            build(name, f)


@pytest.mark.parametrize(
    "name", ["majority", "", "nnm", "median+nnm", "nnm+", "nnm+nnm+mean", "nnm + mean", ["mean"], 5]
)
def test_a_name_that_there_is_not_is_refused_with_the_choices(name):
    with pytest.raises(RuleError) as caught:
        build(name, f=0)
    assert all(choice in str(caught.value) for choice in [*RULES, *STEPS, repr(name)])


def test_a_name_gives_its_rule():
    for name, rule in RULES.items():
        assert build(name, f=3) == rule(f=3)
    assert build("nnm+krum", f=1) == build("nnm+krum", f=1) != build("krum", f=1)


MODULES = ["averages", "base", "iterated", "krum", "mixing", "names", "stack"]


def test_the_examples_in_the_docstrings_hold():
    modules = [import_module(f"{rules.__name__}.{name}") for name in MODULES]
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    examples = [test for module in modules for test in finder.find(module) if test.examples]
    shown = {test.name.rpartition(".")[2] for test in examples}
    assert shown >= {each.__name__ for each in [*RULES.values(), *STEPS.values()]}
    assert all(runner.run(test).failed == 0 for test in examples)
