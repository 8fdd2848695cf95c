"""One vote: its commitment, its reveal, and what counts in the end."""

from __future__ import annotations

from dataclasses import replace
from math import log
from typing import Any

import pytest
from eth_utils.crypto import keccak

from offchain.chain.records import Tally, Verdict
from tests.contracts.evm import event, look, mine_past, send
from tests.contracts.play import KEY, RULES, STAKE, Market, People, Play, Vote, tally, win
from tests.contracts.refusals import commit_is_refused, reveal_is_refused

TRUE, FALSE = keccak(b"true"), keccak(b"false")
SEATS = 12
MAX_INT256 = 2**255 - 1


def words(play: Play, node: str) -> bytes:
    """What is stored of a node's vote in the present mini-round."""
    poll = play.poll
    return bytes(look(play.market.yoda.voteOf, play.job_id, poll.round, poll.mini_round, node))


def was_right(play: Play, node: str, vote: Vote, mini_round: int = 1) -> bool:
    args = (play.job_id, 1, mini_round, node, vote.audit)
    return bool(look(play.market.yoda.wasRight, *args))


# Commitments


def test_a_commitment_hides_a_vote(voting: Play, vote: Vote) -> None:
    play, yoda = voting, voting.market.yoda
    seat = play.seats_asked()[0]
    node = play.node(seat)
    commitment = play.ballot(node).commitment(*vote)
    assert bytes(look(yoda.commitmentOf, node, play.job_id, 1, 1, *vote)) == commitment
    assert words(play, node) == bytes(32)
    receipt = play.commit(seat, vote)
    assert event(receipt, yoda.Committed) == {
        "jobId": play.job_id,
        "round": 1,
        "miniRound": 1,
        "node": node,
    }
    assert int.from_bytes(words(play, node), "big") == int.from_bytes(commitment, "big") & ~1
    assert (play.poll.committed, play.poll.votes) == (1, 0)
    commit_is_refused(play, yoda.AlreadyCommitted, seat)


def test_only_who_is_asked_commits(voting: Play, people: People) -> None:
    play, yoda = voting, voting.market.yoda
    asked, rest = play.seats_asked(), play.seats_not_asked()
    for seat in rest:
        assert commit_is_refused(play, yoda.NotAsked, seat) == {"seat": seat}
    refused = commit_is_refused(play, yoda.NotYourSeat, asked[0], sender=play.node(asked[1]))
    assert refused == {"seat": asked[0]}
    commit_is_refused(play, yoda.NotYourSeat, asked[0], sender=people.stranger)
    for seat in (SEATS, 2**255):
        commit_is_refused(play, yoda.NotYourSeat, seat, sender=play.node(asked[0]))


@pytest.mark.parametrize("commitment", [0, 1])
def test_a_commitment_is_not_empty(voting: Play, commitment: int) -> None:
    seat = voting.seats_asked()[0]
    empty = commitment.to_bytes(32, "big")
    commit_is_refused(voting, voting.market.yoda.EmptyCommitment, seat, commitment=empty)


def test_who_joins_after_the_freeze_has_no_vote(seeding: Play, people: People) -> None:
    play, yoda = seeding, seeding.market.yoda
    send(play.market.pool.join, KEY, sender=people.stranger, value=STAKE)
    play.start()
    play.collect()
    play.begin_mini_round()
    for seat in range(SEATS + 1):
        commit_is_refused(play, yoda.NotYourSeat, seat, sender=people.stranger)


def test_who_leaves_after_the_freeze_keeps_its_vote(voting: Play, vote: Vote) -> None:
    play, market = voting, voting.market
    seat = play.seats_asked()[0]
    send(market.pool.leave, sender=play.node(seat))
    moved = play.node(SEATS - 1)
    assert look(market.pool.nodeAt, seat, market.pool.nodeOf(play.node(seat)).exitBlock) == moved
    commit_is_refused(play, market.yoda.NotYourSeat, seat, sender=moved)
    play.commit(seat, vote)


# Reveals


def test_a_reveal_counts(revealing: Play, vote: Vote) -> None:
    play, yoda = revealing, revealing.market.yoda
    seat = play.seats_asked()[0]
    node = play.node(seat)
    receipt = play.reveal(seat, vote)
    assert event(receipt, yoda.Revealed) == {
        "jobId": play.job_id,
        "round": 1,
        "miniRound": 1,
        "node": node,
        "result": vote.result,
        "audit": vote.audit,
    }
    word = int.from_bytes(keccak(vote.result + vote.audit), "big") | 1
    assert int.from_bytes(words(play, node), "big") == word
    poll = play.poll
    assert (poll.revealed, poll.votes, poll.leader_votes) == (1, 1, 1)
    assert (poll.leader, poll.runner_up_votes) == (vote.result, 0)
    assert look(yoda.votesFor, play.job_id, 1, 1, TRUE) == 1
    assert look(yoda.votesFor, play.job_id, 1, 1, FALSE) == 0
    reveal_is_refused(play, yoda.CommitmentMismatch, seat, vote)


def test_a_reveal_must_open_the_commitment(revealing: Play, vote: Vote) -> None:
    play, mismatch = revealing, revealing.market.yoda.CommitmentMismatch
    seat = play.seats_asked()[0]
    for wrong in (
        vote._replace(result=FALSE),
        vote._replace(audit=FALSE),
        vote._replace(salt=FALSE),
    ):
        reveal_is_refused(play, mismatch, seat, wrong)
    # Nobody without a commitment reveals.
    reveal_is_refused(play, mismatch, play.seats_not_asked()[0], vote)


def test_a_copied_commitment_cannot_be_revealed(voting: Play, vote: Vote) -> None:
    play, yoda = voting, voting.market.yoda
    author, copier, *others = play.seats_asked()
    commitment = play.ballot(play.node(author)).commitment(*vote)
    play.commit(author, vote)
    send(yoda.commit, play.job_id, copier, commitment, sender=play.node(copier))
    for seat in others:
        play.commit(seat, vote)
    play.reveal(author, vote)
    reveal_is_refused(play, yoda.CommitmentMismatch, copier, vote)


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"chain_id": 1},
        {"yoda": "0x" + "11" * 20},
        {"node": "0x" + "22" * 20},
        {"job_id": 77},
        {"round": 2},
        {"mini_round": 2},
    ],
)
def test_a_commitment_is_bound_to_its_place(
    voting: Play, vote: Vote, elsewhere: dict[str, Any]
) -> None:
    play, yoda = voting, voting.market.yoda
    seat = play.seats_asked()[0]
    node = play.node(seat)
    commitment = replace(play.ballot(node), **elsewhere).commitment(*vote)
    send(yoda.commit, play.job_id, seat, commitment, sender=node)
    mine_past(play.poll.commit_deadline)
    reveal_is_refused(play, yoda.CommitmentMismatch, seat, vote)


# What counts


def test_an_accepted_digest_has_a_verdict(revealing: Play, vote: Vote) -> None:
    play, yoda = revealing, revealing.market.yoda
    for seat in play.seats_asked():
        play.reveal(seat, vote)
    assert play.verdict(1) == Verdict(bytes(32), 0, 0, 0)
    receipt, threshold = play.advance(), play.frozen.threshold
    certain = Tally(TRUE, 5, 0, 5, MAX_INT256, threshold, certain=True, accepted=True)
    assert tally(receipt, yoda) == certain
    tallied = event(receipt, yoda.Tallied)
    assert (tallied["jobId"], tallied["round"], tallied["miniRound"]) == (play.job_id, 1, 1)
    assert play.verdict(1) == Verdict(TRUE, 1, 1, 5)
    for seat in play.seats_asked():
        assert was_right(play, play.node(seat), vote)
        assert not was_right(play, play.node(seat), vote._replace(audit=FALSE))
        assert not was_right(play, play.node(seat), vote, mini_round=0)
        assert not was_right(play, play.node(seat), vote, mini_round=2)
    for seat in play.seats_not_asked():
        assert not was_right(play, play.node(seat), vote)


def test_a_vote_that_is_not_revealed_does_not_count(voting: Play, vote: Vote) -> None:
    play = voting
    wrong = play.vote_for(FALSE)
    *honest, silent = play.seats_asked()
    for seat in honest:
        play.commit(seat, vote)
    play.commit(silent, wrong)
    for seat in honest:
        play.reveal(seat, vote)
    mine_past(play.poll.reveal_deadline)
    counted = tally(play.advance(), play.market.yoda)
    assert (counted.votes, counted.leader_votes, counted.runner_up_votes) == (4, 4, 0)
    assert play.verdict(1).right_votes == 4
    assert not was_right(play, play.node(silent), wrong)
    assert not was_right(play, play.node(silent), vote)


def test_a_commitment_cannot_pose_as_a_revealed_vote(voting: Play, vote: Vote) -> None:
    """What the contract would store of a reveal, committed in its place and never revealed."""
    play, yoda = voting, voting.market.yoda
    poser, *honest = play.seats_asked()
    posing = (int.from_bytes(keccak(vote.result + vote.audit), "big") | 1).to_bytes(32, "big")
    send(yoda.commit, play.job_id, poser, posing, sender=play.node(poser))
    for seat in honest:
        play.commit(seat, vote)
    for seat in honest:
        play.reveal(seat, vote)
    mine_past(play.poll.reveal_deadline)
    play.advance()
    assert play.verdict(1) == Verdict(TRUE, 1, 1, 4)
    assert not was_right(play, play.node(poser), vote)
    assert [was_right(play, play.node(seat), vote) for seat in honest] == [True] * 4


def test_the_wrong_side_was_not_right(voting: Play, vote: Vote) -> None:
    play = voting
    liar, *honest = play.seats_asked()
    lie = play.vote_for(FALSE)
    votes = {liar: lie, **dict.fromkeys(honest, vote)}
    for seat, each in votes.items():
        play.commit(seat, each)
    for seat, each in votes.items():
        play.reveal(seat, each)
    assert (play.poll.leader, play.poll.leader_votes, play.poll.runner_up_votes) == (TRUE, 4, 1)
    play.advance()
    assert play.verdict(1) == Verdict(TRUE, 1, 1, 4)
    assert not was_right(play, play.node(liar), lie)


def test_likelihood_accepts_before_it_is_certain(staffed: Market, people: People) -> None:
    """Two equal votes of 12 seats with 3 liars: C(9, 2) / C(3, 2) = 12 > 9 = (1 - β) / β."""
    play = win(staffed, people, rules=RULES._replace(base=1, error_ppm=100_000))
    play.start()
    play.collect()
    likely = tally(play.mini_round(lambda seat: TRUE), staffed.yoda)
    assert (likely.leader_votes, likely.certain, likely.accepted) == (2, False, True)
    assert likely.score / 1e18 == pytest.approx(log(12), rel=1e-15)
    assert likely.threshold / 1e18 == pytest.approx(log(9), rel=1e-15)
    assert play.verdict(1).right_votes == 2
