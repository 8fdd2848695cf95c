"""What a settled job pays, and calls of claimants that must revert."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eth_account import Account
from eth_utils.crypto import keccak

from d2m.protocol.types import ETHER, Phase
from tests.support.evm import Receipt, balance, look, refusal, send
from tests.support.play import CONTRIBUTIONS, PRICE, Play

CONE_POT = PRICE * 3 // 10
SELLER_POT = PRICE - CONE_POT
EARNERS = [index for index, each in enumerate(CONTRIBUTIONS) if each]
LIE = keccak(b"lie")
GUESS = keccak(b"a guess at the predictions")


def claim_seller_is_refused(
    play: Play, error: Any, share: Sequence[int], proof: list[bytes]
) -> dict[str, Any]:
    args = (play.job_id, *share, proof)
    return refusal(error, play.market.escrow.claimSeller, *args, sender=play.people.stranger)


def claim_cone_is_refused(
    play: Play, error: Any, seat: int, votes: Sequence[tuple[int, int]]
) -> dict[str, Any]:
    args = (play.job_id, seat, list(votes))
    return refusal(error, play.market.escrow.claimCone, *args, sender=play.people.stranger)


def everybody_claims(
    play: Play, backwards: bool = False, sellers: Sequence[int] = tuple(EARNERS)
) -> None:
    step = -1 if backwards else 1
    for seat in play.voters()[::step]:
        play.claim_cone(seat)
    for index in sellers[::step]:
        play.claim_seller(index)


def withdraw_everything(play: Play) -> int:
    """The wei that everybody together receives."""
    escrow, till = play.market.escrow, Account.create().address
    people = play.people
    for each in (*people.sellers, *people.nodes, *people.buyers):
        if look(escrow.credit, ETHER, each):
            send(escrow.withdraw, ETHER, till, sender=each)
    return balance(till)


def decide_with_a_liar(play: Play, digest: bytes) -> int:
    """Deciding → Opening; the seat that is asked first lies in the first mini-round."""
    liars: list[int] = []

    def choose(seat: int) -> bytes:
        if not liars:
            liars.append(seat)
            return LIE
        return digest

    while play.poll.phase is Phase.SEEDING:
        play.mini_round(choose)
    return liars[0]


def vote_without_computing(play: Play, digest: bytes) -> None:
    """Deciding → Opening; everybody asked agrees on the digest and guesses the audit."""
    play.begin_mini_round()
    votes = {seat: play.vote_for(digest, GUESS) for seat in play.seats_asked()}
    for seat, vote in votes.items():
        play.commit(seat, vote)
    for seat, vote in votes.items():
        play.reveal(seat, vote)
    play.advance()


def punish_everybody(play: Play) -> Receipt:
    """Judging → the end."""
    play.slash(*play.offences())
    return play.advance()
