"""Attacks that need no knowledge of the rule: reversed, random, old and copied updates."""

from __future__ import annotations

import numpy as np

from d2m.adversaries.sellers.view import View, on_grid
from d2m.learning.grid import GRID_ONE, IntVector

GAUSSIAN_DEVIATION = GRID_ONE
"""1, the default of byzfl: a hundred steps of Adam at rate 0.01. The 200 of Blanchard et al.
(NeurIPS 2017) would be clipped to the grid's ±8, hence no longer be Gaussian."""


def sign_flip(view: View) -> IntVector:
    """−δ: each posts the opposite of its own honest update. Knows only its own data.

    Source: Li et al., RSA (AAAI 2019), with factor −1.
    """
    return np.negative(view.own)


def gaussian(view: View) -> IntVector:
    """Independent entries from N(0, σ²), σ = GAUSSIAN_DEVIATION. Knows nothing.

    Source: Blanchard et al., "Machine learning with adversaries" (NeurIPS 2017).
    """
    return noise(view.generator, view.own.shape)


def noise(generator: np.random.Generator, shape: tuple[int, ...]) -> IntVector:
    """Independent entries from N(0, GAUSSIAN_DEVIATION²), on the grid."""
    return on_grid(generator.normal(0.0, GAUSSIAN_DEVIATION, shape))


def stale(view: View) -> IntVector:
    """Updates of an earlier round, posted again; in the first round the honest ones.

    Knows only its own past. A free rider's attack: it saves the training.
    """
    return view.own.copy() if view.previous is None else view.previous.copy()


def lazy_copy(view: View) -> IntVector:
    """Each posts the update of an honest seller drawn at random, to be paid without training.

    Knows the updates that were posted before its own. Source: the lazy clients of Li et al.,
    "Blockchain assisted decentralized federated learning (BLADE-FL)" (IEEE TPDS 2022), without
    the noise that hides the copy there. Without honest updates each posts its own.
    """
    if not len(view.honest):
        return view.own.copy()
    copied: IntVector = view.honest[view.generator.integers(len(view.honest), size=len(view.own))]
    return copied


def mimic(view: View) -> IntVector:
    """All post the update of one honest seller, which then counts m + 1 times.

    The seller is the one that lies furthest along the direction z in which the honest updates vary
    most: i* = argmax_i |z·(x_i − μ)|, ‖z‖ = 1. Nothing in the update itself is wrong. Knows all
    honest updates. Source: Karimireddy, He and Jaggi, "Byzantine-robust learning on heterogeneous
    datasets via bucketing" (ICLR 2022), who learn z over the first rounds and then keep i*; here
    both are those of the round, since other sellers are sampled in every one.
    """
    centred = view.benign - view.mean
    # The projections on z are the leading eigenvector of the Gram matrix, up to scale and sign.
    projections = np.linalg.eigh(centred @ centred.T).eigenvectors[:, -1]
    furthest = int(np.argmax(np.abs(projections)))
    return np.tile(view.benign[furthest], (len(view.own), 1))
