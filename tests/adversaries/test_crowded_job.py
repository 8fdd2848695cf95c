"""A job with as many sellers as there can be: what others pay for the crowd."""

from __future__ import annotations

from typing import NamedTuple

from d2m.learning.earnings import contribution_proof, contributions_root
from d2m.protocol.types import tag_of
from tests.support.bidding import Bidding
from tests.support.crowd import Crowd
from tests.support.evm import look, send
from tests.support.play import (
    BOND,
    CID,
    HASH,
    KEY,
    TERMS,
    Market,
    People,
    Play,
    join_nodes,
    request,
)

CROWDS = (50, 256)
"""Sellers; 256 is the cap. What lies between is in the record of gas."""
FLAT = 1.05
"""How much dearer a call may be with 256 sellers than with 50."""


class Gas(NamedTuple):
    close: int
    settle: int
    claim: int


def gas_with(market: Market, people: People, crowd: Crowd, sellers: int) -> Gas:
    """A job whose first `sellers` of the crowd offer under a tag of their own."""
    tag = tag_of(f"crowd of {sellers}")
    offer = (market.registry.offer, [tag], CID, KEY)
    crowd.chorus(range(sellers), *offer, value=BOND)
    bidding = Bidding.open(market, people, TERMS, request(tag=tag))
    bidding.bid(people.buyers[0], 10**18)
    bidding.end()
    closed = bidding.close()
    play = Play(market, people, bidding.auction.job_id)
    play.start()
    assert play.job.sellers == sellers
    for index in play.sampled():
        args = (play.job_id, 1, index, HASH, CID)
        crowd.play([crowd.move(index, market.jobs.postUpdate, *args)])
    play.advance()
    contributions = tuple(range(1, sellers + 1))
    root = contributions_root(contributions)
    result = play.result(metric_numerator=99, contributions_root=root)
    play.decide(result.digest)
    opened = play.open(result)
    share, proof = contribution_proof(contributions, sellers // 2)
    claim = send(market.escrow.claimSeller, play.job_id, *share, proof, sender=people.stranger)
    assert look(market.escrow.credit, TERMS.token, crowd.actors[sellers // 2]) > 0
    return Gas(closed.gas, opened.gas, claim.gas)


def test_a_crowd_of_sellers_makes_nothing_dearer(market: Market, people: People) -> None:
    """Many identities crowd a tag so that closing, settling or claiming runs out of gas: with 256
    sellers, the most that a job takes, each costs within 5 % of what it costs with 50."""
    join_nodes(market, people.nodes)
    crowd = Crowd.hire(max(CROWDS), people.deployer)
    gas_with(market, people, crowd, 2)  # the first job of all writes words that later ones change
    gas = {sellers: gas_with(market, people, crowd, sellers) for sellers in CROWDS}
    for one in zip(*gas.values(), strict=True):
        assert max(one) <= FLAT * min(one), gas
