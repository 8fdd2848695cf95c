"""From an accepted digest to the end of a job, and jobs beside one another."""

from __future__ import annotations

from typing import Any

import pytest

from d2m.protocol.sortition import permute
from d2m.protocol.types import ETHER, FailureReason, JobState, Offence
from tests.support.crowd import Crowd
from tests.support.evm import (
    balance,
    event,
    events,
    look,
    mine,
    mine_past,
)
from tests.support.play import (
    BOND,
    CID,
    CONTRIBUTIONS,
    HASH,
    KEY,
    PRICE,
    RULES,
    TAG,
    Market,
    People,
    Play,
    win,
)
from tests.support.refusals import (
    advance_is_refused,
    open_is_refused,
    post_is_refused,
    slash_is_refused,
)

# Opening


def test_opening_starts_the_next_round(opening: Play) -> None:
    play, jobs, result = opening, opening.market.jobs, opening.result()
    receipt = play.open(result)
    accepted = event(receipt, jobs.RoundAccepted)
    assert tuple(accepted.pop("result")) == result.abi_tuple
    assert accepted == {"jobId": play.job_id, "round": 1, "digest": play.verdict(1).digest}
    started = event(receipt, jobs.RoundStarted)
    assert (started["round"], started["sample"], started["sampleSeed"]) == (2, 0b11, bytes(32))
    job = play.job
    assert (job.state, job.round, job.accepted_rounds) == (JobState.COLLECTING, 2, 1)
    assert (job.sample, job.posted) == (0b11, 0)
    assert job.deadline == receipt.block + RULES.update_blocks
    assert job.right_votes == play.verdict(1).right_votes == 5
    assert job.contributions_root == result.contributions_root
    assert job.model_hash == result.model_hash
    post_is_refused(play, jobs.WrongRound, 0, round_number=1)
    play.post(0)
    post_is_refused(play, jobs.NotSampled, 5, round_number=2)


def test_only_the_accepted_result_opens(opening: Play) -> None:
    play, jobs = opening, opening.market.jobs
    accepted = {"accepted": play.verdict(1).digest}
    for change in ({"model_hash": HASH}, {"metric_numerator": 51}, {"next_sample": 1}):
        assert open_is_refused(play, jobs.WrongDigest, **change) == accepted


def test_opening_has_a_deadline(opening: Play) -> None:
    play, jobs = opening, opening.market.jobs
    deadline = play.job.deadline
    mine_past(deadline - 1)
    advance_is_refused(play, jobs.NotDue)
    mine()
    assert open_is_refused(play, jobs.TooLate) == {"deadline": deadline}
    assert look(jobs.isDue, play.job_id)


def test_the_last_block_of_the_window_opens(opening: Play) -> None:
    mine_past(opening.job.deadline - 1)
    opening.open(opening.result())


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0},
        {"version": 1},
        {"version": 3},
        {"predictions_hash": bytes(32)},
        {"job_id": 0},
        {"round": 2},
        {"metric_numerator": 0, "metric_denominator": 0},
        {"metric_numerator": 101},
        {"next_sample": 0},
        {"next_sample": 0b11111},
        {"next_sample": 1 << 8},
        {"next_sample": 1 | 1 << 255},
    ],
)
def test_an_impossible_result_never_opens(deciding: Play, change: dict[str, int]) -> None:
    """Also when the nodes have agreed on it; the job then fails and pays back."""
    play, jobs = deciding, deciding.market.jobs
    play.decide(play.result(**change).digest)
    open_is_refused(play, jobs.BadResult, **change)
    mine_past(play.job.deadline)
    assert event(play.advance(), jobs.JobFailed)["reason"] == FailureReason.NOT_OPENED


@pytest.mark.parametrize(
    "change",
    [
        {"metric_numerator": 0},
        {"next_sample": 1 << 7},
        {"next_sample": 0b11110000},
        {"metric_denominator": 2**64 - 1},
    ],
)
def test_a_result_at_the_edge_of_the_possible_opens(deciding: Play, change: dict[str, int]) -> None:
    play = deciding
    result = play.result(**change)
    play.decide(result.digest)
    play.open(result)
    assert play.job.round == 2


# Settled


@pytest.mark.parametrize(("numerator", "reached"), [(8999, False), (9000, True), (10_000, True)])
def test_the_target_ends_the_job_early_and_earns_the_whole_price(
    collecting: Play, numerator: int, reached: bool
) -> None:
    play, market = collecting, collecting.market
    receipt = play.round(metric_numerator=numerator, metric_denominator=10_000)
    assert (play.job.state is JobState.SETTLED) == reached
    assert bool(events(receipt, market.jobs.JobSettled)) == reached
    if not reached:
        return
    settled = {"jobId": play.job_id, "acceptedRounds": 1, "targetReached": True}
    assert event(receipt, market.jobs.JobSettled) == settled
    cone = PRICE * 3 // 10
    assert event(receipt, market.escrow.JobPaid) == {
        "jobId": play.job_id,
        "conePot": cone,
        "sellerPot": PRICE - cone,
        "refund": 0,
        "slashPot": 0,
    }
    assert play.job.target_reached


def test_the_last_round_settles_without_the_target(collecting: Play) -> None:
    play, market = collecting, collecting.market
    for _ in range(RULES.rounds):
        receipt = play.round()
    settled = {"jobId": play.job_id, "acceptedRounds": 3, "targetReached": False}
    assert event(receipt, market.jobs.JobSettled) == settled
    assert event(receipt, market.escrow.JobPaid)["refund"] == 0
    assert play.job.right_votes == sum(play.verdict(r).right_votes for r in (1, 2, 3)) == 15
    assert event(receipt, market.pool.PoolReleased) == {"jobId": play.job_id}
    assert not look(market.pool.isFrozen, 2**63)


def test_an_ended_job_moves_no_more(collecting: Play) -> None:
    play, jobs = collecting, collecting.market.jobs
    play.round(metric_numerator=99)
    settled = {"state": JobState.SETTLED}
    assert advance_is_refused(play, jobs.WrongState) == settled
    assert open_is_refused(play, jobs.WrongState) == settled
    assert post_is_refused(play, jobs.WrongState, 0) == settled
    mine(200)
    assert advance_is_refused(play, jobs.WrongState) == settled


def test_a_job_that_never_was_cannot_move(staffed: Market, people: People) -> None:
    for job_id in (0, 99):
        play = Play(staffed, people, job_id)
        assert advance_is_refused(play, staffed.jobs.WrongState) == {"state": JobState.NONE}


# Failed


def fail_without_updates(play: Play) -> Any:
    mine_past(play.job.deadline)
    return play.advance()


def fail_undecided(play: Play) -> Any:
    play.collect()
    while True:
        receipt = play.mini_round(lambda seat: None)
        if play.job.state is JobState.FAILED:
            return receipt


def fail_unopened(play: Play) -> Any:
    play.collect()
    play.decide(play.result().digest)
    mine_past(play.job.deadline)
    return play.advance()


@pytest.mark.parametrize("accepted", [0, 1, 2])
@pytest.mark.parametrize(
    ("fail", "reason"),
    [
        (fail_without_updates, FailureReason.NO_UPDATES),
        (fail_undecided, FailureReason.UNDECIDED),
        (fail_unopened, FailureReason.NOT_OPENED),
    ],
)
def test_a_failed_job_pays_back_what_no_accepted_round_earned(
    collecting: Play, accepted: int, fail: Any, reason: FailureReason
) -> None:
    play, market = collecting, collecting.market
    for _ in range(accepted):
        play.round()
    receipt = fail(play)
    failed = {"jobId": play.job_id, "acceptedRounds": accepted, "reason": reason}
    assert event(receipt, market.jobs.JobFailed) == failed
    earned = PRICE * accepted // RULES.rounds
    cone = earned * 3 // 10
    assert event(receipt, market.escrow.JobPaid) == {
        "jobId": play.job_id,
        "conePot": cone,
        "sellerPot": earned - cone,
        "refund": PRICE - earned,
        "slashPot": 0,
    }
    assert look(market.escrow.credit, ETHER, play.job.buyer) == PRICE - earned
    assert event(receipt, market.pool.PoolReleased) == {"jobId": play.job_id}
    assert (play.job.state, play.job.failure) == (JobState.FAILED, reason)
    advance_is_refused(play, market.jobs.WrongState)


# Judging


def lie_once(play: Play) -> Offence:
    """A whole round that ends the job, in which one node votes for something else."""
    play.collect()
    result = play.result(metric_numerator=99)
    play.begin_mini_round()
    liar, *honest = play.seats_asked()
    votes = {liar: play.vote_for(HASH)}
    votes |= dict.fromkeys(honest, play.vote_for(result.digest))
    for seat, vote in votes.items():
        play.commit(seat, vote)
    for seat, vote in votes.items():
        play.reveal(seat, vote)
    play.advance()
    play.open(result)
    return Offence(1, 1, liar)


def test_a_job_with_offences_is_judged_before_it_ends(collecting: Play) -> None:
    play, jobs = collecting, collecting.market.jobs
    offence = lie_once(play)
    job = play.job
    assert (job.state, job.failure, job.target_reached) == (
        JobState.JUDGING,
        FailureReason.NONE,
        True,
    )
    assert (job.right_votes, job.offences) == (4, 1)
    assert job.deadline > 0
    advance_is_refused(play, jobs.NotDue)
    open_is_refused(play, jobs.WrongState)
    assert not play.pots.settled
    play.slash(offence)
    assert look(jobs.isDue, play.job_id)
    receipt = play.advance()
    settled = {"jobId": play.job_id, "acceptedRounds": 1, "targetReached": True}
    assert event(receipt, jobs.JobSettled) == settled


def test_judging_ends_at_its_deadline_with_what_is_left(collecting: Play) -> None:
    play, jobs = collecting, collecting.market.jobs
    offence = lie_once(play)
    mine_past(play.job.deadline - 1)
    advance_is_refused(play, jobs.NotDue)
    mine()
    assert look(jobs.isDue, play.job_id)
    play.advance()
    assert (play.job.state, play.pots.slash_pot) == (JobState.SETTLED, 0)
    slash_is_refused(play, play.market.pool.NotRunning, offence)


def test_judging_starts_with_an_event(collecting: Play) -> None:
    play, jobs = collecting, collecting.market.jobs
    play.collect()
    play.mini_round(lambda seat: None)
    result = play.result(metric_numerator=99)
    while play.job.state is JobState.DECIDING:
        play.mini_round(lambda seat: result.digest)
    receipt = play.open(result)
    assert event(receipt, jobs.JudgingStarted) == {
        "jobId": play.job_id,
        "offences": RULES.base + 1,
        "deadline": receipt.block + RULES.judge_blocks,
    }


def test_a_job_whose_offences_are_all_punished_ends_at_once(collecting: Play) -> None:
    play = collecting
    play.collect()
    play.mini_round(lambda seat: None)
    result = play.result()
    while play.job.state is JobState.DECIDING:
        play.mini_round(lambda seat: result.digest)
    play.open(result)
    offences = play.offences()
    assert len(offences) == play.job.offences == RULES.base + 1
    play.slash(*offences)
    play.round(metric_numerator=99)
    assert play.job.state is JobState.SETTLED


def test_a_failed_job_is_judged_too(collecting: Play) -> None:
    """For what was done in its opened rounds."""
    play = collecting
    play.collect()
    play.mini_round(lambda seat: None)
    result = play.result()
    while play.job.state is JobState.DECIDING:
        play.mini_round(lambda seat: result.digest)
    play.open(result)
    fail_without_updates(play)
    assert (play.job.state, play.job.failure) == (JobState.JUDGING, FailureReason.NO_UPDATES)
    play.slash(*play.offences())
    play.advance()
    assert play.job.state is JobState.FAILED


# More than one


def test_jobs_run_side_by_side(staffed: Market, people: People) -> None:
    slow = RULES._replace(update_blocks=100)
    first, second = win(staffed, people, rules=slow), win(staffed, people, buyer=1, price=77)
    assert second.job_id == first.job_id + 1 == look(staffed.jobs.jobCount)
    second.start()
    first.start()
    second.round(metric_numerator=99)
    assert (first.job.state, second.job.state) == (JobState.COLLECTING, JobState.SETTLED)
    assert look(staffed.pool.isFrozen, 2**63), "the other job still binds the stakes"
    first.round(metric_numerator=99)
    assert not look(staffed.pool.isFrozen, 2**63)
    for play in (first, second):
        for index in (i for i, each in enumerate(CONTRIBUTIONS) if each):
            play.claim_seller(index)
        for seat in play.voters():
            play.claim_cone(seat)
    assert balance(staffed.escrow) == PRICE + 77
    paid = [*people.sellers, *people.nodes]
    assert sum(look(staffed.escrow.credit, ETHER, each) for each in paid) == PRICE + 77


def test_of_more_than_256_sellers_the_seed_picks(staffed: Market, people: People) -> None:
    """300 newcomers beside the eight; all 256 that are picked post their update."""
    crowd, jobs = Crowd.hire(300, people.deployer), staffed.jobs
    crowd.chorus(range(300), staffed.registry.offer, [TAG], CID, KEY, value=BOND)
    play = win(staffed, people, rules=RULES._replace(sample_size=256, update_blocks=300))
    assert (play.job.sellers, play.job.listed) == (256, 308)
    play.start()
    everyone = [*people.sellers, *crowd.actors]
    picked = [permute(index, 308, play.job.sample_seed) for index in range(256)]
    offers, sellers = look(jobs.offersOf, play.job_id)
    assert list(offers) == [place + 1 for place in picked]
    assert list(sellers) == [everyone[place] for place in picked]
    assert len(set(picked)) == 256
    result = play.result(next_sample=2**256 - 1)
    for index in play.sampled():
        if picked[index] < 8:
            play.post(index)
    post, new = jobs.postUpdate, [index for index in play.sampled() if picked[index] >= 8]
    crowd.play([crowd.move(picked[i] - 8, post, play.job_id, 1, i, HASH, CID) for i in new])
    assert play.job.posted == play.job.sample
    play.advance()
    play.decide(result.digest)
    play.open(result)
    assert play.sampled() == list(range(256)), "a full sample is one word"


def test_a_job_has_as_many_sellers_as_there_are_up_to_256(staffed: Market, people: People) -> None:
    crowd = Crowd.hire(249, people.deployer)
    for count, seated in ((248, range(248)), (249, range(248, 249))):
        crowd.chorus(seated, staffed.registry.offer, [TAG], CID, KEY, value=BOND)
        play = win(staffed, people)
        assert (play.job.sellers, play.job.listed) == (256, 8 + count)
        play.start()
        offers = look(staffed.jobs.offersOf, play.job_id)[0]
        in_order = offers == tuple(range(1, 257))
        assert in_order == (count == 248), "the seed picks only where there are too many"
