"""Terms that a seller chooses: the mechanism, its clip and noise, and the budget (ε, δ)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from d2m.learning.spec import TrainingSpec
from d2m.privacy.errors import PrivacyError

PER_EXAMPLE, PER_UPDATE = "per-example", "per-update"
KINDS = (PER_EXAMPLE, PER_UPDATE)
LARGEST_NOISE = 1000.0
"""Largest noise multiplier: beyond it nothing is left of any update."""
CLIPS = (2.0**-10, 8.0)
"""Least and largest clipping norm: 64 steps of the update's grid, and the largest entry of an
update."""


@dataclass(frozen=True)
class Spending:
    """One release as the accountant counts it: ``steps`` times the sampled Gaussian mechanism."""

    noise: float
    """Standard deviation of the noise over the L2 sensitivity."""
    rate: float
    """Probability with which each record takes part in a step, independently (Poisson)."""
    steps: int


@dataclass(frozen=True)
class PrivacyTerms:
    """The seller's choice. Raises PrivacyError out of range."""

    kind: str
    """``per-example``: protects each record, added or removed. ``per-update``: protects the whole
    data set, replaced by any other."""
    clip: float
    """L2 norm C to which an example's gradient, or the update, is clipped."""
    noise: float
    """Standard deviation of the added noise over C."""
    epsilon: float
    """Budget of the ledger, together with ``delta``."""
    delta: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise PrivacyError(f"--privacy is one of {', '.join(KINDS)}, not {self.kind}")
        least, most = CLIPS
        if not least <= self.clip <= most:
            raise PrivacyError(f"--clip {self.clip}: take a norm from {least} to {most}, say 1.0")
        if not 0 < self.noise <= LARGEST_NOISE:
            raise PrivacyError(
                f"--noise {self.noise}: take a multiple of the clip above 0 and up to "
                f"{LARGEST_NOISE:.0f}, say 1.1"
            )
        check_budget(self.epsilon, self.delta)

    def check(self, samples: int) -> None:
        """Raise PrivacyError where δ is too large for a data set of that many samples."""
        if self.delta * samples >= 1:
            raise PrivacyError(
                f"--delta {self.delta:g} would allow to publish one of {samples} records outright: "
                f"take one well below {1 / samples:.1g}"
            )

    def cost(self, samples: int, training: TrainingSpec) -> Spending:
        """Cost of one round with that many samples."""
        if self.kind == PER_UPDATE:
            # Two updates of norm C are up to 2C apart.
            return Spending(self.noise / 2, 1.0, 1)
        return Spending(
            self.noise, min(1.0, training.batch_size / samples), steps(samples, training)
        )


def check_budget(epsilon: float, delta: float) -> None:
    """Raise PrivacyError unless 0 < ε < ∞ and 0 < δ < 1."""
    if not 0 < epsilon < math.inf:
        raise PrivacyError(f"--epsilon {epsilon}: take a budget above 0, say 8")
    if not 0 < delta < 1:
        raise PrivacyError(f"--delta {delta}: take one between 0 and 1, say 1e-5")


def steps(samples: int, training: TrainingSpec) -> int:
    """Batches in a round: as many as training without privacy takes."""
    return training.epochs * math.ceil(samples / training.batch_size)
