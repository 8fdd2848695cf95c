"""The chances of a lie against every order in which a small pool can be asked, and simulation."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d2m.incentives.chances import Vote
from d2m.protocol.constants import PPM
from d2m.protocol.likelihood import Pool, is_accepted
from d2m.protocol.sortition import asked_after
from experiments.studies.yoda import Digest, Setting, exact_oracle, simulate

VOTES = st.builds(
    Vote,
    st.builds(Pool, st.integers(5, 9), st.integers(2000, 4500)),
    st.integers(0, 6),
    st.sampled_from([1, 1000, 20_000, 100_000]),
)
TRUE, LIE = b"true", b"lie"


def played(vote: Vote, liars: set[int], joining: bool) -> tuple[bytes | None, int, int]:
    """One draw: what is accepted, votes for the lie, votes; ranks in `liars` are bribed."""
    tally = {TRUE: 0, LIE: 0}
    seats, asked, mini_rounds = vote.pool.seats, 0, 0
    while asked < seats:
        mini_rounds += 1
        before, asked = asked, asked_after(vote.base, mini_rounds, seats)
        give_up = joining and tally[TRUE] > tally[LIE]
        for rank in range(before, asked):
            tally[LIE if rank in liars and not give_up else TRUE] += 1
        if is_accepted(vote.pool, tally, vote.error_ppm):
            return max(tally, key=lambda each: tally[each]), tally[LIE], asked
    return None, tally[LIE], asked


def every_draw(vote: Vote, bribed: int, joining: bool) -> Iterator[tuple[bytes | None, int, int]]:
    for liars in combinations(range(vote.pool.seats), bribed):
        yield played(vote, set(liars), joining)


@settings(deadline=None)
@given(vote=VOTES, joining=st.booleans(), data=st.data())
def test_chances_are_those_of_all_orders(vote: Vote, joining: bool, data: st.DataObject) -> None:
    bribed = data.draw(st.integers(0, vote.pool.seats))
    draws = list(every_draw(vote, bribed, joining))
    wrong = undecided = lost = votes = Fraction(0)
    for digest, lies, asked in draws:
        if digest is not None:
            wrong += digest == LIE
            lost += lies * (digest == TRUE)
            votes += asked
            continue
        for again, more, asked_again in draws:
            part = Fraction(1, len(draws))
            wrong += part * (again == LIE)
            undecided += part * (again is None)
            lost += part * (lies + more) * (again == TRUE)
            votes += part * (asked + asked_again)
    found = vote.against(bribed, joining=joining)
    expected = [float(sum_ / len(draws)) for sum_ in (wrong, undecided, lost, votes)]
    assert [found.wrong, found.undecided, found.lost_votes, found.votes] == pytest.approx(
        expected, abs=1e-9
    )


@given(
    pool=st.builds(Pool, st.integers(5, 120), st.integers(2000, 4500)),
    base=st.integers(0, 119),
    error_ppm=st.integers(1, 100_000),
    joining=st.booleans(),
)
@settings(deadline=None)
def test_as_many_as_are_tolerated_rarely_succeed(
    pool: Pool, base: int, error_ppm: int, joining: bool
) -> None:
    """The error β of a draw, in each of the two."""
    found = Vote(pool, base, error_ppm).against(pool.byzantine, joining=joining)
    assert found.wrong <= 2 * error_ppm / PPM


def test_the_nodes_that_are_asked() -> None:
    """N = 50, f = 0.3, β = 1e-3, base 4: 11, 12, 14 and 18 of them, as YODA was simulated."""
    vote = Vote(Pool(50, 3000), 4, 1000)
    assert [round(vote.against(bribed).votes) for bribed in (0, 5, 10, 15)] == [11, 12, 14, 18]


@pytest.mark.parametrize("strategy", ["colluding", "joining"])
@pytest.mark.parametrize("bribed", [15, 20, 25])
def test_a_simulation_agrees(strategy: str, bribed: int) -> None:
    pool, rounds = Pool(50, 3000), 20_000
    exact = Vote(pool, 4, 20_000).against(bribed, joining=strategy == "joining")
    setting = Setting(pool, 4, bribed * 200, strategy)
    random = np.random.default_rng(bribed)
    seen = simulate(setting, exact_oracle(pool, 20_000), rounds, random)
    wrong = (seen.digest == Digest.WRONG).mean()
    four_sigma = 4 * np.sqrt(exact.wrong * (1 - exact.wrong) / rounds)
    assert wrong == pytest.approx(exact.wrong, abs=four_sigma)
    error = 4 * seen.asked.std() / np.sqrt(rounds)
    assert seen.asked.mean() == pytest.approx(exact.votes, abs=error)


def test_more_nodes_than_there_are() -> None:
    with pytest.raises(ValueError, match="8 bribed of 7 nodes"):
        Vote(Pool(7, 3000), 4, 1000).against(8)
