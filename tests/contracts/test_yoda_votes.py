"""One vote: its commitment, its reveal, and what counts in the end."""

from __future__ import annotations

from dataclasses import replace
from math import log
from typing import Any

import pytest
from eth_utils.crypto import keccak

from d2m.protocol.types import Conduct, Phase, Tally, Verdict
from tests.support.evm import NOBODY, Receipt, event, look, mine_past, send
from tests.support.play import KEY, RULES, STAKE, Market, People, Play, Vote, tally, win
from tests.support.refusals import commit_is_refused, reveal_is_refused

TRUE, FALSE = keccak(b"true"), keccak(b"false")
SEATS = 12
MAX_INT256 = 2**255 - 1


NO_VERDICT = Verdict(bytes(32), bytes(32), 0, 0, 0, 0)


def leader(play: Play) -> bytes:
    return bytes(look(play.market.yoda.leaderOf, play.job_id))


def cast(play: Play, votes: dict[int, Vote]) -> Receipt:
    """The rest of a mini-round in which these seats vote and all others stay silent."""
    for seat, vote in votes.items():
        play.commit(seat, vote)
    mine_past(play.poll.commit_deadline)
    for seat, vote in votes.items():
        play.reveal(seat, vote)
    mine_past(play.poll.reveal_deadline)
    return play.advance()


# Commitments


def test_a_commitment_hides_a_vote(voting: Play, vote: Vote) -> None:
    play, yoda = voting, voting.market.yoda
    seat = play.seats_asked()[0]
    node = play.node(seat)
    commitment = play.ballot(node).commitment(*vote)
    assert bytes(look(yoda.commitmentOf, node, play.job_id, 1, 1, *vote)) == commitment
    receipt = play.commit(seat, vote)
    assert event(receipt, yoda.Committed) == {"jobId": play.job_id, "node": node}
    mini, position = play.mini, play.position(seat)
    assert (mini.committed, mini.revealed, play.poll.votes) == (1, 0, 0)
    assert mini.has_committed(position)
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


def test_a_commitment_that_nothing_opens_is_a_silent_vote(deciding: Play) -> None:
    """Nobody can tell it from another before the reveal."""
    play, result = deciding, deciding.result()
    play.begin_mini_round()
    seat, *others = play.seats_asked()
    send(play.market.yoda.commit, play.job_id, seat, bytes(32), sender=play.node(seat))
    cast(play, dict.fromkeys(others, play.vote_for(result.digest)))
    play.open(result)
    assert play.conduct(1, 1, seat) is Conduct.SILENT


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
    mini = play.mini
    assert (mini.lead, mini.lead_result) == (keccak(vote.result + vote.audit), vote.result)
    assert (mini.committed, mini.revealed) == (5, 1)
    assert mini.has_revealed(play.position(seat))
    reveal_is_refused(play, yoda.AlreadyRevealed, seat, vote)


def test_a_vote_that_agrees_with_the_first_costs_no_new_word(revealing: Play, vote: Vote) -> None:
    """Only its bit is set; it is counted when the mini-round ends."""
    play = revealing
    first, second, *_ = play.seats_asked()
    play.reveal(first, vote)
    before = play.mini
    play.reveal(second, vote)
    mini = play.mini
    assert mini == before._replace(turnout=mini.turnout)
    assert (mini.revealed, play.poll.votes, leader(play)) == (2, 0, bytes(32))


def test_a_vote_that_strays_from_the_first_is_counted_at_once(voting: Play, vote: Vote) -> None:
    play = voting
    one, two, three, four, five = play.seats_asked()
    lie = play.vote_for(FALSE)
    votes = {one: lie, two: vote, three: vote, four: vote._replace(audit=FALSE), five: lie}
    for seat, each in votes.items():
        play.commit(seat, each)
    expected = [(0, 0, bytes(32)), (1, 0, TRUE), (2, 0, TRUE), (3, 0, TRUE), (3, 0, TRUE)]
    for (seat, each), after in zip(votes.items(), expected, strict=True):
        play.reveal(seat, each)
        poll = play.poll
        assert (poll.leader_votes, poll.runner_up_votes, leader(play)) == after
        assert poll.votes == poll.leader_votes
    counted = tally(play.advance(), play.market.yoda)
    assert (counted.votes, counted.leader_votes, counted.runner_up_votes) == (5, 3, 2)
    assert counted.leader == TRUE, "whoever revealed first gains nothing by it"


def test_a_result_of_nothing_is_no_vote(voting: Play, vote: Vote) -> None:
    play, seat = voting, voting.seats_asked()[0]
    nothing = vote._replace(result=bytes(32))
    play.commit(seat, nothing)
    mine_past(play.poll.commit_deadline)
    reveal_is_refused(play, play.market.yoda.EmptyResult, seat, nothing)


@pytest.mark.parametrize("word", [1, 2**256 - 1])
def test_any_other_word_is_a_vote_like_all(voting: Play, word: int) -> None:
    """Also the one that the contract keeps where there is no first vote yet."""
    play, odd = voting, Vote(word.to_bytes(32, "big"), word.to_bytes(32, "big"))
    for seat in play.seats_asked():
        play.commit(seat, odd)
    for seat in play.seats_asked():
        play.reveal(seat, odd)
    counted = tally(play.advance(), play.market.yoda)
    assert (counted.leader, counted.leader_votes, counted.accepted) == (odd.result, 5, True)


def test_a_reveal_must_open_the_commitment(revealing: Play, vote: Vote) -> None:
    play, mismatch = revealing, revealing.market.yoda.CommitmentMismatch
    seat = play.seats_asked()[0]
    for wrong in (
        vote._replace(result=FALSE),
        vote._replace(audit=FALSE),
        vote._replace(salt=FALSE),
    ):
        reveal_is_refused(play, mismatch, seat, wrong)
    other, outsider = play.seats_asked()[1], play.seats_not_asked()[0]
    for position in (play.position(other), 119, 120, 2**256 - 1):
        reveal_is_refused(play, mismatch, seat, vote, position=position)
    # Nobody without a commitment reveals.
    reveal_is_refused(play, mismatch, outsider, vote, position=play.position(seat))


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
    assert play.verdict(1) == NO_VERDICT
    receipt, threshold = play.advance(), play.frozen.threshold
    certain = Tally(TRUE, 5, 0, 5, MAX_INT256, threshold, certain=True, accepted=True)
    assert tally(receipt, yoda) == certain
    tallied = event(receipt, yoda.Tallied)
    assert (tallied["jobId"], tallied["round"], tallied["miniRound"]) == (play.job_id, 1, 1)
    assert play.verdict(1) == NO_VERDICT._replace(digest=TRUE, last_mini_round=1)


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


# Judgement


def test_nobody_is_judged_before_the_opening(opening: Play) -> None:
    """Until then the audit words hide the predictions, from the contract too."""
    play, result = opening, opening.result()
    for seat in range(SEATS):
        assert play.conduct(1, 1, seat) is Conduct.UNJUDGED
    assert not play.offences()
    receipt = play.open(result)
    judged = {"jobId": play.job_id, "round": 1, "rightVotes": 5, "offences": 0}
    assert event(receipt, play.market.yoda.Judged) == judged
    asked = {each.seat for each in play.cast}
    for seat in range(SEATS):
        expected = Conduct.RIGHT if seat in asked else Conduct.NOT_ASKED
        assert play.conduct(1, 1, seat) is expected


@pytest.mark.parametrize("first", range(4))
def test_every_conduct_is_told_apart(deciding: Play, first: int) -> None:
    """Whoever of them reveals first."""
    play, result = deciding, deciding.result()
    play.begin_mini_round()
    one, two, three, four, silent = play.seats_asked()
    right = play.vote_for(result.digest)
    votes = {
        one: (right, Conduct.RIGHT),
        two: (play.vote_for(FALSE), Conduct.LOST_RESULT),
        three: (play.vote_for(result.digest, keccak(b"guessed")), Conduct.WRONG_AUDIT),
        four: (right, Conduct.RIGHT),
    }
    ordered = [*list(votes)[first:], *list(votes)[:first]]
    cast(play, {seat: votes[seat][0] for seat in ordered})
    while play.poll.phase is Phase.SEEDING:
        play.mini_round(lambda seat: result.digest)
    receipt = play.open(result)
    found = {seat: play.conduct(1, 1, seat) for seat in (one, two, three, four, silent)}
    assert found == {**{s: c for s, (_, c) in votes.items()}, silent: Conduct.SILENT}
    later = [each.seat for each in play.cast if each.mini_round == 2]
    assert play.job.right_votes == 2 + len(later)
    assert event(receipt, play.market.yoda.Judged)["offences"] == len(play.offences()) == 3


def test_an_audit_word_of_another_mini_round_is_wrong(staffed: Market, people: People) -> None:
    """A node asked later cannot hand in what an earlier one has shown."""
    play = win(staffed, people, rules=RULES._replace(base=1))
    play.start()
    play.collect()
    result = play.result()
    play.begin_mini_round()
    shown = play.vote_for(result.digest)
    cast(play, dict.fromkeys(play.seats_asked(), shown))
    play.begin_mini_round()
    copier, *honest = play.seats_asked()
    cast(play, {copier: shown, **dict.fromkeys(honest, play.vote_for(result.digest))})
    play.open(result)
    assert play.conduct(1, 2, copier) is Conduct.WRONG_AUDIT
    assert [play.conduct(1, 2, seat) for seat in honest] == [Conduct.RIGHT] * 2


def test_nobody_has_a_conduct_where_nothing_was_asked(opening: Play) -> None:
    play = opening
    play.open(play.result())
    seat = play.cast[0].seat
    for round_number, mini_round in ((0, 1), (2, 1), (1, 0), (1, 2), (1, 256), (1, 65_535)):
        assert play.conduct(round_number, mini_round, seat) is Conduct.UNJUDGED
    for outside in (SEATS, 2**256 - 1):
        assert play.conduct(1, 1, outside) is Conduct.UNJUDGED


def test_a_mini_round_in_which_nobody_was_right(staffed: Market, people: People) -> None:
    play = win(staffed, people, rules=RULES._replace(base=1))
    play.start()
    play.collect()
    result = play.result()
    play.begin_mini_round()
    first = play.seats_asked()
    play.advance_in_silence()
    while play.poll.phase is Phase.SEEDING:
        play.mini_round(lambda seat: result.digest)
    play.open(result)
    assert [play.conduct(1, 1, seat) for seat in first] == [Conduct.SILENT] * 2
    assert play.verdict(1).right_votes == len(play.cast)
    assert play.verdict(1).offences == 2


def test_a_seat_is_known_by_its_node_at_the_freeze(seeding: Play) -> None:
    play, market = seeding, seeding.market
    before = [play.node(seat) for seat in range(SEATS)]
    send(market.pool.leave, sender=before[0])
    found = [look(market.yoda.nodeAt, play.job_id, seat) for seat in range(SEATS + 1)]
    assert found == [*before, NOBODY]


# The likelihood test


def test_likelihood_accepts_before_it_is_certain(staffed: Market, people: People) -> None:
    """Two equal votes of 12 seats with 3 liars: C(9, 2) / C(3, 2) = 12 > 9 = (1 - β) / β."""
    play = win(staffed, people, rules=RULES._replace(base=1, error_ppm=100_000))
    play.start()
    play.collect()
    likely = tally(play.mini_round(lambda seat: TRUE), staffed.yoda)
    assert (likely.leader_votes, likely.certain, likely.accepted) == (2, False, True)
    assert likely.score / 1e18 == pytest.approx(log(12), rel=1e-15)
    assert likely.threshold / 1e18 == pytest.approx(log(9), rel=1e-15)
    assert play.verdict(1).digest == TRUE
