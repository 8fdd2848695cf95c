"""Claims of sellers and CONE nodes on a settled job."""

from __future__ import annotations

import pytest
from eth_utils.crypto import keccak

from d2m.learning.earnings import SHARES_ONE, Share, contribution_proof, leaf
from d2m.protocol.types import ETHER, Conduct, JobState, Phase
from tests.support.evm import event, events, look, mine_past, panics, send
from tests.support.payments import (
    CONE_POT,
    EARNERS,
    LIE,
    SELLER_POT,
    claim_cone_is_refused,
    claim_seller_is_refused,
    decide_with_a_liar,
    punish_everybody,
)
from tests.support.play import CONTRIBUTIONS, PRICE, STAKE, Play

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
        credited = {"token": ETHER, "account": seller, "amount": amount}
        assert event(receipt, escrow.Credited) == credited
        assert look(escrow.credit, ETHER, seller) == amount


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
    """Three rounds of five votes each, and one node that lied once and lost half its stake."""
    play, escrow = collecting, collecting.market.escrow
    play.round()
    play.collect()
    result = play.result()
    decide_with_a_liar(play, result.digest)
    play.open(result)
    receipt = play.slash(*play.offences())
    added = {"jobId": play.job_id, "amount": STAKE // 2}
    assert event(receipt, escrow.SlashedAdded) == added
    play.round()
    assert play.job.state is JobState.SETTLED
    pots = play.pots
    assert (pots.right_votes, pots.slash_pot) == (5 + 4 + 5, STAKE // 2)
    paid = 0
    for seat in play.voters():
        votes = play.right_votes(seat)
        end = paid + len(votes)
        amount, slashed = (pot * end // 14 - pot * paid // 14 for pot in (CONE_POT, pots.slash_pot))
        receipt = play.claim_cone(seat)
        paid = end
        if not votes:
            continue
        assert event(receipt, escrow.ConePaid) == {
            "jobId": play.job_id,
            "node": play.node(seat),
            "votes": len(votes),
            "amount": amount,
            "slashed": slashed,
        }
        assert look(escrow.credit, ETHER, play.node(seat)) == amount + slashed
    assert play.pots.paid_votes == paid == 14
    everything = sum(look(escrow.credit, ETHER, node) for node in play.people.nodes)
    assert everything == CONE_POT + STAKE // 2


def test_a_vote_is_paid_once(settled: Play) -> None:
    play, escrow = settled, settled.market.escrow
    seat = play.voters()[0]
    votes = play.right_votes(seat)
    claim_cone_is_refused(play, escrow.AlreadyPaid, seat, votes * 2)
    play.claim_cone(seat)
    claim_cone_is_refused(play, escrow.AlreadyPaid, seat, votes)


def test_only_right_votes_are_paid(deciding: Play) -> None:
    """Neither lies, nor silence, nor votes of who was not asked, nor votes never cast."""
    play, escrow = deciding, deciding.market.escrow
    result = play.result(metric_numerator=99)
    play.begin_mini_round()
    liar, silent, *honest = play.seats_asked()
    not_asked = play.seats_not_asked()[0]
    votes = {seat: play.vote_for(result.digest) for seat in (silent, *honest)}
    votes[liar] = play.vote_for(LIE)
    for seat, vote in votes.items():
        play.commit(seat, vote)
    del votes[silent]
    for seat, vote in votes.items():
        play.reveal(seat, vote)
    mine_past(play.poll.reveal_deadline)
    play.advance()
    if play.poll.phase is Phase.SEEDING:
        play.decide(result.digest)
    play.open(result)
    punish_everybody(play)
    assert play.conduct(1, 1, honest[0]) is Conduct.RIGHT
    later = play.verdict(1).last_mini_round + 1
    nowhere = [(1, 0), (1, later), (1, 255), (1, 256), (1, 257), (1, 2**16 - 1)]
    never = [(0, 1), (2, 1), (2**16 - 1, 1)]
    for seat, vote in [
        *((seat, (1, 1)) for seat in (liar, silent, not_asked, 12, 2**16, 2**256 - 1)),
        *((honest[0], vote) for vote in (*nowhere, *never)),
    ]:
        refused = claim_cone_is_refused(play, escrow.NotRight, seat, [vote])
        assert refused == {"round": vote[0], "miniRound": vote[1]}
    claim_cone_is_refused(play, escrow.NotRight, honest[0], [(1, 1), (2, 1)])
    play.claim_cone(honest[0], [(1, 1)])


def test_a_claim_of_nothing_pays_nothing(settled: Play) -> None:
    play, escrow = settled, settled.market.escrow
    for seat in (play.voters()[0], 12, 2**256 - 1):
        receipt = play.claim_cone(seat, [])
        assert events(receipt, escrow.ConePaid) == events(receipt, escrow.Credited) == []
    assert play.pots.paid_votes == 0


@pytest.mark.parametrize("accepted", [0, 1])
def test_votes_for_a_result_that_was_never_opened_are_not_paid(
    collecting: Play, accepted: int
) -> None:
    """They may have been right, but the round earned nothing: it would be other jobs' money."""
    play, escrow = collecting, collecting.market.escrow
    for _ in range(accepted):
        play.round()
    play.collect()
    play.decide(play.result().digest)
    late = [each for each in play.cast if each.round == accepted + 1]
    mine_past(play.job.deadline)
    play.advance()
    assert play.job.state is JobState.FAILED
    for each in late:
        assert play.conduct(each.round, each.mini_round, each.seat) is Conduct.UNJUDGED
        vote = (each.round, each.mini_round)
        claim_cone_is_refused(play, escrow.NotRight, each.seat, [vote])
    for seat in play.voters():
        play.claim_cone(seat)
    paid = sum(look(escrow.credit, ETHER, node) for node in play.people.nodes)
    assert paid == play.pots.cone_pot == PRICE * accepted // 3 * 3 // 10
