"""The contract's likelihood test against exact rationals."""

from __future__ import annotations

from math import log
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d2m.protocol.likelihood import Pool, is_accepted, lead, odds_threshold
from tests.support.evm import deploy, helper, look
from tests.support.play import People

PRECISION = 1e-12
BATCH = 30  # cases that share one call


class Case(NamedTuple):
    """A pool, a tolerated error and the votes for each digest."""

    pool: Pool
    error_ppm: int
    counts: list[int]

    @property
    def leaders(self) -> tuple[int, int]:
        """Votes of the leader and the runner-up."""
        first, second, *_ = [*sorted(self.counts, reverse=True), 0, 0]
        return first, second

    @property
    def votes(self) -> int:
        return sum(self.counts)

    @property
    def abi(self) -> tuple[int, ...]:
        """The harness' struct."""
        pool = self.pool
        return (pool.honest, pool.byzantine, self.votes, *self.leaders, self.error_ppm)


@st.composite
def cases(draw: st.DrawFn, max_seats: int = 60) -> Case:
    """Votes of a random part of a random pool for a few digests; the rest is silent."""
    pool = Pool(draw(st.integers(4, max_seats)), draw(st.integers(0, 4500)))
    choices = draw(st.lists(st.integers(0, 3), max_size=pool.seats) | st.just([0] * pool.seats))
    counts = [choices.count(digest) for digest in set(choices)]
    return Case(pool, draw(st.integers(1, 100_000)), counts)


@pytest.fixture(scope="module")
def harness(people: People) -> Any:
    return deploy(helper("LikelihoodHarness"), sender=people.deployer)


def check(case: Case, certain: bool, score: int, threshold: int) -> None:
    leader, runner_up = case.leaders
    odds = odds_threshold(case.error_ppm)
    assert threshold / 1e18 == pytest.approx(log(odds), abs=PRECISION)
    exact = lead(case.pool, case.votes, leader, runner_up)
    possible = case.pool.likelihood(case.votes, leader) > 0
    if not certain and possible:
        assert exact is not None
        logarithm = log(exact.numerator) - log(exact.denominator)
        assert score / 1e18 == pytest.approx(logarithm, abs=PRECISION)
        if abs(logarithm - log(odds)) <= PRECISION:
            return  # a tie that fixed point cannot decide
    if not possible and not certain:
        assert score == 0
    tally = {bytes([digest]): count for digest, count in enumerate(case.counts)}
    assert (certain or score >= threshold) == is_accepted(case.pool, tally, case.error_ppm)


@settings(max_examples=80)
@given(batch=st.lists(cases(), min_size=BATCH, max_size=BATCH))
def test_the_contract_decides_like_the_exact_model(harness: Any, batch: list[Case]) -> None:
    decisions = look(harness.decide, [case.abi for case in batch])
    for case, decision in zip(batch, decisions, strict=True):
        check(case, *decision)


@settings(max_examples=30)
@given(data=st.data(), seats=st.integers(100, 1024), bps=st.integers(0, 4500))
def test_large_pools(harness: Any, data: st.DataObject, seats: int, bps: int) -> None:
    pool = Pool(seats, bps)
    leader = data.draw(st.integers(0, pool.honest))
    runner_up = data.draw(st.integers(0, min(leader, pool.byzantine)))
    case = Case(pool, data.draw(st.integers(1, 100_000)), [leader, runner_up])
    (decision,) = look(harness.decide, [case.abi])
    check(case, *decision)


def test_every_tally_of_a_small_pool(harness: Any) -> None:
    """All votes of 4 to 12 seats for up to three digests, at two tolerated errors."""
    every = [
        Case(Pool(seats, bps), ppm, [first, second, third])
        for seats in (4, 7, 10, 12)
        for bps in (0, 3000, 4500)
        for ppm in (1000, 100_000)
        for first in range(seats + 1)
        for second in range(min(first, seats - first) + 1)
        for third in range(min(second, seats - first - second) + 1)
    ]
    for start in range(0, len(every), 200):
        some = every[start : start + 200]
        for case, decision in zip(
            some, look(harness.decide, [case.abi for case in some]), strict=True
        ):
            check(case, *decision)


@pytest.mark.parametrize(
    ("counts", "certain"),
    [
        ([], False),
        ([3], False),
        ([4], True),
        ([4, 3], True),
        ([3, 3], False),
        ([2, 1, 1, 1], True),
        # Four voted against either: more lie than the job tolerates, nothing is accepted.
        ([4, 4], False),
        ([6, 4], False),
        ([5, 2, 2], False),
    ],
)
def test_what_is_certain_with_three_liars_of_ten(
    harness: Any, counts: list[int], certain: bool
) -> None:
    case = Case(Pool(10, 3000), 1000, counts)
    ((found, _, _),) = look(harness.decide, [case.abi])
    assert found == certain
