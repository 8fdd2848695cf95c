"""One call each for a job's whole state, a node's duties now, and what an account owns."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import decode

from d2m.protocol.lens import Duty, Task
from d2m.protocol.types import ETHER, JobView
from tests.support.bidding import Bidding
from tests.support.evm import look, mine_past, send, simulate
from tests.support.payments import decide_with_a_liar
from tests.support.play import STAKE, TERMS, Market, People, Play, Vote, win
from tests.support.tokens import issue, open_in

UNBONDING = 7200


def page(market: Market, node: Any, from_job: int, limit: int) -> tuple[list[Duty], int]:
    """Duties in the next block, and where the next page begins."""
    found, next_job = look(market.lens.dutiesOf, node, from_job, limit)
    return [Duty(*each)._replace(task=Task(each[1])) for each in found], next_job


def duties(market: Market, node: Any) -> list[Duty]:
    """All of them."""
    found, next_job = page(market, node, 0, 10)
    assert next_job == 0
    return found


# A job


def seen(play: Play) -> JobView:
    return JobView.from_abi(look(play.market.lens.jobOf, play.job_id))


def piecemeal(play: Play) -> JobView:
    """The same from the contracts themselves."""
    market, job = play.market, play.job
    return JobView(
        job,
        play.poll,
        play.mini,
        play.frozen,
        play.verdict(job.round),
        play.pots,
        look(market.pool.slashedIn, play.job_id),
        look(market.jobs.isDue, play.job_id),
    )


@pytest.mark.usefixtures("staffed")  # deployed before the test's own snapshot
@pytest.mark.parametrize("stage", ["seeding", "collecting", "voting", "revealing", "opening"])
def test_a_job_in_one_view(stage: str, request: pytest.FixtureRequest) -> None:
    play = request.getfixturevalue(stage)
    assert seen(play) == piecemeal(play)
    assert not seen(play).due
    mine_past(max(play.job.deadline, play.poll.reveal_deadline))
    assert seen(play) == piecemeal(play)
    assert seen(play).due


def test_a_judged_job_in_one_view(deciding: Play) -> None:
    play, result = deciding, deciding.result(metric_numerator=99)
    decide_with_a_liar(play, result.digest)
    play.open(result)
    assert (seen(play), seen(play).slashed) == (piecemeal(play), 0)
    play.slash(*play.offences())
    view = seen(play)
    assert (view, view.slashed, view.due) == (piecemeal(play), 1, True)
    assert (view.pots.slash_pot, view.job.offences) == (STAKE // 2, 1)
    play.advance()
    assert (seen(play), seen(play).pots.settled) == (piecemeal(play), True)


# Duties


@pytest.mark.usefixtures("staffed")  # deployed before the test's own snapshot
@pytest.mark.parametrize("stage", ["seeding", "collecting", "opening"])
def test_whoever_is_seated_may_advance_what_is_due(
    stage: str, request: pytest.FixtureRequest
) -> None:
    play = request.getfixturevalue(stage)
    market, node = play.market, play.people.nodes[3]
    deadline = play.job.deadline
    opens = [Duty(play.job_id, Task.OPEN, 3, 0, deadline)] if stage == "opening" else []
    assert duties(market, node) == opens
    mine_past(deadline)
    assert duties(market, node) == [Duty(play.job_id, Task.ADVANCE, 3, 0, 0)]
    assert duties(market, play.people.stranger) == []


def test_who_is_asked_commits_then_reveals(voting: Play) -> None:
    play, market = voting, voting.market
    first, *others = play.seats_asked()
    node, position = play.node(first), play.position(first)
    commits = Duty(play.job_id, Task.COMMIT, first, position, play.poll.commit_deadline)
    assert duties(market, node) == [commits]
    for seat in play.seats_not_asked():
        assert duties(market, play.node(seat)) == []
    vote = play.vote_for(bytes([7]) * 32)
    play.commit(first, vote)
    assert duties(market, node) == [], "the others have not committed"
    for seat in others:
        play.commit(seat, vote)
    reveals = Duty(play.job_id, Task.REVEAL, first, position, play.poll.reveal_deadline)
    assert duties(market, node) == [reveals]
    play.reveal(first, vote)
    assert duties(market, node) == [], "the others have not revealed"
    for seat in others:
        play.reveal(seat, vote)
    advance = Duty(play.job_id, Task.ADVANCE, first, 0, 0)
    assert duties(market, node) == [advance]


def test_who_missed_the_commitments_has_nothing_to_do(voting: Play) -> None:
    play = voting
    late, punctual, *_ = play.seats_asked()
    vote: Vote = play.vote_for(bytes([7]) * 32)
    play.commit(punctual, vote)
    mine_past(play.poll.commit_deadline)
    assert duties(play.market, play.node(late)) == []
    (duty,) = duties(play.market, play.node(punctual))
    assert (duty.task, duty.position) == (Task.REVEAL, play.position(punctual))


def test_duties_stay_with_the_frozen_seat(seeding: Play) -> None:
    """Of who has left since, of who took its place, and of nobody who came later."""
    play, market, nodes = seeding, seeding.market, seeding.people.nodes
    send(market.pool.leave, sender=nodes[0])
    assert look(market.pool.nodeOf, nodes[11])[1] == 0, "the last seat moved into the gap"
    send(market.pool.join, b"\1" * 32, sender=play.people.stranger, value=STAKE)
    mine_past(play.job.deadline)
    for seat in (0, 11):
        advance = Duty(play.job_id, Task.ADVANCE, seat, 0, 0)
        assert duties(market, nodes[seat]) == [advance]
    assert duties(market, play.people.stranger) == []


def test_duties_come_in_pages(staffed: Market, people: People) -> None:
    """From the oldest running job on; a job that has ended is gone."""
    plays = [win(staffed, people) for _ in range(3)]
    mine_past(plays[-1].job.deadline)
    first, second, third = (Duty(play.job_id, Task.ADVANCE, 5, 0, 0) for play in plays)
    node = people.nodes[5]
    assert duties(staffed, node) == [first, second, third]
    assert page(staffed, node, 0, 0) == ([], first.job_id)
    assert page(staffed, node, 0, 2) == ([first, second], third.job_id)
    assert page(staffed, node, third.job_id, 2) == ([third], 0)
    assert page(staffed, people.stranger, 0, 1) == ([], second.job_id), "an empty page goes on"
    plays[1].settle()
    assert duties(staffed, node) == [first, third]


# Holdings


def holdings(market: Market, account: Any, *tokens: str, at: int | None = None) -> Any:
    """Credits, stake and whether it is free, in the next block or in block `at`."""
    args = (market.lens.holdingsOf, account, list(tokens))
    answer = simulate(*args, sender=market.lens.address, at=at)
    (found,) = decode(["(uint256[],uint256,bool)"], answer)
    return found


def test_credits_by_token(staffed: Market, people: People) -> None:
    token, (x, y, _) = issue(staffed, people), people.buyers
    wide = TERMS._replace(window_blocks=40)
    for bidding, amount in [
        (Bidding.open(staffed, people, wide), 1000),
        (open_in(staffed, people, token), 3000),
    ]:
        bidding.bid(x, amount)
        bidding.bid(y, 2 * amount)
    currencies = [token.address, ETHER, staffed.jobs.address]
    assert holdings(staffed, x, *currencies) == ((3000, 1000, 0), 0, False)
    assert holdings(staffed, y, *currencies) == ((0, 0, 0), 0, False)
    assert holdings(staffed, x) == ((), 0, False)


def test_a_stake_is_free_a_day_after_leaving(staffed: Market, people: People) -> None:
    node = people.nodes[0]
    assert holdings(staffed, node) == ((), STAKE, False)
    unlock = send(staffed.pool.leave, sender=node).block + UNBONDING
    assert holdings(staffed, node, at=unlock - 1) == ((), STAKE, False)
    assert holdings(staffed, node, at=unlock) == ((), STAKE, True)


def test_a_stake_that_a_job_froze_is_not_free(seeding: Play) -> None:
    market, node = seeding.market, seeding.people.nodes[0]
    unlock = send(market.pool.leave, sender=node).block + UNBONDING
    assert holdings(market, node, at=unlock) == ((), STAKE, False)
    seeding.settle()
    assert holdings(market, node, at=unlock) == ((), STAKE, True)
