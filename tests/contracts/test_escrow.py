"""The price of a job: who moves it, how it is split, and the buyer's part."""

from __future__ import annotations

import pytest
from eth_utils.crypto import keccak

from d2m.learning.earnings import NO_ROOT, contribution_proof, contributions_root
from d2m.protocol.types import ETHER, JobState, Pots
from tests.support.evm import NOBODY, balance, event, look, mine_past, panics, refusal
from tests.support.payments import (
    CONE_POT,
    EARNERS,
    SELLER_POT,
    claim_cone_is_refused,
    claim_seller_is_refused,
    everybody_claims,
    punish_everybody,
    vote_without_computing,
    withdraw_everything,
)
from tests.support.play import CONTRIBUTIONS, PRICE, STAKE, Market, People, Play, win

# Who may do what


def test_only_the_auction_house_moves_purses(staffed: Market, people: People) -> None:
    escrow, who = staffed.escrow, people.stranger
    for method, *args in [
        (escrow.deposit, 1, ETHER, who.address, 0),
        (escrow.refund, 1, ETHER, who.address, 0),
        (escrow.fund, 1, 1, ETHER, 0),
    ]:
        for sender in (who, staffed.jobs.address, staffed.pool.address):
            refusal(escrow.OnlyAuctionHouse, method, *args, sender=sender)


def test_only_the_job_contract_settles(staffed: Market, people: People) -> None:
    escrow, settlement = staffed.escrow, (people.stranger.address, 1, 1, 1, NO_ROOT)
    for sender in (people.stranger, staffed.auction_house.address, staffed.pool.address):
        refusal(escrow.OnlyJobs, escrow.settle, 1, settlement, sender=sender)


def test_only_the_pool_adds_slashed_stake(seeding: Play) -> None:
    market, escrow = seeding.market, seeding.market.escrow
    for sender in (seeding.people.stranger, market.jobs.address, market.auction_house.address):
        refusal(escrow.OnlyPool, escrow.addSlashed, seeding.job_id, sender=sender)


def test_a_job_is_settled_once(settled: Play) -> None:
    escrow, jobs = settled.market.escrow, settled.market.jobs.address
    settlement = (settled.job.buyer, 3, 3, 5, NO_ROOT)
    refusal(escrow.AlreadySettled, escrow.settle, settled.job_id, settlement, sender=jobs)


def test_a_purse_gives_no_more_than_it_holds(seeding: Play) -> None:
    """Not even to the auction house: the money of other auctions lies beside it."""
    escrow, house = seeding.market.escrow, seeding.market.auction_house.address
    assert balance(escrow) == PRICE
    assert panics(escrow.refund, 99, ETHER, seeding.people.stranger, 1, sender=house)
    assert panics(escrow.fund, 99, 99, ETHER, 1, sender=house)
    args = (escrow.fund, 99, 99, ETHER, 2**128)
    assert refusal(escrow.TooLarge, *args, sender=house) == {"amount": 2**128}


def test_nothing_is_claimed_before_the_settlement(collecting: Play) -> None:
    play, escrow = collecting, collecting.market.escrow
    play.round()
    seat = play.voters()[0]
    share, proof = contribution_proof(CONTRIBUTIONS, EARNERS[0])
    claim_seller_is_refused(play, escrow.NotSettled, share, proof)
    claim_cone_is_refused(play, escrow.NotSettled, seat, play.right_votes(seat))
    never = Play(play.market, play.people, 99)
    claim_seller_is_refused(never, escrow.NotSettled, share, proof)
    claim_cone_is_refused(never, escrow.NotSettled, seat, [])


# The split


def test_a_price_is_held_until_the_settlement(seeding: Play) -> None:
    assert seeding.pots == Pots(
        token=ETHER,
        settled=False,
        right_votes=0,
        paid_votes=0,
        price=PRICE,
        seller_pot=0,
        seller_paid=0,
        cone_pot=0,
        slash_pot=0,
        contributions_root=NO_ROOT,
    )
    assert balance(seeding.market.escrow) == PRICE


def test_thirty_percent_go_to_the_nodes(settled: Play) -> None:
    assert settled.pots == Pots(
        token=ETHER,
        settled=True,
        right_votes=5,
        paid_votes=0,
        price=PRICE,
        seller_pot=SELLER_POT,
        seller_paid=0,
        cone_pot=CONE_POT,
        slash_pot=0,
        contributions_root=contributions_root(CONTRIBUTIONS),
    )
    assert look(settled.market.escrow.credit, ETHER, settled.job.buyer) == 0
    assert (CONE_POT, SELLER_POT) == (300_000_000_000_000_000, 700_000_000_000_000_001)


def test_where_no_update_was_kept_the_buyer_gets_the_sellers_part(collecting: Play) -> None:
    play, escrow = collecting, collecting.market.escrow
    receipt = play.round(metric_numerator=99, contributions_root=NO_ROOT)
    assert event(receipt, escrow.JobPaid) == {
        "jobId": play.job_id,
        "conePot": CONE_POT,
        "sellerPot": 0,
        "refund": SELLER_POT,
        "slashPot": 0,
    }
    assert look(escrow.credit, ETHER, play.job.buyer) == SELLER_POT
    share, proof = contribution_proof(CONTRIBUTIONS, EARNERS[0])
    claim_seller_is_refused(play, escrow.BadProof, share, proof)


def test_where_no_vote_was_right_the_buyer_gets_the_nodes_part(deciding: Play) -> None:
    """Of the price, and what they lost: all five agreed without having computed anything."""
    play, escrow = deciding, deciding.market.escrow
    result = play.result(metric_numerator=99)
    vote_without_computing(play, result.digest)
    play.open(result)
    assert play.job.state is JobState.JUDGING
    receipt = punish_everybody(play)
    lost = 5 * STAKE // 4
    assert event(receipt, escrow.JobPaid) == {
        "jobId": play.job_id,
        "conePot": 0,
        "sellerPot": SELLER_POT,
        "refund": CONE_POT,
        "slashPot": lost,
    }
    assert look(escrow.credit, ETHER, play.job.buyer) == CONE_POT + lost
    pots = play.pots
    assert (pots.cone_pot, pots.slash_pot, pots.right_votes) == (0, 0, 0)
    for seat in play.voters():
        claim_cone_is_refused(play, escrow.NotRight, seat, [(1, 1)])
    for index in EARNERS:
        play.claim_seller(index)
    assert withdraw_everything(play) == PRICE + lost
    assert balance(escrow) == 0


@pytest.mark.parametrize("accepted", [0, 1, 2])
def test_a_failed_job_earned_its_accepted_rounds(collecting: Play, accepted: int) -> None:
    """The rest of the price goes back, to the wei."""
    play, escrow = collecting, collecting.market.escrow
    for _ in range(accepted):
        play.round()
    play.collect()
    play.decide(keccak(b"never opened"))
    mine_past(play.job.deadline)
    play.advance()
    assert play.job.state is JobState.FAILED
    earned = PRICE * accepted // 3
    pots = play.pots
    assert (pots.cone_pot, pots.seller_pot) == (earned * 3 // 10, earned - earned * 3 // 10)
    assert look(escrow.credit, ETHER, play.job.buyer) == PRICE - earned
    everybody_claims(play, sellers=EARNERS if accepted else [])
    assert withdraw_everything(play) == PRICE
    assert balance(escrow) == 0


@pytest.mark.parametrize("price", [1, 2, 3, 4, 9, 10, 11, 10_001])
def test_awkward_prices_are_paid_out_to_the_wei(
    staffed: Market, people: People, price: int
) -> None:
    play = win(staffed, people, price=price)
    play.settle()
    pots = play.pots
    assert (pots.cone_pot, pots.seller_pot) == (price * 3 // 10, price - price * 3 // 10)
    everybody_claims(play)
    assert withdraw_everything(play) == price
    assert balance(staffed.escrow) == 0


@pytest.mark.parametrize("backwards", [False, True])
def test_claims_come_in_any_order(settled: Play, backwards: bool) -> None:
    play = settled
    everybody_claims(play, backwards)
    assert (play.pots.seller_paid, play.pots.paid_votes) == (SELLER_POT, 5)
    assert withdraw_everything(play) == PRICE
    assert balance(play.market.escrow) == 0
    assert look(play.market.escrow.credit, ETHER, NOBODY) == 0
