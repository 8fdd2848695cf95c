"""Defects seen in neighbouring systems that have no other file here."""

from __future__ import annotations

from typing import Any

import ape
import pytest
from eth_utils.crypto import keccak

from d2m.protocol.constants import UNBONDING_BLOCKS
from d2m.protocol.types import ETHER, Conduct, FailureReason, JobState, Node
from tests.adversaries.moves import LIE, all_true, cast
from tests.support.bidding import SALT, SECOND_PRICE, Bidding
from tests.support.evm import event, events, look, mine_past, refusal, rpc, send
from tests.support.play import (
    BOND,
    CID,
    KEY,
    RULES,
    STAKE,
    TAG,
    TERMS,
    Market,
    People,
    Play,
    Vote,
    win,
)
from tests.support.wealth import Ledger

DAY = b"\x61" + UNBONDING_BLOCKS.to_bytes(
    2, "big"
)  # PUSH2 of the unbonding blocks, too many to mine
SOON = b"\x61" + (1).to_bytes(2, "big")


def test_events_show_what_was_there_before_it_was_deleted(staffed: Market, people: People) -> None:
    """A payment is logged after the record of it was deleted, so that books kept from the events
    miss it: stake, bond and credit are logged with the amounts that were paid."""
    for each in (staffed.pool, staffed.registry):
        code = bytes.fromhex(rpc("eth_getCode", each.address, "latest")[2:])
        rpc("anvil_setCode", each.address, "0x" + code.replace(DAY, SOON).hex())
    node, to = people.buyers[0], people.stranger.address
    send(staffed.pool.join, KEY, sender=node, value=STAKE)
    send(staffed.pool.leave, sender=node)
    made = send(staffed.registry.offer, [TAG], CID, KEY, sender=node, value=BOND)
    offer_id = event(made, staffed.registry.Offered)["offerId"]
    send(staffed.registry.leave, offer_id, sender=node)
    bidding = Bidding.open(staffed, people, TERMS)
    bidding.bid(node, 5000)
    bidding.bid(people.buyers[1], 10_000)
    paid = send(staffed.pool.withdrawStake, to, sender=node)
    assert event(paid, staffed.pool.StakeWithdrawn) == {
        "node": node,
        "to": to,
        "amount": STAKE,
    }
    assert Node(*look(staffed.pool.nodeOf, node)).stake == 0
    paid = send(staffed.registry.withdrawBond, offer_id, to, sender=node)
    assert event(paid, staffed.registry.BondWithdrawn)["amount"] == BOND
    paid = send(staffed.escrow.withdraw, ETHER, to, sender=node)
    assert event(paid, staffed.escrow.Withdrawn)["amount"] == 5000


def test_who_lies_more_often_than_its_stake_can_pay_for_loses_all_of_it(
    staffed: Market, people: People
) -> None:
    """A liar lies in three rounds, each worth half its stake, and the books say more than was
    taken: it loses the whole stake, events say what was taken, and the job still ends."""
    play = win(staffed, people, rules=RULES._replace(base=11, commit_blocks=20, reveal_blocks=20))
    play.start()
    ledger = Ledger.open(staffed, [play.node(0)])
    for _ in range(RULES.rounds):
        play.collect()
        true = play.result()
        play.begin_mini_round()
        cast(play, all_true(play, true) | {0: play.vote_for(LIE)})
        play.open(true)
    receipt = play.slash(*play.offences())
    taken = [each["amount"] for each in events(receipt, staffed.pool.NodeSlashed)]
    assert taken == [STAKE // 2, STAKE // 2, 0]
    assert event(receipt, staffed.escrow.SlashedAdded)["amount"] == STAKE
    play.advance()
    assert play.job.state is JobState.SETTLED
    assert ledger.gain(play.node(0)) == -STAKE


def test_commitments_are_words_of_32_bytes(staffed: Market, people: People, voting: Play) -> None:
    """A commitment cut to 20 bytes can be made to open in two ways with 2^80 hashes: votes and
    sealed bids commit to whole words, and what agrees in 20 bytes only does not open."""
    play, yoda, house = voting, voting.market.yoda, staffed.auction_house
    seat = play.seats_asked()[0]
    node, vote = play.node(seat), Vote(keccak(b"true"), keccak(b"audit"))
    whole = play.ballot(node).commitment(*vote)
    cut = whole[:20] + bytes(12)
    send(yoda.commit, play.job_id, seat, cut, sender=node)
    mine_past(play.poll.commit_deadline)
    args = (play.job_id, play.position(seat), *vote)
    refusal(yoda.CommitmentMismatch, yoda.reveal, *args, sender=node)

    bidding = Bidding.open(staffed, people, SECOND_PRICE)
    bidder, amount = people.buyers[1], 5000
    cut = bidding.commitment(bidder, amount)[:20] + bytes(12)
    sealed = (bidding.auction_id, cut, 4)
    send(house.sealBid, *sealed, sender=bidder, value=SECOND_PRICE.reserve << 4)
    bidding.end_bids()
    bidding.reveal_is_refused(house.CommitmentMismatch, bidder, amount, salt=SALT)


def test_votes_for_a_result_that_nobody_opens_earn_and_cost_nothing(opening: Play) -> None:
    """Colluders have something accepted that they will not open, to have the honest slashed or to
    be paid unseen: the job fails, the buyer is refunded, and no vote of the round is judged."""
    play = opening
    nodes = play.people.nodes
    ledger = Ledger.open(play.market, nodes)
    mine_past(play.job.deadline)
    play.advance()
    assert (play.job.state, play.job.failure) == (JobState.FAILED, FailureReason.NOT_OPENED)
    assert {play.conduct(1, 1, seat) for seat in range(len(nodes))} == {Conduct.UNJUDGED}
    seat = play.voters()[0]
    claim = (play.market.escrow.claimCone, play.job_id, seat, [(1, 1)])
    refusal(play.market.escrow.NotRight, *claim, sender=play.people.stranger)
    assert ledger.gain(*nodes) == 0
    assert look(play.market.escrow.credit, ETHER, play.people.buyers[0]) == play.pots.price


@pytest.mark.parametrize("name", ["Escrow", "ConePool", "Yoda", "AuctionHouse", "Jobs"])
def test_nobody_owns_a_contract(name: str) -> None:
    """The deployer keeps a key that stops, upgrades or drains a contract: no function is there that
    could take one."""
    words = ("owner", "admin", "upgrade", "pause", "rescue", "setjobs", "initialize")
    contract: Any = getattr(ape.project, name).contract_type
    names = [each.name.lower() for each in [*contract.mutable_methods, *contract.view_methods]]
    assert not [each for each in names if any(word in each for word in words)]
