"""A stranger that calls whatever it is not meant to call."""

from __future__ import annotations

from typing import Any

import ape
import pytest

from d2m.protocol.types import ETHER, Conduct
from tests.adversaries.moves import LIE, all_true, cast, decide_honestly, pay_out
from tests.support.evm import look, refusal
from tests.support.play import (
    CID,
    KEY,
    RULES,
    STAKE,
    TAG,
    Market,
    Play,
    request,
)
from tests.support.wealth import Ledger

EVERYBODYS = {
    "SellerRegistry": {"offer"},
    "ConePool": {"join", "slash"},
    "Escrow": {"claimCone", "claimSeller"},
    "AuctionHouse": {"bid", "close", "open", "reclaim", "sealBid"},
    "Jobs": {"advance", "open"},
}
"""Anybody may call these; what they do to others is for the other tests."""


def forbidden(market: Market) -> dict[str, list[tuple[Any, ...]]]:
    """Every other function with the error that meets a stranger, and arguments."""
    registry, pool, yoda, escrow = market.registry, market.pool, market.yoda, market.escrow
    house, jobs = market.auction_house, market.jobs
    settlement = (pool.address, 1, 1, 1, bytes(32))
    return {
        "SellerRegistry": [
            (registry.NotYourOffer, registry.update, 1, [TAG], CID, KEY),
            (registry.NotYourOffer, registry.pause, 1),
            (registry.NotYourOffer, registry.resume, 1),
            (registry.NotYourOffer, registry.leave, 1),
            (registry.NotYourOffer, registry.withdrawBond, 1, pool.address),
        ],
        "ConePool": [
            (pool.NotSeated, pool.leave),
            (pool.NotLeaving, pool.withdrawStake, pool.address),
            (pool.OnlyJobs, pool.freezePool, 1),
            (pool.OnlyJobs, pool.releasePool, 1),
        ],
        "Yoda": [
            (yoda.OnlyJobs, yoda.freezeRules, 1, RULES, 1, 1),
            (yoda.OnlyJobs, yoda.begin, 1, 1),
            (yoda.OnlyJobs, yoda.advance, 1),
            (yoda.OnlyJobs, yoda.judge, 1, 1, LIE),
            (yoda.NotYourSeat, yoda.commit, 1, 0, LIE),
            (yoda.NotRevealing, yoda.reveal, 1, 0, LIE, LIE, LIE),
        ],
        "Escrow": [
            (escrow.OnlyAuctionHouse, escrow.deposit, 1, ETHER, pool.address, 1),
            (escrow.OnlyAuctionHouse, escrow.refund, 1, ETHER, pool.address, 1),
            (escrow.OnlyAuctionHouse, escrow.fund, 1, 1, ETHER, 1),
            (escrow.OnlyPool, escrow.addSlashed, 1),
            (escrow.OnlyJobs, escrow.settle, 1, settlement),
            (escrow.NothingToWithdraw, escrow.withdraw, ETHER, pool.address),
        ],
        "AuctionHouse": [
            (house.CannotCancel, house.cancel, 1),
            (house.NotRevealing, house.revealBid, 1, 1, LIE),
        ],
        "Jobs": [
            (jobs.OnlyAuctionHouse, jobs.create, request(), pool.address, 1),
            (jobs.WrongState, jobs.postUpdate, 1, 1, 0, LIE, CID),
        ],
    }


def test_a_stranger_is_refused_everything_that_is_not_everybodys(voting: Play) -> None:
    """A stranger calls every function that moves money, members or a job in the name of another, or
    of a contract of the market: each refuses, and none was forgotten here."""
    thief, market = voting.people.buyers[2], voting.market
    ledger = Ledger.open(market, [thief])
    for calls in forbidden(market).values():
        for error, method, *args in calls:
            refusal(error, method, *args, sender=thief)
    assert ledger.gain(thief) == 0


@pytest.mark.parametrize("name", EVERYBODYS)
def test_no_function_is_forgotten(market: Market, name: str) -> None:
    """An attacker looks for a function that the test above leaves out: there is none."""
    contract = getattr(ape.project, name).contract_type
    tried = {str(method.abis[0].name) for _, method, *_ in forbidden(market)[name]}
    assert tried | EVERYBODYS[name] == {each.name for each in contract.mutable_methods}
    assert not tried & EVERYBODYS[name]


def lied_to(play: Play) -> tuple[str, Any]:
    """A liar that was caught: it, and a stranger."""
    true = play.result(metric_numerator=99)
    play.begin_mini_round()
    liar = play.seats_asked()[0]
    cast(play, all_true(play, true) | {liar: play.vote_for(LIE)})
    decide_honestly(play, true)
    play.open(true)
    assert play.conduct(1, 1, liar) is Conduct.LOST_RESULT
    return play.node(liar), play.people.buyers[2]


@pytest.mark.parametrize("first", ["stranger", "liar"])
def test_who_slashes_gets_nothing(deciding: Play, first: str) -> None:
    """A stranger slashes a liar for a reward, or the liar slashes itself before others do: nothing
    goes to the caller, the liar loses half its stake, and those who were right get all of it."""
    play = deciding
    ledger = Ledger.open(play.market, [*play.people.nodes, play.people.buyers[2]])
    liar, stranger = lied_to(play)
    play.slash(*play.offences(), sender=stranger if first == "stranger" else liar)
    pay_out(play)
    assert ledger.gain(stranger) == 0
    assert ledger.gain(liar) == -STAKE // 2
    others = [node for node in play.people.nodes if node.address != liar]
    assert ledger.gain(*others) == STAKE // 2 + play.pots.cone_pot


def test_nobody_is_slashed_for_what_it_did_not_do(deciding: Play) -> None:
    """A stranger invents offences, of honest nodes and of seats and rounds that are none: refused.
    A true one again takes nothing more."""
    play, pool = deciding, deciding.market.pool
    _, stranger = lied_to(play)
    (offence,) = play.offences()
    honest = [seat for seat in range(12) if seat != offence.seat]
    invented = [offence._replace(seat=seat) for seat in [*honest, 12, 2**16 - 1]]
    invented += [offence._replace(round=2), offence._replace(mini_round=0)]
    for each in invented:
        args = (play.job_id, [offence, each])
        refusal(pool.NoOffence, pool.slash, *args, sender=stranger)
    play.slash(offence, sender=stranger)
    assert play.pots.slash_pot == STAKE // 2
    play.slash(offence, offence, sender=stranger)
    assert play.pots.slash_pot == STAKE // 2
    assert look(pool.slashedIn, play.job_id) == play.job.offences == 1
    play.advance()
    refusal(pool.NotRunning, pool.slash, play.job_id, [offence], sender=stranger)


def test_punishing_one_offence_often_does_not_end_the_judging(deciding: Play) -> None:
    """Of two liars one slashes the other many times, so that as many offences as were counted seem
    punished and the job ends before its own turn comes: an offence counts once."""
    play, pool = deciding, deciding.market.pool
    true = play.result(metric_numerator=99)
    play.begin_mini_round()
    liars = play.seats_asked()[:2]
    cast(play, all_true(play, true) | dict.fromkeys(liars, play.vote_for(LIE)))
    decide_honestly(play, true)
    play.open(true)
    one, other = play.offences()
    play.slash(one, one, sender=play.node(other.seat))
    assert look(pool.slashedIn, play.job_id) == 1 < play.job.offences
    stranger = play.people.stranger
    refusal(play.market.jobs.NotDue, play.market.jobs.advance, play.job_id, sender=stranger)
    play.slash(other)
    assert play.pots.slash_pot == STAKE
