"""The course of a vote: seeds, execution sets and windows."""

from __future__ import annotations

from math import log

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from d2m.protocol.types import Frozen, JobState, Phase
from tests.support.evm import event, look, mine, mine_past, refusal
from tests.support.play import RULES, Market, People, Play, Vote, tally
from tests.support.refusals import commit_is_refused, reveal_is_refused

SEED = keccak(b"seed")
SEATS = 12
BYZANTINE = 3


# Driven by the job contract


def test_only_the_job_contract_drives_a_vote(staffed: Market, people: People) -> None:
    yoda = staffed.yoda
    refusal(yoda.OnlyJobs, yoda.freezeRules, 1, RULES, 1, SEATS, sender=people.stranger)
    refusal(yoda.OnlyJobs, yoda.begin, 1, 1, sender=people.stranger)
    refusal(yoda.OnlyJobs, yoda.advance, 1, sender=people.stranger)
    refusal(yoda.OnlyJobs, yoda.judge, 1, 1, SEED, sender=people.stranger)


def test_rules_are_frozen_with_the_pool(seeding: Play) -> None:
    frozen = seeding.frozen
    assert frozen == Frozen(
        freeze_block=seeding.created.block - 1,
        seats=SEATS,
        byzantine=BYZANTINE,
        base=RULES.base,
        commit_blocks=RULES.commit_blocks,
        reveal_blocks=RULES.reveal_blocks,
        threshold=frozen.threshold,
    )
    assert frozen.threshold / 1e18 == pytest.approx(log(999), rel=1e-15)


def test_nothing_is_due_without_a_vote(seeding: Play) -> None:
    yoda, jobs = seeding.market.yoda, seeding.market.jobs.address
    for job_id in (seeding.job_id, seeding.job_id + 1):
        assert not look(yoda.isDue, job_id)
        refusal(yoda.NotDue, yoda.advance, job_id, sender=jobs)


def test_nothing_is_due_after_a_vote(revealing: Play, vote: Vote) -> None:
    play, yoda = revealing, revealing.market.yoda
    for seat in play.seats_asked():
        play.reveal(seat, vote)
    play.advance()
    assert play.poll.phase is Phase.ACCEPTED
    assert not look(yoda.isDue, play.job_id)
    refusal(yoda.NotDue, yoda.advance, play.job_id, sender=play.market.jobs.address)
    commit_is_refused(play, yoda.NotCommitting, play.seats_not_asked()[0])
    reveal_is_refused(play, yoda.NotRevealing, play.seats_asked()[0], vote)
    assert look(yoda.positionOf, play.job_id, play.seats_asked()[0]) == (False, 0)


# Seeds and execution sets


def test_a_mini_round_waits_for_the_block_of_its_seed(collecting: Play) -> None:
    play, yoda = collecting, collecting.market.yoda
    receipt = play.collect()
    assert event(receipt, yoda.MiniRoundScheduled) == {
        "jobId": play.job_id,
        "round": 1,
        "miniRound": 1,
        "seedBlock": receipt.block + 1,
    }
    assert play.poll.phase is Phase.SEEDING
    assert bytes(look(yoda.roundSeedOf, play.job_id, 1)) == bytes(32)
    assert not look(yoda.isDue, play.job_id)
    refusal(yoda.NotDue, play.market.jobs.advance, play.job_id, sender=play.people.stranger)
    commit_is_refused(play, yoda.NotCommitting, 0)
    mine()
    assert look(yoda.isDue, play.job_id)
    play.advance()


def test_a_mini_round_asks_the_nodes_that_its_seed_ranks_first(deciding: Play) -> None:
    play, yoda = deciding, deciding.market.yoda
    receipt = play.begin_mini_round()
    purpose = keccak(encode(["uint256"] * 3, [play.job_id, 1, 1]))
    seed = keccak(encode(["bytes32", "bytes32"], [purpose, SEED]))
    poll = play.poll
    assert event(receipt, yoda.MiniRoundOpened) == {
        "jobId": play.job_id,
        "round": 1,
        "miniRound": 1,
        "askedBefore": 0,
        "asked": RULES.base + 1,
        "firstMiniRound": 1,
        "seed": seed,
        "commitDeadline": poll.commit_deadline,
    }
    assert (poll.phase, poll.first_mini_round, play.mini.seed) == (Phase.VOTING, 1, seed)
    assert poll.commit_deadline == receipt.block + RULES.commit_blocks
    assert poll.reveal_deadline == poll.commit_deadline + RULES.reveal_blocks
    assert bytes(look(yoda.roundSeedOf, play.job_id, 1)) == seed
    found = {seat: look(yoda.positionOf, play.job_id, seat) for seat in range(SEATS + 2)}
    positions = {seat: position for seat, (asked, position) in found.items() if asked}
    assert positions == {seat: play.position(seat) for seat in play.seats_asked()}
    assert sorted(positions.values()) == list(range(RULES.base + 1))


# Windows


def test_the_windows_do_not_overlap(voting: Play, vote: Vote) -> None:
    """One node stays silent, so both windows last their full time."""
    play, yoda = voting, voting.market.yoda
    first, second, third, *_ = play.seats_asked()
    play.commit(first, vote)
    play.commit(third, vote)
    poll = play.poll
    mine_past(poll.commit_deadline - 1)
    assert look(yoda.isCommitting, play.job_id)
    assert not look(yoda.isRevealing, play.job_id)
    reveal_is_refused(play, yoda.NotRevealing, first, vote)
    assert play.commit(second, vote).block == poll.commit_deadline, "the last block counts"
    assert not look(yoda.isCommitting, play.job_id)
    assert look(yoda.isRevealing, play.job_id)
    commit_is_refused(play, yoda.NotCommitting, play.seats_asked()[3])
    play.reveal(first, vote)
    mine_past(poll.reveal_deadline - 1)
    assert not look(yoda.isDue, play.job_id)
    refusal(yoda.NotDue, play.market.jobs.advance, play.job_id, sender=play.people.stranger)
    assert play.reveal(second, vote).block == poll.reveal_deadline, "the last block counts"
    assert not look(yoda.isRevealing, play.job_id)
    reveal_is_refused(play, yoda.NotRevealing, third, vote)
    assert look(yoda.isDue, play.job_id)


def test_the_last_commitment_opens_the_reveals(voting: Play, vote: Vote) -> None:
    play, yoda = voting, voting.market.yoda
    seats = play.seats_asked()
    for seat in seats:
        assert look(yoda.isCommitting, play.job_id)
        reveal_is_refused(play, yoda.NotRevealing, seats[0], vote)
        receipt = play.commit(seat, vote)
    assert not look(yoda.isCommitting, play.job_id)
    assert look(yoda.isRevealing, play.job_id)
    commit_is_refused(play, yoda.NotCommitting, seats[0])
    assert play.poll.reveal_deadline == receipt.block + RULES.reveal_blocks


def test_the_last_reveal_ends_the_mini_round(revealing: Play, vote: Vote) -> None:
    play, yoda = revealing, revealing.market.yoda
    for seat in play.seats_asked():
        assert not look(yoda.isDue, play.job_id)
        play.reveal(seat, vote)
    assert look(yoda.isDue, play.job_id)
    play.advance()
    assert play.job.state is JobState.OPENING


def test_a_mini_round_ends_without_its_last_reveals(revealing: Play, vote: Vote) -> None:
    play, yoda = revealing, revealing.market.yoda
    for seat in play.seats_asked()[1:]:
        play.reveal(seat, vote)
    mine_past(play.poll.reveal_deadline - 1)
    assert not look(yoda.isDue, play.job_id)
    mine()
    assert look(yoda.isDue, play.job_id)
    assert tally(play.advance(), yoda).votes == RULES.base
