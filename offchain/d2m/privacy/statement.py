"""Spending of a seller, and the cost of a job, in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from d2m.learning.spec import TrainingSpec
from d2m.privacy.accountant import spent_epsilon
from d2m.privacy.ledger import PrivacyLedger
from d2m.privacy.terms import PrivacyTerms, Spending, check_budget

MOST_ROUNDS = 256
"""Most rounds of a job; see docs/protocol.md."""


def statement(folder: Path, epsilon: float, delta: float) -> str:
    """Spending of the ledger in `folder`, of a budget. Raises PrivacyError or LedgerError."""
    check_budget(epsilon, delta)
    ledger = PrivacyLedger(folder)
    releases = ledger.releases()
    jobs = len({each.job for each in releases})
    return (
        f"spent ε = {ledger.spent(delta):.3f} of {epsilon:g} at δ = {delta:g}"
        f" by {len(releases)} released update(s) in {jobs} job(s)"
    )


def forecast(folder: Path, terms: PrivacyTerms, samples: int, training: TrainingSpec) -> str:
    """Cost of rounds of a job's training, and the number that the budget still allows."""
    terms.check(samples)
    before = [each.spending for each in PrivacyLedger(folder).releases()]
    cost = terms.cost(samples, training)
    lone = spent_epsilon([cost], terms.delta)
    rounds = sum(1 for _ in _affordable(before, cost, terms))
    limit = " or more, the most of a job" if rounds == MOST_ROUNDS else ""
    return (
        f"a round alone: ε = {lone:.3f} ({cost.steps} steps, rate {cost.rate:.4f});"
        f" the budget allows {rounds} more round(s){limit}"
    )


def _affordable(before: list[Spending], cost: Spending, terms: PrivacyTerms) -> Iterator[int]:
    for count in range(1, MOST_ROUNDS + 1):
        if spent_epsilon([*before, *[cost] * count], terms.delta) > terms.epsilon:
            return
        yield count
