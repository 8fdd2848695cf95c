"""The sequential test itself: what it promises when at most f of the pool lie."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from math import log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d2m.protocol.likelihood import Pool, is_accepted, lead, odds_threshold
from d2m.protocol.sortition import asked_after

TRUE, LIE, OTHER = b"true", b"lie", b"other lie"
POOLS = st.builds(Pool, st.integers(4, 80), st.integers(2000, 4500))
ERRORS = st.integers(1, 100_000)


def test_a_pool_rounds_its_liars_down() -> None:
    assert [(Pool(n, 3000).byzantine, Pool(n, 3000).honest) for n in (4, 10, 13)] == [
        (1, 3),
        (3, 7),
        (3, 10),
    ]


def test_a_worked_example() -> None:
    """Two equal votes in a pool of 12 with 3 liars: C(9, 2) : C(3, 2) = 36 : 3."""
    pool = Pool(12, 3000)
    assert lead(pool, 2, 2, 0) == 12
    assert odds_threshold(100_000) == 9
    assert is_accepted(pool, {TRUE: 2}, 100_000)
    assert not is_accepted(pool, {TRUE: 2}, 1000)
    assert lead(pool, 4, 4, 0) is None, "four unseen liars are one too many"
    assert is_accepted(pool, {TRUE: 4}, 1)


def test_an_even_tally_decides_nothing() -> None:
    for count in range(7):
        assert not is_accepted(Pool(12, 3000), {TRUE: count, LIE: count}, 100_000)
    assert not is_accepted(Pool(12, 3000), {}, 100_000)


@given(pool=POOLS, error=ERRORS, data=st.data())
def test_certainty_is_never_wrong(pool: Pool, error: int, data: st.DataObject) -> None:
    """Once the truth is the only digest that can be true, it is accepted, and no other ever is."""
    honest = data.draw(st.integers(0, pool.honest))
    liars = data.draw(st.lists(st.sampled_from([LIE, OTHER]), max_size=pool.byzantine))
    tally = Counter(liars)
    tally[TRUE] = honest
    if honest > pool.byzantine:
        assert is_accepted(pool, tally, error)
        assert max(tally, key=tally.__getitem__) == TRUE


@given(pool=POOLS, error=ERRORS, counts=st.lists(st.integers(1, 20), min_size=1, max_size=4))
def test_what_more_than_f_refute_is_not_accepted(pool: Pool, error: int, counts: list[int]) -> None:
    tally = {bytes([i]): count for i, count in enumerate(counts)}
    if sum(counts) - max(counts) > pool.byzantine:
        assert not is_accepted(pool, tally, error)


@given(pool=POOLS, data=st.data())
def test_the_runner_up_is_the_likeliest_other(pool: Pool, data: st.DataObject) -> None:
    """Below half of the votes the likelihood grows, so only the two largest tallies matter."""
    votes = data.draw(st.integers(1, pool.seats))
    more = data.draw(st.integers(0, votes // 2))
    fewer = data.draw(st.integers(0, more))
    assert pool.likelihood(votes, fewer) <= pool.likelihood(votes, more)


def test_in_a_large_pool_a_lead_in_votes_decides() -> None:
    """For two digests: ln((1-β)/β) / ln((1-f)/f) votes, whatever the votes so far."""
    pool = Pool(10**6, 3000)
    needed = log(odds_threshold(1000)) / log(7 / 3)
    for votes in (20, 60):
        leads = [
            2 * leader - votes
            for leader in range(votes // 2, votes + 1)
            if is_accepted(pool, {TRUE: leader, LIE: votes - leader}, 1000)
        ]
        assert min(leads) - 2 < needed <= min(leads) + 0.01


@pytest.mark.parametrize(("seats", "share"), [(10, 0.3), (20, 0.4), (50, 0.4)])
def test_colluding_liars_do_not_prevail(seats: int, share: float) -> None:
    """Liars up to f, all for one digest: at most one wrong result in 300, none undecided."""
    pool, random = Pool(seats, round(share * 10_000)), Random(seats)
    wrong = 0
    for _ in range(300):
        voters = [LIE] * pool.byzantine + [TRUE] * pool.honest
        random.shuffle(voters)
        wrong += decided(pool, voters) == LIE
    assert wrong <= 1


def decided(pool: Pool, voters: list[bytes]) -> bytes:
    """The digest accepted by growing sets that ask the voters in order."""
    for mini_round in range(1, 12):
        asked = asked_after(4, mini_round, pool.seats)
        tally = Counter(voters[:asked])
        if is_accepted(pool, tally, 1000):
            return tally.most_common(1)[0][0]
        if asked == pool.seats:
            break
    raise AssertionError("undecided")


@given(pool=POOLS, data=st.data())
def test_a_lead_is_the_quotient_of_likelihoods(pool: Pool, data: st.DataObject) -> None:
    """In the form in which the contract computes it: a product over the votes between the two."""
    votes = data.draw(st.integers(0, pool.seats))
    leader = data.draw(st.integers(0, min(votes, pool.honest)))
    runner_up = data.draw(st.integers(0, min(leader, votes - leader)))
    h, b = pool.honest, pool.byzantine
    exact = lead(pool, votes, leader, runner_up)
    if not pool.is_possible(votes, runner_up):
        assert exact is None
        return
    product = Fraction(1)
    for j in range(runner_up + 1, leader + 1):
        product *= Fraction((h - j + 1) * (votes - j + 1), j * (b - votes + j))
    assert exact == product
