"""Online stochastic mirror descent over sellers (OSMD), in fixed-precision decimals.

Source: the entropy mirror map with the closed-form projection of arXiv:2306.02543 and 2112.14332;
corrected: repeats in a draw add, utilities are clipped, and the estimate carries implicit
exploration, û = m·u/(K·p + γ), so that a small probability cannot blow it up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import Any

from d2m.learning.canonical import decimal_text, take_decimal, take_decimal_text, take_keys
from d2m.learning.draws import PROBABILITY_ONE

CONTEXT = Context(
    prec=50, rounding=ROUND_HALF_EVEN, Emin=MIN_EMIN, Emax=MAX_EMAX, capitals=1, clamp=0, traps=[]
)
"""The arithmetic of the sampler. Its ``exp`` is correctly rounded, so every machine agrees."""
_WEIGHT_ONE = Decimal("1e40")
"""Weights become integers at 40 places before they are shared out, with 10 digits to spare."""


@dataclass(frozen=True)
class SamplerSpec:
    """Parameters of the sampler; decimals travel as strings. Raises SpecError out of range."""

    eta: Decimal
    """Step of the mirror descent."""
    alpha: Decimal
    """Share of probability kept uniform: the floor of each of n sellers is alpha/n."""
    utility_bound: Decimal
    """Utilities are clipped to ± this before they are estimated."""
    exploration: Decimal
    """γ, added to K·p in the estimate's denominator."""

    def __post_init__(self) -> None:
        take_decimal(self.eta, "eta", Decimal(0), Decimal(1000))
        take_decimal(self.alpha, "alpha", Decimal(0), Decimal(1))
        take_decimal(self.utility_bound, "utility_bound", Decimal(0), Decimal(1))
        take_decimal(self.exploration, "exploration", Decimal("0.000001"), Decimal(1000))

    def to_json(self) -> dict[str, str]:
        """The parameters as a JSON object; decimals as strings."""
        return {name: decimal_text(getattr(self, name)) for name in self.__dataclass_fields__}

    @classmethod
    def from_json(cls, value: Any) -> SamplerSpec:
        """Strict inverse of ``to_json``. Raises SpecError."""
        items = take_keys(value, set(cls.__dataclass_fields__), "sampler")
        return cls(**{name: take_decimal_text(text, name) for name, text in items.items()})


def uniform(sellers: int) -> tuple[int, ...]:
    """Equal probabilities, the rest by index; they sum to PROBABILITY_ONE."""
    return share_out([1] * sellers, PROBABILITY_ONE)


def step(
    probabilities: Sequence[int],
    multiplicities: Sequence[int],
    utilities: Sequence[Fraction],
    spec: SamplerSpec,
) -> tuple[int, ...]:
    """The next probabilities after one round.

    ``multiplicities`` how often each seller was drawn, ``utilities`` its u_i (read only where it
    was drawn). Returns integers that sum to PROBABILITY_ONE, each at least the floor.
    """
    count = sum(multiplicities)
    exponents = [
        _exponent(p, m, u, count, spec)
        for p, m, u in zip(probabilities, multiplicities, utilities, strict=True)
    ]
    # The projection does not change when all weights are scaled: no exponent above 0, no overflow.
    highest = max(exponents)
    weights = [
        CONTEXT.multiply(Decimal(p), CONTEXT.exp(CONTEXT.subtract(e, highest)))
        for p, e in zip(probabilities, exponents, strict=True)
    ]
    return to_integers(project(weights, spec.alpha), spec.alpha)


def _exponent(p: int, m: int, utility: Fraction, count: int, spec: SamplerSpec) -> Decimal:
    """η·m·u/(K·p + γ) for a seller drawn m of K times, 0 for one that was not drawn."""
    if not m:
        return Decimal(0)
    exact = CONTEXT.divide(Decimal(utility.numerator), Decimal(utility.denominator))
    bounded = max(spec.utility_bound.copy_negate(), min(spec.utility_bound, exact))
    expected = CONTEXT.divide(Decimal(count * p), Decimal(PROBABILITY_ONE))
    estimate = CONTEXT.divide(
        CONTEXT.multiply(bounded, Decimal(m)), CONTEXT.add(expected, spec.exploration)
    )
    return CONTEXT.multiply(spec.eta, estimate)


def project(weights: Sequence[Decimal], alpha: Decimal) -> list[Decimal]:
    """Bregman projection of positive weights on {Σp = 1, p_i ≥ alpha/n}, closed form.

    Sort ascending (ties by index); i* is the smallest i (from 1) with
    p̃_(i)·(1 − alpha(i−1)/n) > (alpha/n)·Σ_{j≥i} p̃_(j); entries before i* get alpha/n, the others
    keep their proportions.
    """
    n = len(weights)
    floor = CONTEXT.divide(alpha, Decimal(n))
    order = sorted(range(n), key=lambda i: (weights[i], i))
    tails = [Decimal(0)] * (n + 1)
    for position in range(n - 1, -1, -1):
        tails[position] = CONTEXT.add(tails[position + 1], weights[order[position]])
    result = [floor] * n
    for position, index in enumerate(order):
        free = CONTEXT.subtract(Decimal(1), CONTEXT.multiply(floor, Decimal(position)))
        if CONTEXT.multiply(weights[index], free) <= CONTEXT.multiply(floor, tails[position]):
            continue
        for kept in order[position:]:
            result[kept] = CONTEXT.divide(CONTEXT.multiply(weights[kept], free), tails[position])
        break
    return result


def floor_units(sellers: int, alpha: Decimal) -> int:
    """The floor alpha/n in integers: the smallest probability that a seller can have."""
    return int(CONTEXT.multiply(alpha, Decimal(PROBABILITY_ONE))) // sellers


def to_integers(values: Sequence[Decimal], alpha: Decimal) -> tuple[int, ...]:
    """Integers that sum to PROBABILITY_ONE with the floor kept exactly.

    Every seller gets the floor; what remains is shared out by the part above it (largest remainder,
    ties by index), in integers.
    """
    n = len(values)
    low = floor_units(n, alpha)
    floor = CONTEXT.divide(alpha, Decimal(n))
    above = [max(0, int(CONTEXT.multiply(CONTEXT.subtract(v, floor), _WEIGHT_ONE))) for v in values]
    rest = share_out(above if any(above) else [1] * n, PROBABILITY_ONE - n * low)
    return tuple(low + part for part in rest)


def share_out(weights: Sequence[int], total: int) -> tuple[int, ...]:
    """``total`` in integers by weight, to the last unit by largest remainder, ties by index."""
    whole = sum(weights)
    parts = [divmod(total * weight, whole) for weight in weights]
    missing = total - sum(quotient for quotient, _ in parts)
    first = sorted(range(len(weights)), key=lambda i: (-parts[i][1], i))[:missing]
    extra = set(first)
    return tuple(quotient + (i in extra) for i, (quotient, _) in enumerate(parts))
