"""Moves that an attack is made of, and the end of a job: everybody slashed, everybody paid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eth_utils.crypto import keccak

from d2m.protocol.ballots import RoundResult
from d2m.protocol.types import JobState, Phase
from tests.support.evm import mine_past
from tests.support.play import CONTRIBUTIONS, Play, Vote

LIE = keccak(b"lie")
MADE_UP = keccak(b"made up")


def cast(play: Play, votes: Mapping[int, Vote], order: Sequence[int] | None = None) -> None:
    """The present set votes: `votes` by seat, revealed in `order`. Seats left out keep silent."""
    for seat, vote in votes.items():
        play.commit(seat, vote)
    mine_past(play.poll.commit_deadline)
    for seat in votes if order is None else order:
        play.reveal(seat, votes[seat])
    if len(votes if order is None else order) < len(votes):
        mine_past(play.poll.reveal_deadline)
    play.advance()


def all_true(play: Play, result: RoundResult) -> dict[int, Vote]:
    """The honest vote of everybody asked now."""
    return dict.fromkeys(play.seats_asked(), play.vote_for(result.digest))


def decide_honestly(play: Play, result: RoundResult) -> None:
    """Whatever mini-rounds it still takes, everybody voting for the true result."""
    while play.poll.phase is Phase.SEEDING:
        play.begin_mini_round()
        cast(play, all_true(play, result))


def pay_out(play: Play) -> None:
    """Every offence is slashed, the job ends, and everybody is credited what is due to it."""
    offences = play.offences()
    if offences and play.job.state is JobState.JUDGING:
        play.slash(*offences)
    if play.job.state is JobState.JUDGING:
        play.advance()
    for index, share in enumerate(CONTRIBUTIONS):
        if share:
            play.claim_seller(index)
    for seat in play.voters():
        if play.right_votes(seat):
            play.claim_cone(seat)
