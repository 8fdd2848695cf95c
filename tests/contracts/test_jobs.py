from __future__ import annotations

import ape
import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from d2m.learning.draws import first_draw
from d2m.protocol import bounds
from d2m.protocol.types import (
    ETHER,
    FailureReason,
    Job,
    JobState,
    Phase,
    Request,
    Rules,
    tag_of,
)
from tests.support.evm import (
    event,
    look,
    mine,
    mine_past,
    refusal,
    refused_deployment,
    send,
)
from tests.support.play import (
    CID,
    HASH,
    PRICE,
    RULES,
    TAG,
    Market,
    People,
    Play,
    register_sellers,
    request,
    win,
)
from tests.support.refusals import advance_is_refused, open_is_refused, post_is_refused

SEED = keccak(b"seed")
BOUNDS = {
    field: (name, *bound)
    for field, (name, bound) in zip(Rules._fields, bounds.RULES.items(), strict=False)
}
"""What the processes take for the contracts' bounds, by field."""


# Deployment


def test_the_parts_must_point_back(staffed: Market, people: People) -> None:
    m = staffed
    right = [m.registry, m.randomness, m.pool, m.yoda, m.escrow, m.auction_house]
    # The right parts, but at another address than the one they were told.
    refused = refused_deployment(
        m.jobs.WrongWiring, ape.project.Jobs, *right, sender=people.deployer
    )
    assert refused["part"].lower() == m.pool.address.lower()


# Requests


@pytest.mark.parametrize("field", BOUNDS)
def test_rules_have_bounds(staffed: Market, people: People, field: str) -> None:
    jobs = staffed.jobs
    name, low, high = BOUNDS[field]
    for value in (low, high):
        jobs.check(request(RULES._replace(**{field: value})))
    for value in ([low - 1] if low else []) + [high + 1]:
        bad = request(RULES._replace(**{field: value}))
        refused = refusal(jobs.RuleOutOfBounds, jobs.check, bad, sender=people.stranger)
        assert refused == {"rule": tag_of(name)}


def test_a_job_has_a_longest_length(staffed: Market, people: People) -> None:
    """Else one could bind the stakes of the pool for years at the price of a wei."""
    jobs = staffed.jobs
    longest = RULES._replace(
        rounds=4,
        update_blocks=50_400,
        commit_blocks=50_400,
        reveal_blocks=50_400,
        open_blocks=10_800,
    )
    assert bounds.by_name(longest)["rounds * windows"] == bounds.RULES["rounds * windows"].most
    jobs.check(request(longest))
    for longer in (longest._replace(open_blocks=10_801), longest._replace(rounds=5)):
        refused = refusal(jobs.RuleOutOfBounds, jobs.check, request(longer), sender=people.stranger)
        assert refused == {"rule": tag_of("rounds * windows")}


@pytest.mark.parametrize("field", ["spec_cid", "evaluation_cid"])
@pytest.mark.parametrize("length", [0, 65])
def test_a_request_names_what_it_is_about(
    staffed: Market, people: People, field: str, length: int
) -> None:
    bad = request()._replace(**{field: b"\1" * length})
    refusal(staffed.jobs.BadCid, staffed.jobs.check, bad, sender=people.stranger)
    staffed.jobs.check(request()._replace(**{field: b"\1" * 64}))


def test_feasible_is_what_stood_ready_a_block_before(staffed: Market, people: People) -> None:
    jobs, rare = staffed.jobs, tag_of("rare")
    assert look(jobs.isFeasible, TAG)
    assert not look(jobs.isFeasible, rare)
    register_sellers(staffed, people.sellers[:1], rare)
    assert look(jobs.isFeasible, rare)
    for node in people.nodes[5:]:
        send(staffed.pool.leave, sender=node)
    assert look(jobs.isFeasible, rare)
    send(staffed.pool.leave, sender=people.nodes[4])
    assert not look(jobs.isFeasible, rare)


# Creation


def test_only_the_auction_house_creates(staffed: Market, people: People) -> None:
    args = (request(), people.stranger.address, PRICE)
    refusal(staffed.jobs.OnlyAuctionHouse, staffed.jobs.create, *args, sender=people.stranger)


def test_a_job_needs_sellers_and_nodes(staffed: Market, people: People) -> None:
    jobs, house = staffed.jobs, staffed.auction_house.address
    args = (request(tag=tag_of("nobody")), people.stranger.address, PRICE)
    refused = refusal(jobs.NotFeasible, jobs.create, *args, sender=house)
    assert refused == {"sellers": 0, "seats": 12}
    for node in people.nodes[4:]:
        send(staffed.pool.leave, sender=node)
    refused = refusal(jobs.NotFeasible, jobs.create, request(), house, PRICE, sender=house)
    assert refused == {"sellers": 8, "seats": 4}


def test_a_job_is_fixed_when_it_is_created(seeding: Play, people: People) -> None:
    market, play = seeding.market, seeding
    block = play.created.block
    assert play.job == Job(
        buyer=people.buyers[0],
        state=JobState.SEEDING,
        round=0,
        accepted_rounds=0,
        sellers=8,
        failure=FailureReason.NONE,
        target_reached=False,
        right_votes=0,
        offences=0,
        freeze_block=block - 1,
        deadline=block + 1,
        listed=8,
        rules=RULES,
        tag=TAG,
        sample_seed=bytes(32),
        sample=0,
        posted=0,
        contributions_root=bytes(32),
        model_hash=bytes(32),
    )
    created = event(play.created, market.jobs.JobCreated)
    assert Request.from_abi(created.pop("request")) == request()
    assert created == {
        "jobId": play.job_id,
        "buyer": people.buyers[0],
        "price": PRICE,
        "freezeBlock": block - 1,
        "sellers": 8,
    }
    scheduled = {"jobId": play.job_id, "seedBlock": block + 1}
    assert event(play.created, market.jobs.SampleScheduled) == scheduled
    funded = {"jobId": play.job_id, "token": ETHER, "price": PRICE}
    assert event(play.created, market.escrow.JobFunded) == funded


def test_sellers_are_known_once_the_seed_is(seeding: Play, people: People) -> None:
    """Of too many the seed picks, so before it there is no answer."""
    play, jobs = seeding, seeding.market.jobs
    ask = {"sender": people.stranger}
    for method in (jobs.sellerAt, jobs.offerAt):
        refused = refusal(jobs.WrongState, method, play.job_id, 0, **ask)
        assert refused == {"state": JobState.SEEDING}
        refusal(jobs.WrongState, method, 99, 0, **ask)
    refusal(jobs.WrongState, jobs.offersOf, play.job_id, **ask)
    play.start()
    offers = tuple(range(1, 9))
    assert look(jobs.offersOf, play.job_id) == (offers, tuple(people.sellers))
    assert [look(jobs.offerAt, play.job_id, index) for index in range(8)] == list(offers)
    for index in (8, 256, 2**256 - 1):
        for method in (jobs.sellerAt, jobs.offerAt):
            refused = refusal(jobs.NoSuchSeller, method, play.job_id, index, **ask)
            assert refused == {"index": index}


def test_who_comes_or_goes_later_changes_nothing(collecting: Play, people: People) -> None:
    market, play = collecting.market, collecting
    index = play.sampled()[0]
    before = look(market.jobs.offersOf, play.job_id)
    send(market.registry.leave, before[0][index], sender=play.seller(index))
    other = (index + 1) % 8
    send(market.registry.pause, before[0][other], sender=play.seller(other))
    register_sellers(market, [people.stranger])
    assert look(market.jobs.offersOf, play.job_id) == before
    play.post(index)


def test_a_seller_with_two_offers_has_two_indices(staffed: Market, people: People) -> None:
    """One data set each: they are drawn, posted and paid one by one."""
    twice = people.sellers[0]
    register_sellers(staffed, [twice])
    play = win(staffed, people, rules=RULES._replace(sample_size=256))
    play.start()
    offers, sellers = look(staffed.jobs.offersOf, play.job_id)
    assert (offers, sellers[0], sellers[8]) == (tuple(range(1, 10)), twice, twice)
    assert play.sampled() == list(range(9)), "256 draws miss none of nine"
    play.post(0)
    play.post(8)
    assert play.job.posted == 1 | 1 << 8


# Seeding


def test_the_first_sample_is_drawn_from_the_seed(seeding: Play) -> None:
    play = seeding
    receipt = play.start()
    purpose = keccak(encode(["uint256"], [play.job_id]))
    seed = keccak(encode(["bytes32", "bytes32"], [purpose, SEED]))
    drawn = first_draw(8, RULES.sample_size, seed)
    sample = sum(1 << index for index, times in enumerate(drawn) if times)
    deadline = receipt.block + RULES.update_blocks
    assert event(receipt, play.market.jobs.RoundStarted) == {
        "jobId": play.job_id,
        "round": 1,
        "sample": sample,
        "deadline": deadline,
        "sampleSeed": seed,
    }
    job = play.job
    assert (job.state, job.round, job.deadline) == (JobState.COLLECTING, 1, deadline)
    assert (job.sample, job.sample_seed) == (sample, seed)


def test_the_seeding_block_must_be_mined(staffed: Market, people: People) -> None:
    """`advance` in the seeding block itself is one block too early."""
    play = win(staffed, people)
    advance_is_refused(play, staffed.jobs.NotDue)
    mine()
    assert look(staffed.jobs.isDue, play.job_id)
    play.advance()


# Collecting


def test_sampled_sellers_post_once(collecting: Play) -> None:
    play, jobs = collecting, collecting.market.jobs
    index = play.sampled()[1]
    receipt = play.post(index)
    assert event(receipt, jobs.UpdatePosted) == {
        "jobId": play.job_id,
        "round": 1,
        "index": index,
        "seller": play.seller(index),
        "contentHash": HASH,
        "cid": CID,
    }
    assert play.job.posted == 1 << index
    post_is_refused(play, jobs.AlreadyPosted, index)


def test_only_sampled_sellers_post(collecting: Play, people: People) -> None:
    play, jobs = collecting, collecting.market.jobs
    sampled = play.sampled()
    unsampled = next(index for index in range(8) if index not in sampled)
    assert post_is_refused(play, jobs.NotSampled, unsampled) == {"index": unsampled}
    post_is_refused(play, jobs.NotSampled, sampled[0], sender=play.seller(sampled[1]))
    post_is_refused(play, jobs.NotSampled, sampled[0], sender=people.stranger)
    for outside in (8, 255, 256, 2**256 - 1):
        post_is_refused(play, jobs.NoSuchSeller, outside, sender=people.stranger)


def test_an_update_names_its_round_and_its_content(collecting: Play) -> None:
    play, jobs = collecting, collecting.market.jobs
    index = play.sampled()[0]
    for other in (0, 2):
        refused = post_is_refused(play, jobs.WrongRound, index, round_number=other)
        assert refused == {"current": 1}
    for cid in (b"", b"\1" * 65):
        post_is_refused(play, jobs.BadCid, index, cid=cid)
    play.post(index, b"\1" * 64)


def test_updates_come_in_time(collecting: Play) -> None:
    play, jobs = collecting, collecting.market.jobs
    (first, second), deadline = play.sampled()[:2], play.job.deadline
    mine_past(deadline - 1)
    assert play.post(first).block == deadline, "the last block counts"
    assert post_is_refused(play, jobs.TooLate, second) == {"deadline": deadline}


def test_updates_are_taken_only_while_collecting(seeding: Play, people: People) -> None:
    play, jobs = seeding, seeding.market.jobs
    seller = people.sellers[0]
    refused = post_is_refused(play, jobs.WrongState, 0, round_number=0, sender=seller)
    assert refused == {"state": JobState.SEEDING}
    play.start()
    play.collect()
    refused = post_is_refused(play, jobs.WrongState, play.sampled()[0])
    assert refused == {"state": JobState.DECIDING}


def test_the_inbox_closes_early_once_everybody_has_posted(collecting: Play) -> None:
    play, jobs = collecting, collecting.market.jobs
    for index in play.sampled():
        advance_is_refused(play, jobs.NotDue)
        play.post(index)
    assert look(jobs.isDue, play.job_id)
    receipt = play.advance()
    assert receipt.block <= play.job.deadline
    closed = {"jobId": play.job_id, "round": 1, "posted": play.job.sample}
    assert event(receipt, jobs.InboxClosed) == closed
    assert (play.job.state, play.poll.phase) == (JobState.DECIDING, Phase.SEEDING)


def test_the_inbox_closes_at_the_deadline_with_what_is_in(collecting: Play) -> None:
    play, jobs = collecting, collecting.market.jobs
    index = play.sampled()[0]
    play.post(index)
    mine_past(play.job.deadline - 1)
    advance_is_refused(play, jobs.NotDue)
    mine()
    assert look(jobs.isDue, play.job_id)
    assert event(play.advance(), jobs.InboxClosed)["posted"] == 1 << index


# Deciding


def test_deciding_waits_for_the_vote(voting: Play) -> None:
    play, jobs = voting, voting.market.jobs
    advance_is_refused(play, jobs.NotDue)
    assert open_is_refused(play, jobs.WrongState) == {"state": JobState.DECIDING}


def test_an_accepted_digest_waits_to_be_opened(opening: Play) -> None:
    play, jobs = opening, opening.market.jobs
    assert play.job.state is JobState.OPENING
    assert play.verdict(1).digest == play.result().digest
    advance_is_refused(play, jobs.NotDue)
