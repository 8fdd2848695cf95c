"""Commitments made for a mini-round that is still to come."""

from __future__ import annotations

from dataclasses import replace

from eth_utils.crypto import keccak

from d2m.protocol.types import Conduct, Phase
from tests.support.evm import mine_past, refusal, send
from tests.support.play import Play, Vote

FALSE = keccak(b"false")


def commit_early(play: Play, seat: int, round_number: int, mini_round: int) -> Vote:
    """The node on `seat` commits now to a lie that only a later mini-round could open."""
    node, lie = play.node(seat), Vote(FALSE, keccak(b"any audit"))
    ballot = replace(play.ballot(node), round=round_number, mini_round=mini_round)
    args = (play.job_id, seat, ballot.commitment(*lie))
    send(play.market.yoda.commit, *args, sender=node)
    return lie


def test_an_early_commitment_does_not_take_an_honest_vote(deciding: Play) -> None:
    """A liar commits in mini-round 1 to a vote of mini-round 2, to reveal it in the place of an
    honest node: it ends without a vote, to be slashed for silence."""
    play, yoda = deciding, deciding.market.yoda
    true = play.result()
    play.begin_mini_round()
    liar, *honest = play.seats_asked()
    place = play.position(liar)
    lie = commit_early(play, liar, 1, 2)
    for seat in honest[:3]:
        play.commit(seat, play.vote_for(true.digest))
    mine_past(play.poll.commit_deadline)
    for seat in honest[:3]:
        play.reveal(seat, play.vote_for(true.digest))
    mine_past(play.poll.reveal_deadline)
    play.advance()

    play.begin_mini_round()
    asked, vote = play.seats_asked(), play.vote_for(true.digest)
    (victim,) = (seat for seat in asked if play.position(seat) == place)
    for seat in asked:
        play.commit(seat, vote)
    steal = (play.job_id, place, *lie)
    refusal(yoda.CommitmentMismatch, yoda.reveal, *steal, sender=play.node(liar))
    for seat in asked:
        play.reveal(seat, vote)
    play.advance()
    assert play.poll.phase is Phase.ACCEPTED
    play.open(true)
    assert play.conduct(1, 2, victim) is Conduct.RIGHT
    assert play.conduct(1, 1, liar) is Conduct.SILENT


def test_an_early_commitment_adds_no_vote_beside_those_asked(deciding: Play) -> None:
    """A liar at the last position of a large mini-round commits to a vote of the next round, whose
    first mini-round is smaller, to vote there without being asked: nothing is counted."""
    play, yoda = deciding, deciding.market.yoda
    first = play.result()
    play.mini_round(lambda seat: first.digest if play.position(seat) < 3 else None)
    play.begin_mini_round()
    asked = sorted(play.seats_asked(), key=play.position)
    *honest, liar = asked
    place = play.position(liar)
    lie = commit_early(play, liar, 2, 1)
    for seat in honest:
        play.commit(seat, play.vote_for(first.digest))
    for seat in honest:
        play.reveal(seat, play.vote_for(first.digest))
    mine_past(play.poll.reveal_deadline)
    play.advance()
    play.open(first)

    play.collect()
    play.begin_mini_round()
    asked = play.seats_asked()
    assert place >= len(asked)
    for seat in asked:
        play.commit(seat, play.vote_for(play.result().digest))
    extra = (play.job_id, place, *lie)
    refusal(yoda.CommitmentMismatch, yoda.reveal, *extra, sender=play.node(liar))
