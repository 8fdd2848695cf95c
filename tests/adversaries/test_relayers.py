"""Commitments in the hands of relayers, and nodes that harm their relayer."""

from __future__ import annotations

from typing import Any

import pytest
from eth_utils.crypto import keccak

from d2m.protocol.types import Conduct
from tests.support.batches import Batch, sign
from tests.support.evm import act, deploy, helper, look, refusal, rewound
from tests.support.play import KEY, RULES, STAKE, Market, People, Play, win

TRUE, FALSE = keccak(b"true"), keccak(b"false")


def test_an_older_signature_does_not_replace_a_nodes_own_commitment(deciding: Play) -> None:
    """A relayer keeps what a node signed first and sends it after the node has committed anew by
    itself: the older one is passed over, and the node's own vote counts."""
    play, yoda = deciding, deciding.market.yoda
    true = play.result()
    play.begin_mini_round()
    seat, *others = play.seats_asked()
    older, vote = sign(play, seat, play.vote_for(FALSE)), play.vote_for(true.digest)
    play.commit(seat, vote)
    refusal(yoda.NothingTaken, yoda.commitBatch, play.job_id, [older], sender=play.people.stranger)
    batch = Batch.send_some(
        play,
        [older, *(sign(play, each, vote) for each in others)],
        [sign(play, each, vote) for each in others],
    )
    play.reveal(seat, vote)
    batch.reveal(dict.fromkeys(others, vote))
    play.advance()
    play.open(true)
    assert play.conduct(1, 1, seat) is Conduct.RIGHT


def test_a_batch_sent_in_pieces_by_another_still_opens(deciding: Play) -> None:
    """Somebody takes the signatures out of a relayer's pending batch and sends them one by one, so
    that the batch finds nothing to take: every vote is committed all the same, and opens."""
    play, yoda = deciding, deciding.market.yoda
    true = play.result()
    play.begin_mini_round()
    seats, vote = play.seats_asked(), play.vote_for(true.digest)
    signed = {seat: sign(play, seat, vote) for seat in seats}
    pieces = [Batch.send(play, [each], sender=play.people.buyers[2]) for each in signed.values()]
    whole = (yoda.NothingTaken, yoda.commitBatch, play.job_id, list(signed.values()))
    # The last of them closed the window.
    refusal(yoda.NotCommitting, *whole[1:], sender=play.people.stranger)
    for seat, piece in zip(seats, pieces, strict=True):
        piece.reveal({seat: vote})
    play.advance()
    play.open(true)
    assert {play.conduct(1, 1, seat) for seat in seats} == {Conduct.RIGHT}


@pytest.fixture
def burning(staffed: Market, people: People) -> tuple[Play, Any]:
    """A job that asks everybody at once, among them a contract that burns gas for its signature."""
    wallet = deploy(helper("BurningWallet"), sender=people.deployer)
    act(wallet, staffed.pool.join, KEY, sender=people.deployer, value=STAKE)
    play = win(staffed, people, rules=RULES._replace(base=12))
    play.start()
    play.collect()
    play.begin_mini_round()
    return play, wallet


def test_a_wallet_that_burns_gas_burns_what_its_signature_may_cost(
    burning: tuple[Play, Any],
) -> None:
    """A node that is a contract burns all the gas it gets when a batch asks for its signature: the
    relayer pays for that one answer, the others are committed, and the node commits by itself."""
    play, wallet = burning
    vote, seats = play.vote_for(TRUE), play.seats_asked()
    (hostile,) = (seat for seat in seats if play.node(seat) == wallet.address)
    others = [sign(play, seat, vote) for seat in seats if seat != hostile]
    burner = sign(play, hostile, vote, signer=play.people.stranger)
    with rewound():
        usual = Batch.send(play, others).receipt.gas
    burnt = Batch.send_some(play, [others[0], burner, *others[1:]], others).receipt.gas - usual
    allowed = look(play.market.yoda.SIGNATURE_GAS)
    assert allowed < burnt < 1.2 * allowed  # its entry is sent, and looked at, too
    commitment = play.ballot(wallet.address).commitment(*vote)
    commit = (play.market.yoda.commit, play.job_id, hostile, commitment)
    act(wallet, *commit, sender=play.people.deployer)
    assert play.mini.committed == len(seats)
