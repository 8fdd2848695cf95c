"""Attacks of Byzantine sellers against their formulas, and what they do to a mean and to others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from d2m.adversaries.sellers import ATTACKS, RELABELLINGS, View
from d2m.adversaries.sellers.shifted import (
    EPSILON_GRID,
    IPM_EPSILON,
    LARGEST_Z,
    VARIED_LENGTH,
    Z_GRID,
    alie_z,
)
from d2m.adversaries.sellers.simple import GAUSSIAN_DEVIATION
from d2m.adversaries.sellers.training import TRAINERS
from d2m.learning.copies import copies
from d2m.learning.defaults import digits_spec
from d2m.learning.grid import UPDATE_LIMIT
from d2m.learning.network.model import ModelSpec
from d2m.learning.round import REPEATED_WAY
from d2m.learning.rules import CorrectedKrum, Mean, MultiKrum, TrimmedMean
from d2m.learning.rules.stack import gram
from d2m.parties.seller.seller import LocalTask, Samples

DIMENSION = 200
NOISE = 0.25 * DIMENSION**-0.5
"""Of an entry, relative to ‖μ‖: an honest update lies about a quarter of ‖μ‖ away from μ."""
LENGTH = 100_000
"""‖μ‖ in grid units."""
DIRECTION = np.full(DIMENSION, DIMENSION**-0.5)


def rows(*values):
    return np.array(values, dtype=np.int32)


def view(honest, own, rule=None, previous=None, seed=0):
    return View(honest, own, previous, rule or Mean(), np.random.default_rng(seed))


def market(honest, byzantine, rule=None, seed=0):
    """Honest training gives N(μ, NOISE²) to everybody."""
    generator = np.random.default_rng(seed)
    noise = generator.normal(0, NOISE, (honest + byzantine, DIMENSION))
    updates = np.rint(LENGTH * (DIRECTION + noise)).astype(np.int32)
    return view(updates[:honest], updates[honest:], rule, seed=seed + 1)


def aggregate_under(name, seen):
    return seen.rule(np.concatenate([seen.honest, ATTACKS[name](seen)])).astype(np.float64)


# --- the registry


def test_every_attack_has_its_name():
    assert set(ATTACKS) == {
        "sign_flip", "gaussian", "alie", "varied_alie", "ipm", "min_max", "min_sum", "mimic",
        "stale", "lazy_copy", "line_searched_alie", "line_searched_ipm",
    }  # fmt: skip
    assert set(RELABELLINGS) == {"label_flip"}
    assert set(TRAINERS) == {"honest", "sign_flip", "label_flip", "gaussian", "lazy"}


@pytest.mark.parametrize(("honest", "byzantine"), [(4, 3), (4, 0), (0, 3), (1, 1), (0, 1), (1, 0)])
@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_gives_one_update_on_the_grid_for_each_byzantine_seller(name, honest, byzantine):
    posted = ATTACKS[name](market(honest, byzantine))
    assert posted.shape == (byzantine, DIMENSION)
    assert posted.dtype == np.int32
    assert np.abs(posted, dtype=np.int64).max(initial=0) <= UPDATE_LIMIT


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_overflows_at_the_limit(name):
    honest = UPDATE_LIMIT * rows([1, -1], [-1, -1], [1, -1])
    posted = ATTACKS[name](view(honest, UPDATE_LIMIT * rows([1, -1], [1, 1])))
    assert np.abs(posted, dtype=np.int64).max() <= UPDATE_LIMIT


@pytest.mark.parametrize("name", ATTACKS)
def test_one_seed_gives_one_attack_and_leaves_what_it_saw_alone(name):
    first, second, other = market(4, 3), market(4, 3), market(4, 3)
    object.__setattr__(other, "generator", np.random.default_rng(99))
    posted = ATTACKS[name](first)
    assert (posted == ATTACKS[name](second)).all()
    assert (first.honest == second.honest).all()
    assert (first.own == second.own).all()
    assert (posted == ATTACKS[name](other)).all() == (
        name not in {"gaussian", "lazy_copy", "varied_alie"}
    )


@pytest.mark.parametrize(
    ("honest", "own", "previous", "named"),
    [
        (rows([1, 2]), rows([1]), None, "shapes"),
        (np.zeros((0, 2), np.int32), np.zeros((0, 2), np.int32), None, "without updates"),
        (rows([1, 2]), rows([1, 2]), rows([1]), "previous"),
    ],
)
def test_views_that_do_not_fit_are_refused(honest, own, previous, named):
    with pytest.raises(ValueError, match=named):
        view(honest, own, previous=previous)


# --- the formulas


def test_sign_flip_posts_the_opposite_of_each_own_update():
    seen = view(rows([9, 9]), rows([3, -UPDATE_LIMIT], [0, 5]))
    assert ATTACKS["sign_flip"](seen).tolist() == [[-3, UPDATE_LIMIT], [0, -5]]


def test_label_flip_counts_the_classes_from_the_other_end():
    flipped = RELABELLINGS["label_flip"](np.array([0, 1, 9], dtype=np.uint8), 10)
    assert (flipped.dtype, flipped.tolist()) == (np.uint8, [9, 8, 0])


def test_gaussian_entries_have_mean_zero_and_the_stated_deviation():
    posted = ATTACKS["gaussian"](market(1, 200)) / GAUSSIAN_DEVIATION
    # 40,000 draws: five standard errors of their mean and of their deviation.
    assert abs(posted.mean()) < 5 / 200
    assert abs(posted.std() - 1) < 5 / 200 / 2**0.5


def test_stale_posts_what_was_there_before():
    own, before = rows([1, 2], [3, 4]), rows([5, 6], [7, 8])
    assert (ATTACKS["stale"](view(rows([0, 0]), own, previous=before)) == before).all()
    assert (ATTACKS["stale"](view(rows([0, 0]), own)) == own).all()


def test_lazy_copies_are_honest_updates_of_several_sellers():
    seen = market(5, 40)
    copied = {row.tobytes() for row in ATTACKS["lazy_copy"](seen)}
    assert copied == {row.tobytes() for row in seen.honest}


def test_mimic_posts_the_honest_update_furthest_along_the_direction_of_most_variance():
    # The first entries vary most. The last update is further from the mean, but elsewhere.
    honest = rows([100, 0], [-90, 0], [80, 0], [-80, 5], [-7, 101])
    assert ATTACKS["mimic"](view(honest, rows([1, 1], [2, 2]))).tolist() == [[100, 0]] * 2


@pytest.mark.parametrize(
    ("n", "m", "share"),
    [(50, 24, 24 / 26), (50, 10, 24 / 40), (10, 3, 4 / 7), (51, 24, 25 / 27), (20, 6, 9 / 14)],
)
def test_the_z_of_alie_leaves_this_share_of_the_honest_below_it(n, m, share):
    z = alie_z(n, m)
    drawn = np.random.default_rng(0).standard_normal(100_000)
    assert abs((drawn < z).mean() - share) < 5 * (share * (1 - share) / len(drawn)) ** 0.5


def test_the_z_of_alie_in_numbers():
    assert alie_z(50, 24) == pytest.approx(1.4261, abs=1e-4)
    assert alie_z(10, 3) == pytest.approx(0.1800, abs=1e-4)
    assert alie_z(3, 1) == alie_z(10, 1) == alie_z(2, 1) == 0
    assert alie_z(4, 3) == alie_z(3, 3) == LARGEST_Z


def test_alie_posts_the_mean_less_z_deviations():
    honest, own = rows([0, 10], [200, 10], [100, 40], [100, -20]), np.zeros((3, 2), np.int32)
    z = alie_z(7, 3)
    assert z == pytest.approx(0.6745, abs=1e-4)
    expected = np.rint([100 - z * 5000**0.5, 10 - z * 450**0.5]).tolist()
    assert ATTACKS["alie"](view(honest, own)).tolist() == [expected] * 3


def test_varied_alie_is_alie_on_average_and_nobodys_copy():
    wide = 100 * DIMENSION  # as in a network, so that directions of noise hardly overlap
    scattered = np.random.default_rng(0).normal(1, 1.5, (15, wide))  # cosines of about 0.3
    updates = np.rint(1000 * scattered).astype(np.int32)
    seen = view(updates[:10], updates[10:])
    alike, varied = ATTACKS["alie"](seen), ATTACKS["varied_alie"](seen)
    shifted = alike[0].astype(np.float64)
    away = np.linalg.norm(varied - shifted, axis=1) / np.linalg.norm(shifted)
    assert away == pytest.approx(VARIED_LENGTH, rel=0.2)
    middle = np.linalg.norm(varied.mean(axis=0) - shifted) / np.linalg.norm(shifted)
    assert middle < VARIED_LENGTH / 2

    def copied(posted):
        return copies(gram(np.concatenate([seen.honest, posted])).tolist(), REPEATED_WAY)[10:]

    assert copied(alike) == [5] * 5
    assert copied(varied) == [1] * 5


def test_ipm_posts_the_negative_mean_scaled():
    posted = ATTACKS["ipm"](view(rows([10, -4], [20, -8]), rows([0, 0], [0, 0])))
    assert posted.tolist() == [[-15 * IPM_EPSILON, 6 * IPM_EPSILON]] * 2


def test_min_max_and_min_sum_in_one_dimension():
    # μ = 0. As far from 30 as −30 is, and with the same squared distances as −30 in all.
    honest = rows([-30], [30], [-10], [10], [-10], [10])
    own = np.zeros((1, 1), np.int32)
    assert ATTACKS["min_max"](view(honest, own)).tolist() == [[-30]]
    assert ATTACKS["min_sum"](view(honest, own)).tolist() == [[-30]]


def distances(honest, posted):
    return np.linalg.norm(honest.astype(np.float64) - posted, axis=1)


def largest(honest, posted):
    """What Min-Max bounds: the largest distance from an honest update."""
    return distances(honest, posted).max()


def total(honest, posted):
    """What Min-Sum bounds: the sum of squared distances from the honest updates."""
    return (distances(honest, posted) ** 2).sum()


@pytest.mark.parametrize(("name", "measure"), [("min_max", largest), ("min_sum", total)])
@pytest.mark.parametrize("seed", range(5))
def test_min_max_and_min_sum_go_as_far_as_the_honest_do_and_no_further(name, measure, seed):
    seen = market(7, 3, seed=seed)
    mean, posted = seen.honest.mean(axis=0), ATTACKS[name](seen)[0]
    limit = max(measure(seen.honest, row) for row in seen.honest)
    assert measure(seen.honest, posted) == pytest.approx(limit, rel=1e-4)  # rounded to the grid
    assert measure(seen.honest, mean + 0.999 * (posted - mean)) < limit
    assert measure(seen.honest, mean + 1.001 * (posted - mean)) > limit
    shift = (mean - posted) / seen.honest.std(axis=0)
    assert shift.min() > 0
    assert shift == pytest.approx(np.full(DIMENSION, shift.mean()), rel=1e-2)


@pytest.mark.parametrize("name", ["alie", "min_max", "min_sum", "line_searched_alie"])
def test_equal_honest_updates_leave_no_deviation_to_hide_in(name):
    posted = ATTACKS[name](view(rows([5, -7], [5, -7]), rows([1, 1])))
    assert posted.tolist() == [[5, -7]]


# --- the line searches

RULES = [Mean(), MultiKrum(f=6), CorrectedKrum(f=6)]
by_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)


def posted_and_judged(seen, vector):
    """Distance from the honest mean, and inner product with it, once all posted a vector."""
    limited = np.clip(np.rint(vector), -UPDATE_LIMIT, UPDATE_LIMIT).astype(np.int32)
    posted = np.tile(limited, (len(seen.own), 1))
    mean = seen.honest.mean(axis=0)
    aggregate = seen.rule(np.concatenate([seen.honest, posted])).astype(np.float64)
    return float(np.linalg.norm(aggregate - mean)), float(aggregate @ mean)


@by_rule
def test_the_line_searched_alie_is_as_bad_as_the_worst_of_its_grid(rule):
    seen = market(14, 6, rule)
    mean, deviation = seen.honest.mean(axis=0), seen.honest.std(axis=0)
    tried = [posted_and_judged(seen, mean - z * deviation)[0] for z in (alie_z(20, 6), *Z_GRID)]
    found = posted_and_judged(seen, ATTACKS["line_searched_alie"](seen)[0])[0]
    assert found == pytest.approx(max(tried), rel=1e-9)
    assert found > posted_and_judged(seen, ATTACKS["alie"](seen)[0])[0]


@by_rule
def test_the_line_searched_ipm_is_as_bad_as_the_worst_of_its_grid(rule):
    seen = market(14, 6, rule)
    mean = seen.honest.mean(axis=0)
    tried = [posted_and_judged(seen, -epsilon * mean)[1] for epsilon in EPSILON_GRID]
    found = posted_and_judged(seen, ATTACKS["line_searched_ipm"](seen)[0])[1]
    assert found == pytest.approx(min(tried), rel=1e-9)


@pytest.mark.parametrize("name", ["line_searched_alie", "line_searched_ipm"])
def test_a_line_search_asks_the_rule_in_use_with_the_honest_rows_first(name):
    asked = []

    def rule(updates):
        asked.append(updates)
        return updates[-1]

    seen = market(3, 2, rule)
    posted = ATTACKS[name](seen)
    assert all((updates[:3] == seen.honest).all() for updates in asked)
    assert any((updates[3:] == posted).all() for updates in asked)


# --- what they do to rules

N, F = 20, 8
"""Krum needs n ≥ 2f + 3."""


def diameter(seen):
    """The largest distance between two honest updates."""
    return max(distances(seen.honest, row).max() for row in seen.honest)


def test_reversed_updates_break_a_mean():
    """Eight of twenty: sign flip leaves (12 − 8)/20 of the step, IPM with ε = 2 (12 − 16)/20."""
    seen = market(N - F, F)
    mean = seen.honest.mean(axis=0)
    left = {
        name: aggregate_under(name, seen) @ mean / (mean @ mean) for name in ("sign_flip", "ipm")
    }
    assert left == pytest.approx({"sign_flip": 0.2, "ipm": -0.2}, abs=0.02)


ROBUST = [MultiKrum(f=F), CorrectedKrum(f=F), TrimmedMean(f=F)]


@pytest.mark.parametrize("name", ["sign_flip", "ipm", "gaussian"])
@pytest.mark.parametrize("rule", ROBUST, ids=lambda rule: type(rule).__name__)
@pytest.mark.parametrize("seed", range(3))
def test_robust_rules_stay_as_near_to_the_honest_mean_as_honest_updates_to_each_other(
    name, rule, seed
):
    for used, stays in ((rule, True), (Mean(), False)):
        seen = market(N - F, F, used, seed)
        away = aggregate_under(name, seen) - seen.honest.mean(axis=0)
        assert (np.linalg.norm(away) <= diameter(seen)) == stays


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("rule", ROBUST[:2], ids=lambda rule: type(rule).__name__)
def test_no_attack_moves_a_krum_rule_further_than_its_bound(name, rule):
    """A row among the n − f best has a score of at most (n−f−2)D², D the honest diameter: that of
    the worst honest row. Of its n − f − 2 nearest at least n − 2f − 1 are honest, so one of them is
    within D·√((n−f−2)/(n−2f−1)), and that one is within D of the honest mean.
    """
    seen = market(N - F, F, rule)
    bound = diameter(seen) * (1 + ((N - F - 2) / (N - 2 * F - 1)) ** 0.5)
    assert np.linalg.norm(aggregate_under(name, seen) - seen.honest.mean(axis=0)) <= bound
    broken = market(N - F, F, Mean())
    away = aggregate_under("line_searched_ipm", broken) - broken.honest.mean(axis=0)
    assert np.linalg.norm(away) > bound


@pytest.mark.parametrize("name", ATTACKS)
def test_no_attack_moves_a_trimmed_mean_out_of_the_honest_range(name):
    seen = market(N - F, F, TrimmedMean(f=F))
    aggregate = aggregate_under(name, seen)
    assert (seen.honest.min(axis=0) <= aggregate).all()
    assert (aggregate <= seen.honest.max(axis=0)).all()


# --- what a seller's process does alone


def test_a_noisy_process_posts_the_same_noise_when_it_is_asked_again():
    samples = Samples(np.zeros((1, 1, 2, 2), np.uint8), np.zeros(1, np.uint8))

    def posted(delta):
        return TRAINERS["gaussian"](samples, lambda _own: delta)

    first, other = market(2, 0).honest
    assert posted(first).shape == first.shape
    assert (posted(first) == posted(first)).all()
    assert (posted(first) != posted(other)).any()


def test_processes_flip_signs_after_and_labels_before_the_training():
    spec = replace(digits_spec(bytes(32)), model=ModelSpec("logistic", (1, 2, 2), 3))
    samples = Samples(np.zeros((2, 1, 2, 2), np.uint8), np.array([0, 1], np.uint8))

    class Labels(LocalTask):
        def __call__(self, samples):
            return samples.labels.astype(np.int32)

    training = Labels("job", 1, spec, np.zeros(spec.model.dimension, np.int32), 1)
    assert TRAINERS["sign_flip"](samples, training).tolist() == [0, -1]
    assert TRAINERS["label_flip"](samples, training).tolist() == [2, 1]
