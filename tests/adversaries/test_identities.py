"""Many identities, late ones, and ones that change between two steps."""

from __future__ import annotations

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from d2m.protocol.constants import UNBONDING_BLOCKS
from d2m.protocol.types import Conduct, JobState, Node
from tests.adversaries.moves import LIE, all_true, cast, decide_honestly, pay_out
from tests.support.bidding import Bidding
from tests.support.evm import events, look, one_block, queue, refusal, send, simulate
from tests.support.play import (
    BOND,
    CID,
    KEY,
    RULES,
    STAKE,
    TAG,
    TERMS,
    Market,
    People,
    Play,
    win,
)
from tests.support.refusals import commit_is_refused
from tests.support.wealth import Ledger

UNBONDING = UNBONDING_BLOCKS
SEEDS = 20_000
LATECOMERS = 8


def first_sample(seed: bytes, sellers: int, draws: int) -> list[int]:
    """The sellers drawn for round 1, repeats included, as docs/protocol.md says."""
    words = [keccak(encode(["bytes32", "uint256"], [seed, k])) for k in range(draws)]
    return [int.from_bytes(word, "big") % sellers for word in words]


def test_who_registers_in_the_closing_block_is_in_no_draw(staffed: Market, people: People) -> None:
    """Having seen who wins, somebody makes an offer and takes a seat in the block of the closing,
    before it: neither is in the job, and both wait for later ones."""
    bidding = Bidding.open(staffed, people, TERMS)
    bidding.bid(people.buyers[0], 10_000)
    bidding.end_bids()
    late = people.buyers[1]
    with one_block() as hashes:
        queue(hashes, staffed.registry.offer, [TAG], CID, KEY, sender=late, value=BOND)
        queue(hashes, staffed.pool.join, KEY, sender=late, value=STAKE)
        args = (bidding.auction_id, bidding.wanted)
        queue(hashes, staffed.auction_house.close, *args, sender=people.stranger)
    play = Play(staffed, people, bidding.auction.job_id)
    play.start()
    assert late.address not in look(staffed.jobs.offersOf, play.job_id)[1]
    assert play.frozen.seats == len(people.nodes)
    seat = Node(*look(staffed.pool.nodeOf, late.address)).seat
    assert seat == len(people.nodes)
    play.collect()
    play.begin_mini_round()
    commit_is_refused(play, staffed.yoda.NotYourSeat, seat, sender=late)


def test_many_offers_are_drawn_by_their_share_of_the_bonds(staffed: Market, people: People) -> None:
    """A seller with one set of data makes as many offers as all others together before the closing:
    it is drawn as often as its share of the bonds, one half, and has paid for each."""
    crowder = people.buyers[1]
    for _ in range(LATECOMERS):
        send(staffed.registry.offer, [TAG], CID, KEY, sender=crowder, value=BOND)
    play = win(staffed, people)
    play.start()
    sellers = look(staffed.jobs.offersOf, play.job_id)[1]
    own = [index for index, seller in enumerate(sellers) if seller == crowder.address]
    drawn = first_sample(play.job.sample_seed, len(sellers), RULES.sample_size)
    assert play.job.sample == sum(1 << index for index in set(drawn))
    assert len(own) / len(sellers) == 1 / 2
    draws = [i for n in range(SEEDS) for i in first_sample(keccak(n.to_bytes(4)), len(sellers), 4)]
    share = sum(index in own for index in draws) / len(draws)
    assert abs(share - 1 / 2) < 4 * (1 / 4 / len(draws)) ** 0.5
    ledger = Ledger.open(staffed, [crowder])
    assert ledger.gain(crowder) == 0


def test_a_seat_given_up_between_commit_and_reveal_gives_its_vote_to_nobody(
    deciding: Play,
) -> None:
    """A node commits and leaves; another one moves to its seat and wants its vote: the vote stays
    with the node that committed, which must reveal it, and its stake stays bound."""
    play, market = deciding, deciding.market
    true = play.result(metric_numerator=99)
    play.begin_mini_round()
    leaver = play.seats_asked()[0]
    node, votes = play.node(leaver), all_true(play, true)
    for seat, vote in votes.items():
        play.commit(seat, vote)
    send(market.pool.leave, sender=node)
    heir = look(market.pool.nodeAt, leaver, Node(*look(market.pool.nodeOf, node)).exit_block)
    assert heir != node
    args = (play.job_id, play.position(leaver), *votes[leaver])
    refusal(market.yoda.CommitmentMismatch, market.yoda.reveal, *args, sender=heir)
    for seat, vote in votes.items():
        play.reveal(seat, vote)
    play.advance()
    withdraw = (market.pool.withdrawStake, node)
    unlocked = Node(*look(market.pool.nodeOf, node)).exit_block + UNBONDING
    refusal(market.pool.StakeBound, *withdraw, sender=node, at=unlocked)


def test_leaving_and_joining_again_dodges_no_slash(deciding: Play) -> None:
    """A liar leaves before its round is judged, comes back for another seat, and leaves again: half
    its stake is taken all the same, and the new seat with it."""
    play, pool = deciding, deciding.market.pool
    true = play.result(metric_numerator=99)
    play.begin_mini_round()
    asked = play.seats_asked()
    node = play.node(asked[0])
    ledger = Ledger.open(play.market, [node])
    cast(play, all_true(play, true) | {asked[0]: play.vote_for(LIE)})
    send(pool.leave, sender=node)
    send(pool.join, KEY, sender=node)
    decide_honestly(play, true)
    play.open(true)
    receipt = play.slash(*play.offences())
    assert len(events(receipt, pool.NodeLeft)) == 1
    pay_out(play)
    assert ledger.gain(node) == -STAKE // 2
    assert refusal(pool.WrongStake, pool.join, KEY, sender=node) == {"required": STAKE // 2}


def test_no_stake_is_withdrawn_before_the_judgement(deciding: Play) -> None:
    """A liar leaves at once and waits out the day of unbonding while the job still runs: it cannot
    withdraw before it has been judged, and then gets the half that is left."""
    play, pool = deciding, deciding.market.pool
    true = play.result(metric_numerator=99)
    play.begin_mini_round()
    asked = play.seats_asked()
    node = play.node(asked[0])
    cast(play, all_true(play, true) | {asked[0]: play.vote_for(LIE)})
    unlocked = send(pool.leave, sender=node).block + UNBONDING
    decide_honestly(play, true)
    bound = (pool.StakeBound, pool.withdrawStake, node)
    refusal(*bound, sender=node, at=unlocked)
    play.open(true)
    assert play.job.state is JobState.JUDGING
    refusal(*bound, sender=node, at=unlocked)
    assert play.conduct(1, 1, asked[0]) is Conduct.LOST_RESULT
    pay_out(play)
    refusal(*bound, sender=node, at=unlocked - 1)
    simulate(pool.withdrawStake, node, sender=node, at=unlocked)
    assert Node(*look(pool.nodeOf, node)).stake == STAKE // 2
