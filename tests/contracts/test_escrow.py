from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from eth_account import Account
from eth_utils.crypto import keccak

from offchain.chain.records import JobState, Phase, Pots
from offchain.learning.contributions import (
    NO_ROOT,
    SHARES_ONE,
    Share,
    contribution_proof,
    contributions_root,
    leaf,
)
from tests.contracts.evm import (
    balance,
    event,
    events,
    look,
    mine_past,
    panics,
    refusal,
    send,
)
from tests.contracts.play import CONTRIBUTIONS, PRICE, RULES, Market, People, Play, win

CONE_POT = PRICE * 3 // 10
SELLER_POT = PRICE - CONE_POT
EARNERS = [index for index, each in enumerate(CONTRIBUTIONS) if each]
LIE = keccak(b"lie")


@pytest.fixture
def settled(seeding: Play) -> Play:
    """A job that reached its target in one round."""
    seeding.settle()
    return seeding


def claim_seller_is_refused(
    play: Play, error: Any, share: Sequence[int], proof: list[bytes]
) -> dict[str, Any]:
    args = (play.job_id, *share, proof)
    return refusal(error, play.market.escrow.claimSeller, *args, sender=play.people.stranger)


def claim_cone_is_refused(
    play: Play, error: Any, node: str, votes: list[tuple[int, int, bytes]]
) -> dict[str, Any]:
    args = (play.job_id, node, votes)
    return refusal(error, play.market.escrow.claimCone, *args, sender=play.people.stranger)


# Who may do what


def test_only_the_job_contract_funds_and_settles(staffed: Market, people: People) -> None:
    escrow = staffed.escrow
    refusal(escrow.OnlyJobs, escrow.fund, 1, sender=people.stranger, value=1)
    settlement = (people.stranger.address, 1, 1, 1, 1, NO_ROOT)
    refusal(escrow.OnlyJobs, escrow.settle, 1, settlement, sender=people.stranger)


def test_a_job_is_settled_once(settled: Play) -> None:
    escrow, jobs = settled.market.escrow, settled.market.jobs.address
    settlement = (settled.job.buyer, 3, 3, 3, 5, NO_ROOT)
    refusal(escrow.AlreadySettled, escrow.settle, settled.job_id, settlement, sender=jobs)


def test_nothing_is_claimed_before_the_settlement(collecting: Play) -> None:
    play, escrow = collecting, collecting.market.escrow
    play.round()
    node = play.voters()[0]
    share, proof = contribution_proof(CONTRIBUTIONS, EARNERS[0])
    claim_seller_is_refused(play, escrow.NotSettled, share, proof)
    claim_cone_is_refused(play, escrow.NotSettled, node, play.right_votes(node))
    never = Play(play.market, play.people, 99)
    claim_seller_is_refused(never, escrow.NotSettled, share, proof)
    claim_cone_is_refused(never, escrow.NotSettled, node, [])


# The split


def test_a_price_is_held_until_the_settlement(seeding: Play) -> None:
    assert seeding.pots == Pots(PRICE, 0, 0, 0, 0, 0, 0, False, NO_ROOT)
    assert balance(seeding.market.escrow) == PRICE


def test_thirty_percent_go_to_the_nodes(settled: Play) -> None:
    root = contributions_root(CONTRIBUTIONS)
    assert settled.pots == Pots(PRICE, SELLER_POT, 0, CONE_POT, 5, 0, 1, True, root)
    assert look(settled.market.escrow.credit, settled.job.buyer) == 0
    assert (CONE_POT, SELLER_POT) == (300_000_000_000_000_000, 700_000_000_000_000_001)


def test_where_no_update_was_kept_the_buyer_gets_the_sellers_part(collecting: Play) -> None:
    play = collecting
    receipt = play.round(metric_numerator=99, contributions_root=NO_ROOT)
    paid = event(receipt, play.market.escrow.JobPaid)
    assert (paid["conePot"], paid["sellerPot"], paid["refund"]) == (CONE_POT, 0, SELLER_POT)
    assert look(play.market.escrow.credit, play.job.buyer) == SELLER_POT
    share, proof = contribution_proof(CONTRIBUTIONS, EARNERS[0])
    claim_seller_is_refused(play, play.market.escrow.BadProof, share, proof)


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


def everybody_claims(play: Play, backwards: bool = False) -> None:
    step = -1 if backwards else 1
    for node in play.voters()[::step]:
        play.claim_cone(node)
    for index in EARNERS[::step]:
        play.claim_seller(index)


def withdraw_everything(play: Play) -> int:
    """What everybody together receives."""
    escrow, till = play.market.escrow, Account.create().address
    people = play.people
    for each in (*people.sellers, *people.nodes, *people.buyers):
        if look(escrow.credit, each):
            send(escrow.withdraw, till, sender=each)
    return balance(till)


# Sellers


def test_a_seller_is_paid_its_share(settled: Play) -> None:
    play, escrow = settled, settled.market.escrow
    for index in EARNERS:
        share, _ = contribution_proof(CONTRIBUTIONS, index)
        amount = SELLER_POT * share.end // SHARES_ONE - SELLER_POT * share.start // SHARES_ONE
        receipt = play.claim_seller(index)
        seller = play.people.sellers[index]
        expected = {"jobId": play.job_id, "index": index, "seller": seller, "amount": amount}
        assert event(receipt, escrow.SellerPaid) == expected
        assert event(receipt, escrow.Credited) == {"account": seller, "amount": amount}
        assert look(escrow.credit, seller) == amount


def test_a_seller_is_paid_once(settled: Play) -> None:
    share, proof = contribution_proof(CONTRIBUTIONS, 2)
    settled.claim_seller(2)
    claim_seller_is_refused(settled, settled.market.escrow.AlreadyPaid, share, proof)


def test_a_share_must_be_in_the_accepted_contributions(settled: Play) -> None:
    bad = settled.market.escrow.BadProof
    (share, proof), (other, _) = (contribution_proof(CONTRIBUTIONS, i) for i in (2, 6))
    for wrong in (
        share._replace(seller=3),
        share._replace(start=0),
        share._replace(end=SHARES_ONE),
        other,
        Share(1, 0, SHARES_ONE),
    ):
        claim_seller_is_refused(settled, bad, wrong, proof)
    for wrong_proof in ([], proof[:-1], proof[::-1], [*proof, bytes(32)]):
        claim_seller_is_refused(settled, bad, share, wrong_proof)


def test_shares_that_overlap_exceed_the_pot(collecting: Play) -> None:
    """A root that the nodes should not have accepted pays nobody with another's money."""
    play, escrow = collecting, collecting.market.escrow
    whole = [Share(0, 0, SHARES_ONE * 7 // 10), Share(1, SHARES_ONE // 2, SHARES_ONE)]
    leaves = [leaf(each) for each in whole]
    root = keccak(b"".join(sorted(leaves)))
    play.round(metric_numerator=99, contributions_root=root)
    args = (play.job_id, *whole[0], [leaves[1]])
    send(escrow.claimSeller, *args, sender=play.people.stranger)
    claim_seller_is_refused(play, escrow.PotExceeded, whole[1], [leaves[0]])


@pytest.mark.parametrize("index", [8, 255, 256, 2**256 - 1])
def test_a_share_of_no_seller_pays_nobody(collecting: Play, index: int) -> None:
    """Neither the zero address, which could never withdraw, nor anybody twice."""
    play, share = collecting, Share(index, 0, SHARES_ONE)
    play.round(metric_numerator=99, contributions_root=leaf(share))
    refused = claim_seller_is_refused(play, play.market.jobs.NoSuchSeller, share, [])
    assert refused == {"index": index}


@pytest.mark.parametrize("end", [SHARES_ONE + 2, 2**127])
def test_a_share_beyond_the_whole_exceeds_the_pot(collecting: Play, end: int) -> None:
    play, share = collecting, Share(0, 0, end)
    play.round(metric_numerator=99, contributions_root=leaf(share))
    claim_seller_is_refused(play, play.market.escrow.PotExceeded, share, [])


@pytest.mark.parametrize("share", [Share(0, 2, 1), Share(0, 0, 2**256 - 1)])
def test_an_absurd_share_is_refused(collecting: Play, share: Share) -> None:
    play = collecting
    play.round(metric_numerator=99, contributions_root=leaf(share))
    args = (play.job_id, *share, [])
    assert panics(play.market.escrow.claimSeller, *args, sender=play.people.stranger)


# CONE nodes


def test_a_node_is_paid_by_its_votes(collecting: Play) -> None:
    """Three rounds of five right votes each, and one node that was wrong once."""
    play, escrow = collecting, collecting.market.escrow
    for _ in range(RULES.rounds):
        play.collect()
        result = play.result()
        liar = None
        while play.poll.phase is Phase.SEEDING:
            play.begin_mini_round()
            liar = play.seats_asked()[0] if play.job.round == 2 else None
            votes = {
                seat: play.vote_for(LIE if seat == liar else result.digest)
                for seat in play.seats_asked()
            }
            for seat, vote in votes.items():
                play.commit(seat, vote)
            for seat, vote in votes.items():
                play.reveal(seat, vote)
            play.advance()
        play.open(result)
    assert play.pots.right_votes == 5 + 4 + 5
    paid = 0
    for node in play.voters():
        votes = play.right_votes(node)
        pots = play.pots
        end = pots.paid_votes + len(votes)
        amount = CONE_POT * end // 14 - CONE_POT * pots.paid_votes // 14
        receipt = play.claim_cone(node)
        assert event(receipt, escrow.ConePaid) == {
            "jobId": play.job_id,
            "node": node,
            "votes": len(votes),
            "amount": amount,
        }
        assert look(escrow.credit, node) == amount
        paid += amount
    assert paid == CONE_POT


def test_a_vote_is_paid_once(settled: Play) -> None:
    play, escrow = settled, settled.market.escrow
    node = play.voters()[0]
    votes = play.right_votes(node)
    claim_cone_is_refused(play, escrow.AlreadyPaid, node, votes * 2)
    play.claim_cone(node)
    claim_cone_is_refused(play, escrow.AlreadyPaid, node, votes)


def test_only_right_votes_are_paid(deciding: Play) -> None:
    play, escrow = deciding, deciding.market.escrow
    result = play.result(metric_numerator=99)
    play.begin_mini_round()
    liar, silent, *honest = play.seats_asked()
    votes = {seat: play.vote_for(result.digest) for seat in (silent, *honest)}
    votes[liar] = play.vote_for(LIE)
    for seat, vote in votes.items():
        play.commit(seat, vote)
    votes.pop(silent)
    for seat, vote in votes.items():
        play.reveal(seat, vote)
    mine_past(play.poll.reveal_deadline)
    play.advance()
    if play.poll.phase is Phase.SEEDING:
        play.decide(result.digest)
    play.open(result)
    right, audit = play.node(honest[0]), votes[honest[0]].audit
    assert play.right_votes(right) == [(1, 1, audit)]
    for node, vote in [
        (play.node(liar), (1, 1, votes[liar].audit)),
        (play.node(silent), (1, 1, audit)),
        (play.people.stranger.address, (1, 1, audit)),
        (right, (1, 1, LIE)),
        (right, (1, 2, audit)),
        (right, (1, 0, audit)),
    ]:
        assert claim_cone_is_refused(play, escrow.NotRight, node, [vote]) == {"round": 1}
    for round_number in (0, 2, 2**32 - 1):
        refused = claim_cone_is_refused(
            play, escrow.NotRight, right, [(1, 1, audit), (round_number, 1, audit)]
        )
        assert refused == {"round": round_number}


def test_a_claim_of_nothing_pays_nothing(settled: Play) -> None:
    play, escrow = settled, settled.market.escrow
    receipt = play.claim_cone(play.voters()[0], [])
    assert event(receipt, escrow.ConePaid)["amount"] == 0
    assert events(receipt, escrow.Credited) == []


@pytest.mark.parametrize("accepted", [0, 1])
def test_votes_for_a_result_that_was_never_opened_are_not_paid(
    collecting: Play, accepted: int
) -> None:
    """They were right, but the round earned nothing: paying them would take other jobs' money."""
    play, escrow = collecting, collecting.market.escrow
    for _ in range(accepted):
        play.round()
    opened = play.voters()
    play.collect()
    play.decide(play.result().digest)
    late = [each for each in play.cast if each.round == accepted + 1]
    mine_past(play.job.deadline)
    play.advance()
    assert play.job.state is JobState.FAILED
    for each in late:
        vote = (each.round, each.mini_round, each.audit)
        args = (play.job_id, each.round, each.mini_round, each.node, each.audit)
        assert look(play.market.yoda.wasRight, *args)
        claim_cone_is_refused(play, escrow.NotRight, each.node, [vote])
    for node in opened:
        play.claim_cone(node, [vote for vote in play.right_votes(node) if vote[0] <= accepted])
    paid = sum(look(escrow.credit, node) for node in play.people.nodes)
    assert paid == play.pots.cone_pot == PRICE * accepted // 3 * 3 // 10
