"""What the rules promise: order and place do not matter, and f liars cannot do much."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d2m.learning.grid import UPDATE_LIMIT
from d2m.learning.rules import RULES, STEPS, GeometricMedian, build, iterated

HONEST, F, DIMENSION = 11, 4, 40
"""n = 15 ≥ 2f+3: inside every rule's condition but Bulyan's."""
TOLERANT = [name for name in RULES if name != "mean"]
EVERY_ORDER = [*RULES, "nnm+trimmed_mean", "clipping+median", "clipping+nnm+geometric_median"]
"""Bucketing is bound to the order."""
EVERY_PLACE = [name for name in RULES if name not in ("geometric_median", "centered_clipping")] + [
    "nnm+median",
    "bucketing+krum",
]
"""These two start from 0, and clipping shortens towards it."""


def spread_out(seed, n=HONEST, scale=3000):
    """Rows without ties."""
    return np.random.default_rng(seed).normal(0, scale, (n, DIMENSION)).round().astype(np.int32)


@given(st.integers(0, 2**32), st.randoms(use_true_random=False))
@settings(max_examples=15)
@pytest.mark.parametrize("name", EVERY_ORDER)
def test_the_order_of_the_updates_does_not_matter(name, seed, random):
    # Fewer than 15 for f = 3, and Bulyan ends with pairs that tie as each other's nearest.
    rows = spread_out(seed, n=15)
    order = random.sample(range(15), 15)
    once, again = build(name, 3).decide(rows), build(name, 3).decide(rows[order])
    assert (once.aggregate == again.aggregate).all()
    assert set(once.kept) == {order[row] for row in again.kept}


@given(st.integers(0, 2**32), st.integers(-(2**17), 2**17))
@settings(max_examples=15)
@pytest.mark.parametrize("name", EVERY_PLACE)
def test_a_shift_of_all_updates_shifts_the_aggregate(name, seed, shift):
    rows = spread_out(seed)
    rule = build(name, 2)
    assert (rule(rows + np.int32(shift)) == rule(rows) + shift).all()
    assert rule.decide(rows + np.int32(shift)).kept == rule.decide(rows).kept


@given(st.integers(-UPDATE_LIMIT, UPDATE_LIMIT), st.integers(1, 9))
@settings(max_examples=15)
@pytest.mark.parametrize("name", [*RULES, *(f"{step}+median" for step in STEPS)])
def test_equal_updates_are_their_own_aggregate(name, value, n):
    rows = np.full((n, 2), value, dtype=np.int32)
    assert (build(name, n // 2)(rows) == value).all()


def lies():
    """Byzantine rows (f, d) by name, the worst that the grid lets them be."""
    honest = spread_out(1).mean(axis=0)
    limit = np.full((F, DIMENSION), UPDATE_LIMIT)
    return {
        "all at one limit": limit,
        "at both limits": limit * np.array([[1], [-1]] * (F // 2)),
        "away from the honest mean": np.where(honest > 0, -UPDATE_LIMIT, UPDATE_LIMIT)
        * np.ones((F, 1)),
        "sign flip": np.tile(-10 * honest, (F, 1)),
        "little is enough": np.tile(honest - spread_out(1).std(axis=0), (F, 1)),
    }


def farthest(rows):
    """The honest mean, and the largest distance of an honest update to it."""
    mean = rows.mean(axis=0)
    return mean, np.linalg.norm(rows - mean, axis=1).max()


@pytest.mark.parametrize("lie", lies())
@pytest.mark.parametrize(
    "name",
    [
        *(name for name in TOLERANT if name != "bulyan"),
        *(f"nnm+{name}" for name in ("trimmed_mean", "krum", "geometric_median")),
        "clipping+nnm+trimmed_mean",
    ],
)
def test_liars_cannot_move_the_aggregate_beyond_the_honest_updates(name, lie):
    """Within the ball around the honest mean that holds all honest updates, wherever liars stand.

    The published bounds are a multiple of the same radius; the smallest is 1, that of a point of
    the honest updates' own hull.
    """
    honest = spread_out(1)
    mean, radius = farthest(honest)
    for place in (0, HONEST):
        rows = np.insert(honest, [place] * F, lies()[lie].round().astype(np.int32), axis=0)
        assert np.linalg.norm(build(name, F)(rows) - mean) <= radius


@pytest.mark.parametrize("lie", lies())
@pytest.mark.parametrize("name", ["median", "trimmed_mean", "bulyan"])
def test_coordinates_stay_between_honest_ones(name, lie):
    """n ≥ 2f+1, for Bulyan 4f+3: whatever liars post, no entry leaves the honest range."""
    honest = spread_out(1, n=3 * F + 3)
    rows = np.vstack([lies()[lie].round().astype(np.int32), honest])
    aggregate = build(name, F)(rows)
    assert (honest.min(axis=0) <= aggregate).all()
    assert (aggregate <= honest.max(axis=0)).all()


@pytest.mark.parametrize("name", [*sorted({*TOLERANT} - {"krum", "bulyan"}), "nnm+mean"])
def test_liars_at_the_limit_are_not_kept(name):
    rows = np.vstack([spread_out(1), np.full((F, DIMENSION), UPDATE_LIMIT, dtype=np.int32)])
    assert build(name, F).decide(rows).kept == tuple(range(HONEST))


def test_the_mean_promises_nothing():
    rows = np.vstack([spread_out(1), np.full((F, DIMENSION), UPDATE_LIMIT, dtype=np.int32)])
    mean, radius = farthest(spread_out(1))
    assert np.linalg.norm(build("mean", F)(rows) - mean) > 10 * radius


@given(st.integers(0, 2**32), st.floats(-10, 10))
@settings(max_examples=30)
def test_the_geometric_median_is_within_its_published_bound(seed, pull):
    """|z − μ| ≤ 2(n−f)/(n−2f)·max |x_i − μ| (Pillutla et al.; Minsker 2015), for any liars."""
    honest = spread_out(seed, scale=30_000)
    mean, radius = farthest(honest)
    liar = np.clip(mean + pull * radius, -UPDATE_LIMIT, UPDATE_LIMIT).round()
    rows = np.vstack([honest, np.tile(liar, (F, 1))]).astype(np.int32)
    bound = 2 * HONEST / (HONEST - F) * radius
    assert np.linalg.norm(GeometricMedian(f=F)(rows) - mean) <= bound


@pytest.mark.parametrize("name", ["geometric_median", "centered_clipping"])
def test_more_steps_change_little(name, monkeypatch):
    """Three liars of ten, all updates far from 0 beside their spread: the hardest start."""
    honest = spread_out(1, n=7, scale=1000) + np.int32(2000)
    rows = np.vstack([honest, np.full((3, DIMENSION), -UPDATE_LIMIT, dtype=np.int32)])
    _, radius = farthest(honest)

    def after(steps):
        monkeypatch.setattr(iterated, "STEPS", steps)
        return build(name, 3)(rows)

    usual, limit = after(iterated.STEPS), after(100)
    assert np.linalg.norm(usual - limit) < radius / 50 < np.linalg.norm(after(2) - limit)
