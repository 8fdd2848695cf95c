"""Was a record trained on? Attacks on a model's confidences, and how well they tell.

Many jobs are played on parts of the same records. Each in turn is attacked; the others are the
attacker's shadow models, from which it learns what confidence to expect and where to draw the line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from d2m.learning.grid import FloatVector

BoolArray = npt.NDArray[np.bool_]
LOW_RATE = 0.01
"""False positives that a careful attacker allows itself."""


@dataclass(frozen=True)
class Told:
    """How well scores tell members from others; higher scores say member."""

    advantage: float
    """True less false positive rate at a threshold that was fixed on other jobs."""
    auc: float
    low: float
    """True positive rate where the false positive rate is at most LOW_RATE."""


def told(scores: FloatVector, members: BoolArray, threshold: float) -> Told:
    """Judge the scores (n,) of one job."""
    inside, outside = scores[members], scores[~members]
    ranks = rankdata(scores)[members].sum()
    auc = (ranks - len(inside) * (len(inside) + 1) / 2) / (len(inside) * len(outside))
    allowed = int(LOW_RATE * len(outside))
    bar = np.sort(outside)[len(outside) - 1 - allowed]
    return Told(
        advantage=float((inside > threshold).mean() - (outside > threshold).mean()),
        auc=float(auc),
        low=float((inside > bar).mean()),
    )


def best_threshold(scores: FloatVector, members: BoolArray) -> float:
    """Where true less false positives are most: the line that an attacker draws on its shadows."""
    order = np.argsort(-scores, kind="stable")
    inside = members[order]
    gained = np.cumsum(np.where(inside, 1 / inside.sum(), -1 / (~inside).sum()))
    best = int(np.argmax(gained))
    following = scores[order[best + 1]] if best + 1 < len(order) else scores[order[best]] - 1
    return float((scores[order[best]] + following) / 2)


def by_loss(confidences: FloatVector) -> FloatVector:
    """Yeom et al. (CSF 2018): the smaller the loss, the likelier a member. Scores (jobs, n).

    ``confidences`` are log p/(1 − p) of the true label, of which the loss is a falling function.
    """
    return confidences


def by_likelihood(confidences: FloatVector, members: BoolArray) -> FloatVector:
    """LiRA (Carlini et al., S&P 2022): how much likelier a confidence is with the record than not.

    For each job and record, normal distributions fitted to the other jobs: means by record, one
    deviation for all records, as its authors advise for few shadows. Both (jobs, n).
    """
    scores = np.empty_like(confidences)
    for target in range(len(confidences)):
        others = np.arange(len(confidences)) != target
        inside = np.where(members[others], confidences[others], np.nan)
        outside = np.where(members[others], np.nan, confidences[others])
        fits = [_normal(sample) for sample in (inside, outside)]
        logs = [
            -np.log(deviation) - ((confidences[target] - mean) / deviation) ** 2 / 2
            for mean, deviation in fits
        ]
        scores[target] = logs[0] - logs[1]
    return scores


def _normal(sample: FloatVector) -> tuple[FloatVector, float]:
    """Means (n,) of a sample (jobs, n) with gaps, and the common deviation around them."""
    mean = np.nanmean(sample, axis=0)
    freedom = np.isfinite(sample).sum() - len(mean)
    return mean, float(np.sqrt(np.nansum((sample - mean) ** 2) / freedom))


def tell_all(scores: FloatVector, members: BoolArray) -> list[Told]:
    """Judge every job (scores and members (jobs, n)); its line is the best one for the others."""
    jobs = range(len(scores))
    return [
        told(scores[job], members[job], best_threshold(*_without(scores, members, job)))
        for job in jobs
    ]


def _without(scores: FloatVector, members: BoolArray, job: int) -> tuple[FloatVector, BoolArray]:
    return np.delete(scores, job, axis=0).ravel(), np.delete(members, job, axis=0).ravel()
