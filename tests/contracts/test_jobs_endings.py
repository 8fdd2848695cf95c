"""From an accepted digest to the end of a job, and jobs beside one another."""

from __future__ import annotations

from typing import Any

import pytest

from offchain.chain.records import FailureReason, JobState
from offchain.yoda.sortition import permute
from tests.contracts.crowd import Crowd
from tests.contracts.evm import (
    balance,
    event,
    events,
    look,
    mine,
    mine_past,
)
from tests.contracts.play import (
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
from tests.contracts.refusals import advance_is_refused, open_is_refused, post_is_refused

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
        {"version": 2},
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
    paid = {"jobId": play.job_id, "conePot": cone, "sellerPot": PRICE - cone, "refund": 0}
    assert event(receipt, market.escrow.JobPaid) == paid


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
    }
    assert look(market.escrow.credit, play.job.buyer) == PRICE - earned
    assert event(receipt, market.pool.PoolReleased) == {"jobId": play.job_id}
    assert play.job.state is JobState.FAILED
    advance_is_refused(play, market.jobs.WrongState)


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
        for node in play.voters():
            play.claim_cone(node)
    assert balance(staffed.escrow) == PRICE + 77
    credited = [look(staffed.escrow.credit, each) for each in (*people.sellers, *people.nodes)]
    assert sum(credited) == PRICE + 77


def test_of_more_than_256_sellers_the_seed_picks(staffed: Market, people: People) -> None:
    crowd = Crowd.hire(300, people.deployer)
    crowd.chorus(range(300), staffed.registry.register, [TAG], CID, KEY)
    play = win(staffed, people, rules=RULES._replace(sample_size=256))
    assert (play.job.sellers, play.job.listed) == (256, 308)
    play.start()
    everyone = [*people.sellers, *crowd.actors]
    seed = play.job.sample_seed
    picked = [everyone[permute(index, 308, seed)] for index in range(256)]
    assert look(staffed.jobs.sellersOf, play.job_id) == tuple(picked)
    assert len(set(picked)) == 256
    assert play.job.sample < 2**256
    index = next(i for i in play.sampled() if picked[i] in crowd.actors)
    post = (staffed.jobs.postUpdate, play.job_id, 1, index, HASH, CID)
    crowd.play([crowd.move(crowd.actors.index(picked[index]), *post)])
    assert play.job.posted == 1 << index
