"""(ε, δ) of any number of releases, by Opacus' accountant of Rényi differential privacy.

Accounted is the sampled Gaussian mechanism with Poisson sampling, for neighbours that differ by one
record added or removed (Mironov, Talwar and Zhang, 2019); with rate 1 the Gaussian mechanism. The
ε is an upper bound and holds under adaptive composition: what one round shows may decide the next.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from functools import cache

import numpy as np

from d2m.learning.grid import FloatVector
from d2m.privacy.terms import Spending

ORDERS = (
    *(1.01, 1.05, 1.1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 3, 3.5, 4, 4.5),
    *range(5, 16),
    *range(16, 64, 4),
    *(1 << x for x in range(6, 11)),
)
"""Rényi orders among which the best is taken. Low ones serve large ε, high ones small ε; those that
are no integers take most of the time."""


def spent_epsilon(spendings: Iterable[Spending], delta: float) -> float:
    """The ε of all releases together at ``delta``; 0 where there are none."""
    costs = [each.steps * _one_step(each.rate, each.noise) for each in spendings]
    if not costs:
        return 0.0
    from opacus.accountants.analysis import rdp

    with warnings.catch_warnings():
        # That a wider range of orders might give a smaller bound: this one is valid all the same.
        warnings.filterwarnings("ignore", message="Optimal order is the")
        epsilon, _order = rdp.get_privacy_spent(
            orders=ORDERS, rdp=np.sum(costs, axis=0), delta=delta
        )
    return max(0.0, float(epsilon))


@cache
def _one_step(rate: float, noise: float) -> FloatVector:
    """Rényi divergence of one step at each of ORDERS; steps add up."""
    # Opacus takes seconds to import, and most commands need none of it.
    from opacus.accountants.analysis import rdp

    divergence: FloatVector = np.asarray(
        rdp.compute_rdp(q=rate, noise_multiplier=noise, steps=1, orders=ORDERS)
    )
    return divergence
