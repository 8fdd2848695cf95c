"""When bribing pays: the honest region, its bounds, and what people are told of it."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d2m.incentives import bribery
from d2m.incentives.bribery import JobIncentives
from d2m.incentives.formatting import as_json, headline, lines
from d2m.protocol.constants import MIN_SEATS
from d2m.protocol.types import Rules

ETHER = 10**18
RULES = Rules(9000, 50, 25, 3000, 4, 50_000, 20, 10, 10, 20, 20)
JOB = JobIncentives(RULES, seats=50, stake_unit=ETHER // 10, price=2 * ETHER)
DEAR = replace(JOB, price=40 * ETHER)
JOBS = st.builds(
    lambda rounds, bps, base, ppm, seats, stake, price: JobIncentives(
        Rules(9000, rounds, 25, bps, base, ppm, 20, 10, 10, 20, 20), seats, stake, price
    ),
    st.integers(1, 256),
    st.integers(2000, 4500),
    st.integers(0, 20),
    st.integers(1, 100_000),
    st.integers(5, 60),
    st.integers(10**15, 10**19),
    st.integers(10**15, 10**22),
)


@settings(deadline=None)
@given(job=JOBS)
def test_the_weakest_number_is_the_first_that_pays(job: JobIncentives) -> None:
    paying = [nodes for nodes in range(1, job.seats + 1) if job.bribe(nodes).pays]
    assert job.weakest == (paying[0] if paying else None)
    assert paying == list(range(job.weakest or job.seats + 1, job.seats + 1))
    assert job.is_honest == (not paying or paying[0] > job.tolerated)


@settings(deadline=None)
@given(job=JOBS)
def test_the_bounds_are_the_region_s_border(job: JobIncentives) -> None:
    for factor, is_inside in ((0.999, True), (1.001, False)):
        if job.most_price < inf:
            assert replace(job, price=int(job.most_price * factor)).is_honest == is_inside
        if job.least_stake_unit > ETHER // 10**6:
            stake = int(job.least_stake_unit / factor)
            assert replace(job, stake_unit=stake).is_honest == is_inside
    if job.most_error_ppm is not None:
        error_ppm = job.most_error_ppm
        assert error_ppm == job.rules.error_ppm or not job.is_honest
        assert replace(job, rules=job.rules._replace(error_ppm=error_ppm)).is_honest


@settings(deadline=None)
@given(job=JOBS, factor=st.integers(2, 10))
def test_more_stake_makes_no_bribe_cheaper(job: JobIncentives, factor: int) -> None:
    more = replace(job, stake_unit=job.stake_unit * factor)
    assert more.bribe(job.tolerated).each >= job.bribe(job.tolerated).each


def test_a_bribed_node_takes_the_cheaper_strategy() -> None:
    """Whoever joins the majority once it is outnumbered loses fewer votes."""
    bribe = JOB.bribe(15)
    stubborn = JOB.vote.against(15)
    assert bribe.chances.lost_votes < stubborn.lost_votes
    assert bribe.each < stubborn.lost_votes / 15 * JOB.vote_risk / stubborn.wrong


def test_who_waits_for_the_order_is_bounded_by_the_error_alone() -> None:
    """A bound by rounds and both draws; no stake and no price changes it."""
    assert 0 < JOB.waiting_chance <= 2 * RULES.rounds * RULES.error_ppm / 10**6
    richer = replace(JOB, stake_unit=100 * ETHER, price=ETHER)
    assert richer.waiting_chance == JOB.waiting_chance
    stricter = replace(JOB, rules=RULES._replace(error_ppm=10))
    assert stricter.waiting_chance < JOB.waiting_chance / 100


def test_the_paper_s_condition_at_the_border() -> None:
    """N·q·(pay + slash) = P(lie)·(q′ − q)·A_n."""
    job = replace(JOB, price=int(JOB.most_price))
    chances = job.bribe(job.tolerated).chances
    assert chances.lost_votes * job.vote_risk == pytest.approx(chances.wrong * job.gain, rel=1e-6)


def test_constants_are_the_contracts() -> None:
    split, pool, bounds = (
        Path("contracts", name).read_text()
        for name in ("escrow/Split.sol", "cone/ConePool.sol", "jobs/Bounds.sol")
    )
    assert f"CONE_BPS = {bribery.CONE_BPS};" in split
    assert f"LOST_RESULT_BPS = {bribery.LOST_RESULT_BPS};" in pool
    assert f"MIN_SEATS = {MIN_SEATS};" in bounds


def test_what_a_buyer_is_told() -> None:
    assert headline(JOB) == (
        "in the honest region: no bribe of up to 15 of 50 nodes would pay; bribing 21 would"
    )
    assert headline(DEAR) == (
        "outside the honest region: bribing 14 of 50 nodes would pay (15 liars are tolerated)"
    )
    inside, outside = "\n".join(lines(JOB)), "\n".join(lines(DEAR))
    assert "it stays there up to a price of 18.9 ether" in inside
    assert "15 nodes: accepted with a chance of 0.0095" in inside
    assert "15 that wait for the order of each draw, and agree, risk nothing: a chance of" in inside
    assert "to enter it, any of: a price of at most 18.9 ether" in outside
    assert "a market whose stake unit is at least 0.212 ether" in outside
    assert "an --error-ppm of at most 25000" in outside


def test_a_lie_that_cannot_be_accepted() -> None:
    """Of seven nodes with f = 0.3 two may lie, and the first mini-round asks five."""
    job = replace(JOB, seats=7)
    assert job.bribe(2).each == inf
    assert job.most_price == inf
    assert "2 nodes: never accepted, no bribe would do" in "\n".join(lines(job))
    assert as_json(job)["most_price"] is None
    assert [bribe["least_each"] for bribe in as_json(job)["bribes"][:2]] == [None, None]
