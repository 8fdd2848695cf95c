"""Attacks that shift the honest mean: ALIE and IPM, Min-Max and Min-Sum.

All know every honest update, and all sellers post the same vector, or nearly so. With μ and σ of
the honest updates x_1 … x_h it is μ − zσ or −εμ; a Byzantine seller can go far in many entries by
little each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import NormalDist

import numpy as np

from d2m.adversaries.sellers.view import View, on_grid
from d2m.learning.grid import FloatVector, IntVector

IPM_EPSILON = 2.0
"""The default of byzfl. It turns a mean around when ε > h/m: from more than a third on."""
LARGEST_Z = 10.0
"""For Byzantine majorities, to whom the formula of ALIE sets no limit."""
VARIED_LENGTH = 0.3
"""Length of the noise, in lengths of the shifted mean: two sellers' cosine is then 1/(1 + 0.3²) =
0.92, less than what a round takes for a copy among honest updates whose median cosine is 0.3
(``REPEATED_WAY``)."""
Z_GRID = (0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4, 5, 7, LARGEST_Z)
"""Shifts that the line search tries beside the fixed z: from inside the honest cloud to far
outside. A distance-based rule lets a shift through up to some z, so the steps are fine where that
lies."""
EPSILON_GRID = (0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, IPM_EPSILON, 3, 5, 10, 20)
"""From the ε = 0.1 of Karimireddy et al. (ICML 2021), against Krum and the median, to such as are
meant for the mean."""

Damage = Callable[[FloatVector, FloatVector], float]
"""How bad an aggregate (d,) is, given the honest mean (d,)."""


def alie_z(n: int, m: int) -> float:
    """The z of ALIE for m Byzantine of n sellers: Φ⁻¹((n − m − s)/(n − m)), s = ⌊n/2 + 1⌋ − m.

    In each entry s honest updates, those that a majority lacks, are expected beyond μ − zσ. Limited
    to 0 … LARGEST_Z: below 0 the shift would help, and a majority (s ≤ 0) needs no others.
    """
    supporters = n // 2 + 1 - m
    if supporters <= 0:
        return LARGEST_Z
    share = (n - m - supporters) / (n - m)
    return NormalDist().inv_cdf(share) if share > 0.5 else 0.0


def alie(view: View) -> IntVector:
    """A Little Is Enough: μ − zσ with z = ``alie_z(n, m)``.

    Source: Baruch, Baruch and Goldberg, "A little is enough" (NeurIPS 2019).
    """
    return view.posted_by_all(_shifted(view))


def varied_alie(view: View) -> IntVector:
    """ALIE, to which each seller adds Gaussian noise of its own: none posts a copy of another's.

    The noise is VARIED_LENGTH times as long as μ − zσ; the mean of m sellers hardly shows it. Ours:
    a round holds back who posts the same as another (``offchain/d2m/learning/copies.py``).
    """
    shifted = _shifted(view)
    noise = view.generator.standard_normal(view.own.shape)
    return on_grid(shifted + noise * (VARIED_LENGTH * _norm(shifted) / len(shifted) ** 0.5))


def ipm(view: View) -> IntVector:
    """Inner-product manipulation: −εμ, ε = IPM_EPSILON.

    Source: Xie, Koyejo and Gupta, "Fall of empires" (UAI 2019).
    """
    return view.posted_by_all(-IPM_EPSILON * view.mean)


def line_searched_alie(view: View) -> IntVector:
    """ALIE with the z, of Z_GRID and the fixed one, that moves the rule's aggregate furthest.

    Maximises ‖rule(x_1 … x_h, m times μ − zσ) − μ‖; of equals the first. Knows the rule too; asks
    it once per z. Source: Allouah et al., "Fixing by mixing" (AISTATS 2023), who search by halving.
    """
    mean, deviation = view.mean, view.deviation
    candidates = (mean - z * deviation for z in (_z(view), *Z_GRID))
    return _worst(view, candidates, lambda aggregate, honest: _norm(aggregate - honest))


def line_searched_ipm(view: View) -> IntVector:
    """IPM with the ε of EPSILON_GRID that turns the rule's aggregate most against the honest mean.

    Maximises −⟨rule(x_1 … x_h, m times −εμ), μ⟩; of equals the first. Knows the rule too; asks it
    once per ε. Source: as ``line_searched_alie``, with the inner product that IPM is about.
    """
    mean = view.mean
    candidates = (-epsilon * mean for epsilon in EPSILON_GRID)
    return _worst(view, candidates, lambda aggregate, honest: -float(aggregate @ honest))


def min_max(view: View) -> IntVector:
    """Min-Max: μ − γσ with the largest γ that keeps it as near to every honest update as they are.

    max_i ‖μ − γσ − x_i‖ ≤ max_ij ‖x_i − x_j‖, in closed form, then rounded to the grid. The inverse
    standard deviation, one of the source's three directions. Source: Shejwalkar and Houmansadr,
    "Manipulating the Byzantine" (NDSS 2021).
    """
    centred, deviation = view.benign - view.mean, view.deviation
    own, between = _squared_distances(centred)
    # |γσ + c_i|² ≤ D² for every i, c_i = x_i − μ: a parabola in γ, whose larger root limits γ.
    square, slopes = float(deviation @ deviation), centred @ deviation
    slack = square * np.maximum(between.max() - own, 0.0)
    roots = np.sqrt(slopes**2 + slack) - slopes
    return view.posted_by_all(view.mean - _ratio(roots.min(), square) * deviation)


def min_sum(view: View) -> IntVector:
    """Min-Sum: μ − γσ with the largest γ whose squared distances add up to no more than the honest.

    Σ_i ‖μ − γσ − x_i‖² ≤ max_i Σ_j ‖x_i − x_j‖², in closed form, then rounded to the grid: hγ²‖σ‖²
    is what the right side exceeds Σ_i ‖x_i − μ‖² by. Direction and source as ``min_max``.
    """
    centred, deviation = view.benign - view.mean, view.deviation
    own, between = _squared_distances(centred)
    slack = max(between.sum(axis=1).max() - own.sum(), 0.0)
    square = len(own) * float(deviation @ deviation)
    return view.posted_by_all(view.mean - np.sqrt(_ratio(slack, square)) * deviation)


def _shifted(view: View) -> FloatVector:
    return view.mean - _z(view) * view.deviation


def _z(view: View) -> float:
    return alie_z(len(view.honest) + len(view.own), len(view.own))


def _worst(view: View, candidates: Iterable[FloatVector], damage: Damage) -> IntVector:
    """The candidate, posted by all, after which the rule's aggregate does the most damage."""
    if not len(view.own):
        return view.own.copy()
    mean = view.mean

    def harm(posted: IntVector) -> float:
        aggregate = view.rule(np.concatenate([view.honest, posted]))
        return damage(aggregate.astype(np.float64), mean)

    return max((view.posted_by_all(candidate) for candidate in candidates), key=harm)


def _squared_distances(centred: FloatVector) -> tuple[FloatVector, FloatVector]:
    """Squared distances (h,) of rows from their mean 0, and (h, h) from each other."""
    products = centred @ centred.T
    own = np.diag(products)
    return own, own[:, None] + own[None, :] - 2 * products


def _norm(vector: FloatVector) -> float:
    return float(np.linalg.norm(vector))


def _ratio(value: float, divisor: float) -> float:
    """The quotient; 0 where all honest updates are equal and leave no direction to go."""
    return value / divisor if divisor else 0.0
