"""A job that is paid in an ERC-20 token, from the bid to the last withdrawal."""

from __future__ import annotations

import pytest
from eth_account import Account

from d2m.protocol.types import ETHER, FailureReason, JobState
from tests.support.evm import balance, event, look, mine_past, send
from tests.support.payments import EARNERS, decide_with_a_liar, everybody_claims
from tests.support.play import PRICE, STAKE, Market, People, win
from tests.support.tokens import PLENTY, holding, issue


@pytest.mark.parametrize("name", ["PlainToken", "NoReturnToken", "HookToken"])
def test_a_job_in_a_token_pays_everybody_in_it(staffed: Market, people: People, name: str) -> None:
    """One of three rounds is accepted, one node lied in it; what that cost it is paid in ether."""
    escrow, buyer = staffed.escrow, people.buyers[0]
    token = issue(staffed, people, name)
    play = win(staffed, people, token=token.address)
    assert (holding(token, buyer), holding(token, escrow)) == (PLENTY - PRICE, PRICE)
    play.start()
    play.collect()
    result = play.result()
    decide_with_a_liar(play, result.digest)
    play.open(result)
    play.slash(*play.offences())
    mine_past(play.job.deadline)
    receipt = play.advance()
    assert (play.job.state, play.job.failure) == (JobState.FAILED, FailureReason.NO_UPDATES)

    earned = PRICE // 3
    cone_pot = earned * 3 // 10
    assert event(receipt, escrow.JobPaid) == {
        "jobId": play.job_id,
        "conePot": cone_pot,
        "sellerPot": earned - cone_pot,
        "refund": PRICE - earned,
        "slashPot": STAKE // 2,
    }
    assert play.pots.token == token.address
    everybody_claims(play)
    received = {}
    for role in ("buyers", "nodes", "sellers"):
        till = Account.create().address
        for each in getattr(people, role):
            for currency in (token.address, ETHER):
                if look(escrow.credit, currency, each):
                    send(escrow.withdraw, currency, till, sender=each)
        received[role] = (holding(token, till), balance(till))
    assert received == {
        "buyers": (PRICE - earned, 0),
        "nodes": (cone_pot, STAKE // 2),
        "sellers": (earned - cone_pot, 0),
    }
    assert (holding(token, escrow), balance(escrow)) == (0, 0)


def test_jobs_in_different_currencies_do_not_mix(staffed: Market, people: People) -> None:
    """Two jobs beside each other, one in ether; each pays exactly its own money."""
    escrow = staffed.escrow
    token = issue(staffed, people)
    in_token = win(staffed, people, token=token.address, price=10_001)
    in_ether = win(staffed, people, price=20_002, buyer=1)
    for play in (in_ether, in_token):
        play.settle()
        everybody_claims(play)
    owed = [*people.nodes, *people.sellers, *people.buyers]
    for currency, price in [(token.address, 10_001), (ETHER, 20_002)]:
        assert sum(look(escrow.credit, currency, each) for each in owed) == price
    assert (holding(token, escrow), balance(escrow)) == (10_001, 20_002)
    assert len(EARNERS) == sum(1 for each in people.sellers if look(escrow.credit, ETHER, each))
