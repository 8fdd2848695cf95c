from __future__ import annotations

from offchain.chain.records import JobState
from tests.contracts.play import Market, People, win


def test_a_job_from_bid_to_withdrawal(staffed: Market, people: People) -> None:
    play = win(staffed, people)
    play.settle()
    assert play.job.state is JobState.SETTLED
    for index in (0, 2, 3, 6, 7):
        play.claim_seller(index)
    for node in play.voters():
        play.claim_cone(node)
    pots = play.pots
    assert pots.seller_paid == pots.seller_pot
    assert pots.paid_votes == pots.right_votes == len(play.voters())
