"""Nodes that fail lose stake to those who were right, and nobody else gains or loses by it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from eth_utils.crypto import keccak

from d2m.protocol.types import ETHER, Conduct, JobState, Node, Offence, Phase
from tests.support.evm import (
    balance,
    event,
    events,
    look,
    mine_past,
    refusal,
    send,
    simulate,
)
from tests.support.play import KEY, PRICE, RULES, STAKE, Market, People, Play, Vote, win
from tests.support.refusals import slash_is_refused

FALSE, GUESS = keccak(b"false"), keccak(b"guess")
SEATS = 12
EVERYBODY = RULES._replace(base=11, commit_blocks=20, reveal_blocks=20, judge_blocks=30)
"""The first mini-round asks all 12 nodes, of whom 3 may fail."""
UNBONDING = 7200
PENALTIES = {
    Conduct.LOST_RESULT: STAKE // 2,
    Conduct.WRONG_AUDIT: STAKE // 4,
    Conduct.SILENT: STAKE // 50,
}


@pytest.fixture
def play(staffed: Market, people: People) -> Play:
    """Collecting in a job that asks everybody at once."""
    play = win(staffed, people, rules=EVERYBODY)
    play.start()
    return play


def vote_round(play: Play, failing: dict[int, Conduct], **changes: int) -> None:
    """A whole round, from Collecting on, in which these seats fail and all others are right."""
    play.collect()
    result = play.result(**changes)
    play.begin_mini_round()
    votes = {seat: play.vote_for(result.digest) for seat in play.seats_asked()}
    for seat, conduct in failing.items():
        if conduct is Conduct.LOST_RESULT:
            votes[seat] = play.vote_for(FALSE)
        elif conduct is Conduct.WRONG_AUDIT:
            votes[seat] = Vote(result.digest, GUESS)
        else:
            del votes[seat]
    for seat, vote in votes.items():
        play.commit(seat, vote)
    mine_past(play.poll.commit_deadline)
    for seat, vote in votes.items():
        play.reveal(seat, vote)
    play.advance()
    assert play.poll.phase is Phase.ACCEPTED
    play.open(result)


def stake(play: Play, seat: int) -> int:
    """Wei left to the node that sat on `seat` at the freeze."""
    return Node(*look(play.market.pool.nodeOf, play.node(seat))).stake


def seated(play: Play, seat: int) -> bool:
    """Whether that node may be drawn by jobs to come."""
    return Node(*look(play.market.pool.nodeOf, play.node(seat))).exit_block == 0


def claim_all(play: Play) -> dict[str, tuple[int, int]]:
    """Price and slashed stake that every voter is paid, by node."""
    paid = {}
    for seat in play.voters():
        claimed = events(play.claim_cone(seat), play.market.escrow.ConePaid)
        for each in claimed:
            paid[each["node"]] = each["amount"], each["slashed"]
    return paid


# What conduct costs


@pytest.mark.parametrize("conduct", PENALTIES, ids=str)
def test_conduct_has_its_price(play: Play, people: People, conduct: Conduct) -> None:
    market, seat = play.market, 5
    vote_round(play, {seat: conduct})
    assert play.conduct(1, 1, seat) is conduct
    before = balance(market.pool), balance(market.escrow)
    offence, penalty = Offence(1, 1, seat), PENALTIES[conduct]
    assert not look(market.pool.isSlashed, play.job_id, offence)
    receipt = play.slash(offence)
    assert event(receipt, market.pool.NodeSlashed) == {
        "jobId": play.job_id,
        "node": play.node(seat),
        "round": 1,
        "miniRound": 1,
        "conduct": conduct,
        "amount": penalty,
    }
    added = {"jobId": play.job_id, "amount": penalty}
    assert event(receipt, market.escrow.SlashedAdded) == added
    assert (balance(market.pool), balance(market.escrow)) == (
        before[0] - penalty,
        before[1] + penalty,
    )
    assert (stake(play, seat), play.pots.slash_pot) == (STAKE - penalty, penalty)
    assert look(market.pool.isSlashed, play.job_id, offence)
    assert look(market.pool.slashedIn, play.job_id) == 1


def test_an_offence_is_punished_once(play: Play) -> None:
    market, offence = play.market, Offence(1, 1, 5)
    vote_round(play, {5: Conduct.WRONG_AUDIT, 6: Conduct.SILENT})
    receipt = play.slash(offence, offence)
    assert len(events(receipt, market.pool.NodeSlashed)) == 1
    again = play.slash(offence, Offence(1, 1, 6), offence)
    assert [each["node"] for each in events(again, market.pool.NodeSlashed)] == [play.node(6)]
    assert stake(play, 5) == STAKE - PENALTIES[Conduct.WRONG_AUDIT]
    assert look(market.pool.slashedIn, play.job_id) == 2
    assert play.pots.slash_pot == PENALTIES[Conduct.WRONG_AUDIT] + PENALTIES[Conduct.SILENT]


def test_who_did_nothing_wrong_cannot_be_slashed(opening: Play) -> None:
    """Nor can anybody together with it: a list with an innocent in it is refused."""
    play, pool = opening, opening.market.pool
    play.open(play.result())
    right, idle = play.cast[0].seat, next(iter(set(range(SEATS)) - set(play.voters())))
    for seat, conduct in ((right, Conduct.RIGHT), (idle, Conduct.NOT_ASKED)):
        refused = slash_is_refused(play, pool.NoOffence, Offence(1, 1, seat))
        assert refused == {"seat": seat, "conduct": conduct}
    for nowhere in (
        Offence(1, 1, SEATS),
        Offence(1, 2, right),
        Offence(1, 0, right),
        Offence(2, 1, right),
        Offence(0, 1, right),
        Offence(1, 2**16 - 1, right),
    ):
        refused = slash_is_refused(play, pool.NoOffence, nowhere)
        assert refused == {"seat": nowhere.seat, "conduct": Conduct.UNJUDGED}


def test_an_innocent_among_the_guilty_saves_nobody_for_long(play: Play) -> None:
    pool = play.market.pool
    vote_round(play, {5: Conduct.SILENT})
    slash_is_refused(play, pool.NoOffence, Offence(1, 1, 5), Offence(1, 1, 4))
    assert stake(play, 5) == STAKE
    play.slash(Offence(1, 1, 5))


def test_every_mini_round_is_an_offence_of_its_own(staffed: Market, people: People) -> None:
    """Both draws: four of twelve failed, so the first accepted nothing; all votes are judged."""
    play = win(staffed, people, rules=EVERYBODY)
    play.start()
    play.collect()
    result = play.result()
    liars = {1, 2, 3, 4}
    play.mini_round(lambda seat: FALSE if seat in liars else result.digest)
    assert (play.poll.phase, play.poll.first_mini_round) == (Phase.SEEDING, 2)
    play.mini_round(lambda seat: FALSE if seat in {1, 2} else result.digest)
    play.open(result)
    verdict = play.verdict(1)
    assert (verdict.redrawn_at, verdict.right_votes, verdict.offences) == (2, 8 + 10, 4 + 2)
    assert set(play.offences()) == {
        *(Offence(1, 1, seat) for seat in liars),
        *(Offence(1, 2, seat) for seat in (1, 2)),
    }
    play.slash(*play.offences())
    assert [stake(play, seat) for seat in (1, 2, 3, 4)] == [0, 0, STAKE // 2, STAKE // 2]
    assert play.pots.slash_pot == 3 * STAKE


def test_no_more_is_taken_than_there_is(play: Play) -> None:
    """The third lie finds nothing left; it is punished all the same, so that judging can end."""
    market, seat = play.market, 5
    taken = []
    for number in (1, 2, 3):
        vote_round(play, {seat: Conduct.LOST_RESULT})
        taken.append(event(play.slash(Offence(number, 1, seat)), market.pool.NodeSlashed)["amount"])
    assert taken == [STAKE // 2, STAKE // 2, 0]
    assert (stake(play, seat), look(market.pool.slashedIn, play.job_id)) == (0, 3)
    play.advance()
    assert play.job.state is JobState.SETTLED


def test_a_rest_smaller_than_the_penalty_is_taken_whole(play: Play) -> None:
    seat, market = 5, play.market
    vote_round(play, {seat: Conduct.SILENT})
    play.slash(Offence(1, 1, seat))
    vote_round(play, {seat: Conduct.LOST_RESULT})
    play.slash(Offence(2, 1, seat))
    vote_round(play, {seat: Conduct.LOST_RESULT})
    rest = STAKE - PENALTIES[Conduct.SILENT] - PENALTIES[Conduct.LOST_RESULT]
    slashed = event(play.slash(Offence(3, 1, seat)), market.pool.NodeSlashed)
    assert (slashed["amount"], stake(play, seat)) == (rest, 0)
    assert play.pots.slash_pot == STAKE


# When


def test_nobody_is_slashed_for_a_round_that_was_not_opened(play: Play) -> None:
    """A buyer that withholds what nodes need must not get them slashed for silence."""
    pool, offence = play.market.pool, Offence(1, 1, 5)
    play.collect()
    result = play.result()
    play.begin_mini_round()
    unjudged = {"seat": 5, "conduct": Conduct.UNJUDGED}
    assert slash_is_refused(play, pool.NoOffence, offence) == unjudged
    for seat in range(SEATS):
        if seat != 5:
            play.commit(seat, play.vote_for(result.digest))
    mine_past(play.poll.commit_deadline)
    for seat in range(SEATS):
        if seat != 5:
            play.reveal(seat, play.vote_for(result.digest))
    play.advance()
    assert play.job.state is JobState.OPENING
    assert slash_is_refused(play, pool.NoOffence, offence) == unjudged
    mine_past(play.job.deadline)
    play.advance()
    assert play.job.state is JobState.FAILED
    slash_is_refused(play, pool.NotRunning, offence)
    assert [stake(play, seat) for seat in range(SEATS)] == [STAKE] * SEATS


def test_silence_of_everybody_costs_nobody_anything(play: Play) -> None:
    play.collect()
    for _ in range(2):
        play.begin_mini_round()
        play.advance_in_silence()
    assert (play.job.state, play.job.offences) == (JobState.FAILED, 0)
    slash_is_refused(play, play.market.pool.NotRunning, Offence(1, 1, 5))


def test_nobody_is_slashed_after_the_end(play: Play) -> None:
    market, pool = play.market, play.market.pool
    vote_round(play, {5: Conduct.SILENT}, metric_numerator=99)
    assert play.job.state is JobState.JUDGING
    mine_past(play.job.deadline)
    play.advance()
    slash_is_refused(play, pool.NotRunning, Offence(1, 1, 5))
    never = play.job_id + 1
    refusal(pool.NotRunning, pool.slash, never, [Offence(1, 1, 5)], sender=play.people.stranger)
    assert (stake(play, 5), balance(market.pool)) == (STAKE, SEATS * STAKE)


def test_an_offence_is_punished_as_soon_as_its_round_is_open(play: Play) -> None:
    """The job goes on, and so does the node's part in it: its seat there is frozen."""
    vote_round(play, {5: Conduct.SILENT})
    assert play.job.state is JobState.COLLECTING
    play.slash(Offence(1, 1, 5))
    vote_round(play, {}, metric_numerator=99)
    assert play.conduct(2, 1, 5) is Conduct.RIGHT
    assert play.job.state is JobState.SETTLED, "nobody is left to be judged"


# The seat


def test_a_slashed_node_has_no_seat_in_later_jobs_until_it_tops_up(play: Play) -> None:
    market, pool, seat = play.market, play.market.pool, 5
    vote_round(play, {seat: Conduct.SILENT})
    node, penalty = play.node(seat), PENALTIES[Conduct.SILENT]
    receipt = play.slash(Offence(1, 1, seat))
    left = {"node": node, "unlockBlock": receipt.block + UNBONDING}
    assert event(receipt, pool.NodeLeft) == left
    assert look(pool.seatsAt, receipt.block) == SEATS - 1
    later = win(market, play.people, buyer=1)
    assert node not in [later.node(each) for each in range(later.frozen.seats)]
    for value in (0, penalty - 1, penalty + 1, STAKE):
        refused = refusal(pool.WrongStake, pool.join, KEY, sender=node, value=value)
        assert refused == {"required": penalty}
    joined = event(send(pool.join, KEY, sender=node, value=penalty), pool.NodeJoined)
    assert joined == {"node": node, "publicKey": KEY, "stake": STAKE}
    last = win(market, play.people, buyer=2)
    assert last.node(SEATS - 1) == node


def test_who_tops_up_is_slashed_again(play: Play) -> None:
    seat, pool = 5, play.market.pool
    vote_round(play, {seat: Conduct.LOST_RESULT})
    play.slash(Offence(1, 1, seat))
    send(pool.join, KEY, sender=play.node(seat), value=STAKE // 2)
    vote_round(play, {seat: Conduct.LOST_RESULT})
    play.slash(Offence(2, 1, seat))
    assert (stake(play, seat), seated(play, seat)) == (STAKE // 2, False)


def test_leaving_saves_no_stake(play: Play) -> None:
    """Between commitment and reveal, and long past the unbonding: the job binds it."""
    seat, pool, stranger = 5, play.market.pool, play.people.stranger
    node = play.node(seat)
    play.collect()
    result = play.result()
    play.begin_mini_round()
    for each in range(SEATS):
        play.commit(each, play.vote_for(FALSE if each == seat else result.digest))
    exit_block = send(pool.leave, sender=node).block
    for each in range(SEATS):
        play.reveal(each, play.vote_for(FALSE if each == seat else result.digest))
    play.advance()
    withdraw = (pool.withdrawStake, stranger.address)
    for later in (exit_block + UNBONDING, exit_block + 10**6):
        refusal(pool.StakeBound, *withdraw, sender=node, at=later)
    play.open(result)
    receipt = play.slash(Offence(1, 1, seat))
    assert stake(play, seat) == STAKE // 2
    assert not events(receipt, pool.NodeLeft), "it has no seat to lose"
    vote_round(play, {}, metric_numerator=99)
    assert play.job.state is JobState.SETTLED
    refusal(pool.StakeBound, *withdraw, sender=node, at=exit_block + UNBONDING - 1)
    simulate(*withdraw, sender=node, at=exit_block + UNBONDING)


def test_what_is_left_of_a_stake_is_withdrawn_like_any(play: Play) -> None:
    seat, market = 5, play.market
    vote_round(play, {seat: Conduct.WRONG_AUDIT}, metric_numerator=99)
    block = play.slash(Offence(1, 1, seat)).block
    play.advance()
    node, rest = play.node(seat), STAKE - PENALTIES[Conduct.WRONG_AUDIT]
    withdraw, unlock = (market.pool.withdrawStake, node), block + UNBONDING
    refused = refusal(market.pool.StakeBound, *withdraw, sender=node, at=unlock - 1)
    assert refused == {"unlockBlock": unlock}
    simulate(*withdraw, sender=node, at=unlock)
    assert stake(play, seat) == rest


def test_a_slash_moves_nobody_else_in_a_running_job(play: Play) -> None:
    """The last node moves into the gap for jobs to come; in this one it keeps its place."""
    vote_round(play, {0: Conduct.SILENT})
    before = [play.node(seat) for seat in range(SEATS)]
    play.slash(Offence(1, 1, 0))
    assert [play.node(seat) for seat in range(SEATS)] == before
    vote_round(play, {}, metric_numerator=99)
    assert play.verdict(2).right_votes == SEATS


# Where it goes


FAILING: Sequence[dict[int, Conduct]] = (
    {1: Conduct.LOST_RESULT, 2: Conduct.WRONG_AUDIT, 3: Conduct.SILENT},
    {4: Conduct.LOST_RESULT},
    {1: Conduct.SILENT, 5: Conduct.WRONG_AUDIT},
)


def test_slashed_stake_goes_to_the_right_votes_to_the_wei(play: Play, people: People) -> None:
    market, escrow = play.market, play.market.escrow
    for failing in FAILING:
        vote_round(play, failing)
    slasher = people.buyers[2]
    before = balance(market.escrow)
    receipt = play.slash(*play.offences(), sender=slasher)
    assert look(escrow.credit, ETHER, slasher) == 0, "who slashes gains nothing"
    pot = sum(PENALTIES[conduct] for failing in FAILING for conduct in failing.values())
    amounts = [each["amount"] for each in events(receipt, market.pool.NodeSlashed)]
    assert sum(amounts) == pot == balance(escrow) - before
    play.advance()
    assert (play.job.state, play.pots.slash_pot) == (JobState.SETTLED, pot)
    right = 3 * SEATS - 6
    assert play.pots.right_votes == right
    paid = claim_all(play)
    assert sum(slashed for _, slashed in paid.values()) == pot
    assert sum(amount for amount, _ in paid.values()) == PRICE * 3 // 10 == play.pots.cone_pot
    for seat in range(SEATS):
        votes = 3 - sum(seat in failing for failing in FAILING)
        amount, slashed = paid[play.node(seat)]
        assert amount == pytest.approx(PRICE * 3 // 10 * votes / right, abs=1)
        assert slashed == pytest.approx(pot * votes / right, abs=1)
    assert look(escrow.credit, ETHER, play.job.buyer) == 0


def test_a_vote_that_was_wrong_gets_nothing(play: Play) -> None:
    """Not even the slashed node's own stake comes back to it."""
    escrow = play.market.escrow
    wrong = {1: Conduct.LOST_RESULT, 2: Conduct.WRONG_AUDIT, 3: Conduct.SILENT}
    vote_round(play, wrong, metric_numerator=99)
    play.slash(*play.offences())
    play.advance()
    for seat in wrong:
        args = (play.job_id, seat, [(1, 1)])
        refused = refusal(escrow.NotRight, escrow.claimCone, *args, sender=play.node(seat))
        assert refused == {"round": 1, "miniRound": 1}
    assert set(claim_all(play)) == {play.node(seat) for seat in range(SEATS) if seat not in wrong}
    assert [look(escrow.credit, ETHER, play.node(seat)) for seat in wrong] == [0, 0, 0]


def test_where_no_vote_was_right_the_stake_is_the_buyers(play: Play) -> None:
    """All agree on a result that none of them has computed: every audit word is wrong."""
    market = play.market
    everybody = dict.fromkeys(range(SEATS), Conduct.WRONG_AUDIT)
    vote_round(play, everybody, metric_numerator=99)
    assert (play.job.state, play.job.right_votes) == (JobState.JUDGING, 0)
    play.slash(*play.offences())
    play.advance()
    pot = SEATS * STAKE // 4
    assert play.pots.slash_pot == play.pots.cone_pot == 0
    cone = PRICE * 3 // 10
    assert look(market.escrow.credit, ETHER, play.job.buyer) == pot + cone
    assert look(market.pool.seatsAt, play.job.deadline) == 0, "and they have lost their seats"


def test_what_is_slashed_in_a_job_stays_in_it(
    market: Market, people: People, staffed: Market
) -> None:
    """Two jobs at once, each with its liar."""
    plays = [win(staffed, people, rules=EVERYBODY, buyer=buyer) for buyer in (0, 1)]
    for play, conduct in zip(plays, (Conduct.LOST_RESULT, Conduct.SILENT), strict=True):
        play.start()
        vote_round(play, {5: conduct}, metric_numerator=99)
        play.slash(Offence(1, 1, 5))
    assert [play.pots.slash_pot for play in plays] == [STAKE // 2, STAKE // 50]
    assert stake(plays[0], 5) == STAKE - STAKE // 2 - STAKE // 50
    for play in plays:
        play.advance()
        assert sum(slashed for _, slashed in claim_all(play).values()) == play.pots.slash_pot
