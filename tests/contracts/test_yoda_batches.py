"""Votes that nodes sign and anybody sends: EIP-712, ERC-1271, one stored word for a batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_utils.crypto import keccak

from d2m.protocol.types import Conduct, JobState
from tests.support.batches import Batch, account, message, sign
from tests.support.evm import (
    act,
    deploy,
    event,
    events,
    helper,
    look,
    mine_past,
    refusal,
    send,
    simulate,
)
from tests.support.play import KEY, RULES, STAKE, Market, People, Play, Vote, win
from tests.support.refusals import commit_is_refused, reveal_is_refused

TRUE, FALSE = keccak(b"true"), keccak(b"false")


@pytest.fixture
def batch(voting: Play, vote: Vote) -> Batch:
    """Everybody asked has signed a commitment to `vote`; a stranger has sent them all."""
    return Batch.send(voting, [sign(voting, seat, vote) for seat in voting.seats_asked()])


def would_commit(play: Play, *commits: Any) -> int:
    """How many of the commitments the contract would take."""
    args = (play.job_id, list(commits))
    answer = simulate(play.market.yoda.commitBatch, *args, sender=play.people.stranger)
    return int.from_bytes(answer, "big")


# Commitments


def test_a_stranger_commits_for_all_who_signed(batch: Batch) -> None:
    play, yoda = batch.play, batch.play.market.yoda
    committed = event(batch.receipt, yoda.BatchCommitted)
    assert (committed["jobId"], committed["round"], committed["miniRound"]) == (play.job_id, 1, 1)
    assert play.mini.committed == len(batch.entries) == RULES.base + 1
    assert not look(yoda.isCommitting, play.job_id), "the last commitment closes the window"
    assert look(yoda.isRevealing, play.job_id)


def test_nodes_sign_typed_data(voting: Play, vote: Vote) -> None:
    """The contract's hash is that of the standard's own library."""
    play, seat = voting, voting.seats_asked()[0]
    node = play.node(seat)
    signed = sign(play, seat, vote)
    found = look(play.market.yoda.commitHash, play.job_id, 1, 1, seat, signed.commitment)
    typed = message(play.ballot(node), seat, signed.commitment)
    assert bytes(found) == keccak(b"\x19" + typed.version + typed.header + typed.body)
    type_hash = keccak(
        b"Commit(uint256 jobId,uint32 round,uint16 miniRound,uint256 seat,bytes32 commitment)"
    )
    assert bytes(look(play.market.yoda.COMMIT_TYPEHASH)) == type_hash
    domain = look(play.market.yoda.eip712Domain)
    chain_id = play.ballot(node).chain_id
    assert domain[1:5] == ("D2M Yoda", "1", chain_id, play.market.yoda.address)


def test_what_does_not_fit_is_passed_over(voting: Play, vote: Vote, people: People) -> None:
    """Nobody can spoil a batch by slipping something into it."""
    play = voting
    own, fit, other, third, fourth = play.seats_asked()
    outside = play.seats_not_asked()[0]
    play.commit(own, vote)
    good = sign(play, fit, vote)
    unfit = [
        sign(play, own, vote),  # has committed itself
        sign(play, outside, vote),  # is not asked
        sign(play, other, vote, signer=people.stranger),
        sign(play, third, vote)._replace(commitment=KEY),
        sign(play, third, vote)._replace(signature=b""),
        sign(play, third, vote)._replace(signature=b"\xff" * 65),
        sign(play, third, vote)._replace(seat=fourth),  # another's seat
        sign(play, third, vote)._replace(seat=12),  # nobody's
        sign(play, third, vote)._replace(node=play.node(fourth)),
        sign(play, third, vote)._replace(node="0x" + "00" * 20, signature=b"\0" * 65),
        good,  # a second time
        sign(play, fit, play.vote_for(FALSE)),  # has committed before
    ]
    batch = Batch.send_some(play, [*unfit[:5], good, *unfit[5:]], [good])
    assert play.mini.committed == 2
    yoda = play.market.yoda
    for each in unfit:
        refusal(yoda.NothingTaken, yoda.commitBatch, play.job_id, [each], sender=people.stranger)
    mine_past(play.poll.commit_deadline)
    play.reveal(own, vote)
    batch.reveal({fit: vote})
    assert play.mini.revealed == 2


def test_an_empty_batch_is_refused(voting: Play, people: People) -> None:
    yoda = voting.market.yoda
    refusal(yoda.NothingTaken, yoda.commitBatch, voting.job_id, [], sender=people.stranger)


def test_batches_keep_the_windows(voting: Play, vote: Vote, people: People) -> None:
    play, yoda = voting, voting.market.yoda
    first, late, *_ = play.seats_asked()
    batch = Batch.send(play, [sign(play, first, vote)])
    asked = (play.job_id, batch.entries, [batch.opening(first, vote)])
    refusal(yoda.NotRevealing, yoda.revealBatch, *asked, sender=people.stranger)
    mine_past(play.poll.commit_deadline)
    commits = [sign(play, late, vote)]
    refusal(yoda.NotCommitting, yoda.commitBatch, play.job_id, commits, sender=people.stranger)
    mine_past(play.poll.reveal_deadline)
    refusal(yoda.NotRevealing, yoda.revealBatch, *asked, sender=people.stranger)


def test_nobody_commits_twice(voting: Play, vote: Vote) -> None:
    """Whichever comes first stands: the node's own transaction, or the batch that it signed."""
    play, yoda = voting, voting.market.yoda
    batched, own, *_ = play.seats_asked()
    lie = play.vote_for(FALSE)
    batch = Batch.send(play, [sign(play, batched, vote)])
    commit_is_refused(play, yoda.AlreadyCommitted, batched)
    play.commit(own, vote)
    assert would_commit(play, sign(play, own, lie), sign(play, play.seats_asked()[2], vote)) == 1
    mine_past(play.poll.commit_deadline)
    reveal_is_refused(play, yoda.CommitmentMismatch, batched, vote)  # it stands in the batch
    batch.reveal({batched: vote})
    play.reveal(own, vote)
    assert play.mini.revealed == 2


# Contracts as nodes


@pytest.fixture
def wallet(market: Market, people: People, staffed: Market) -> Any:
    """A node that is a contract and signs with a buyer's key."""
    owner = people.buyers[1]
    wallet = deploy(helper("Wallet"), owner, sender=people.deployer)
    act(wallet, market.pool.join, KEY, sender=owner, value=STAKE)
    return wallet


def test_a_contract_signs_by_erc_1271(wallet: Any, market: Market, people: People) -> None:
    play = win(market, people, rules=RULES._replace(base=12))
    play.start()
    play.collect()
    play.begin_mini_round()
    vote = play.vote_for(TRUE)
    seats = play.seats_asked()
    assert len(seats) == 13, "everybody is asked"
    seat = next(each for each in seats if play.node(each) == wallet.address)
    others = [sign(play, each, vote) for each in seats if each != seat]
    signed = sign(play, seat, vote, signer=people.buyers[1])
    bad = [
        sign(play, seat, vote, signer=people.stranger),  # answers with no magic value
        signed._replace(signature=b"\1"),  # reverts
        signed._replace(commitment=KEY),
    ]
    commits = [*others, *bad, signed]
    batch = Batch.send_some(play, commits, [*others, signed])
    batch.reveal(dict.fromkeys(seats, vote))
    play.advance()
    assert (play.job.state, play.poll.leader_votes) == (JobState.OPENING, 13)


def test_a_contract_without_erc_1271_commits_by_itself(
    market: Market, people: People, staffed: Market
) -> None:
    owner = people.buyers[1]
    mute = deploy(helper("Reentrant"), sender=people.deployer)
    act(mute, market.pool.join, KEY, sender=owner, value=STAKE)
    play = win(market, people, rules=RULES._replace(base=12))
    play.start()
    play.collect()
    play.begin_mini_round()
    vote = play.vote_for(TRUE)
    seat = next(each for each in play.seats_asked() if play.node(each) == mute.address)
    signed = sign(play, seat, vote, signer=owner)
    yoda = market.yoda
    refusal(yoda.NothingTaken, yoda.commitBatch, play.job_id, [signed], sender=owner)
    act(mute, yoda.commit, play.job_id, seat, signed.commitment, sender=owner)
    assert play.mini.committed == 1


def test_a_contract_that_burns_gas_spoils_no_batch(
    market: Market, people: People, staffed: Market
) -> None:
    """It could answer well while the sender tries the batch out, and burn later."""
    burner = deploy(helper("BurningWallet"), sender=people.deployer)
    act(burner, market.pool.join, KEY, sender=people.buyers[1], value=STAKE)
    play = win(market, people, rules=RULES._replace(base=12))
    play.start()
    play.collect()
    play.begin_mini_round()
    vote = play.vote_for(TRUE)
    seats = play.seats_asked()
    seat = next(each for each in seats if play.node(each) == burner.address)
    others = [sign(play, each, vote) for each in seats if each != seat]
    commits = [sign(play, seat, vote, signer=people.buyers[1]), *others]
    batch = Batch.send_some(play, commits, others)
    limit = look(market.yoda.SIGNATURE_GAS)
    assert limit < batch.receipt.gas < limit + 500_000


# Replay


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"chain_id": 1},
        {"yoda": "0x" + "11" * 20},
        {"job_id": 77},
        {"round": 2},
        {"mini_round": 2},
    ],
    ids=str,
)
def test_a_signature_is_bound_to_its_place(
    voting: Play, vote: Vote, elsewhere: dict[str, Any]
) -> None:
    play, seat = voting, voting.seats_asked()[0]
    here = play.ballot(play.node(seat))
    assert would_commit(play, sign(play, seat, vote, place=here)) == 1
    signed = sign(play, seat, vote, place=replace(here, **elsewhere))
    yoda, stranger = play.market.yoda, play.people.stranger
    refusal(yoda.NothingTaken, yoda.commitBatch, play.job_id, [signed], sender=stranger)


def test_what_was_signed_for_one_job_is_of_no_use_in_another(
    staffed: Market, people: People
) -> None:
    """Two jobs of the same pool, both of which ask every node in their first mini-round."""
    rules = RULES._replace(base=11, commit_blocks=50, reveal_blocks=50)
    plays = [win(staffed, people, rules=rules, buyer=buyer) for buyer in (0, 1)]
    for play in plays:
        play.start()
        play.collect()
        play.begin_mini_round()
    first, second = plays
    vote = first.vote_for(TRUE)
    commits = [sign(first, seat, vote) for seat in first.seats_asked()]
    batch = Batch.send(first, commits)
    yoda, stranger = staffed.yoda, people.stranger
    refusal(yoda.NothingTaken, yoda.commitBatch, second.job_id, commits, sender=stranger)
    for seat in second.seats_asked():
        second.commit(seat, second.vote_for(TRUE))
    openings = [batch.opening(0, vote)]
    asked = (second.job_id, batch.entries, openings)
    refusal(yoda.UnknownBatch, yoda.revealBatch, *asked, sender=stranger)
    assert batch.would_take(openings) == 1


def test_a_batch_ends_with_its_mini_round(staffed: Market, people: People) -> None:
    play = win(staffed, people, rules=RULES._replace(base=1))
    play.start()
    play.collect()
    play.begin_mini_round()
    seat = play.seats_asked()[0]
    vote = play.vote_for(TRUE)
    signed = sign(play, seat, vote)
    batch = Batch.send(play, [signed])
    opening = batch.opening(seat, vote)
    play.advance_in_silence()
    play.begin_mini_round()
    yoda = staffed.yoda
    refusal(yoda.NothingTaken, yoda.commitBatch, play.job_id, [signed], sender=people.stranger)
    mine_past(play.poll.commit_deadline)
    # Nobody has committed, so the mini-round may end; until it does, reveals are taken.
    asked = (play.job_id, batch.entries, [opening])
    refusal(yoda.UnknownBatch, yoda.revealBatch, *asked, sender=people.stranger)


# Reveals


def test_a_batch_is_opened_in_parts_by_anybody(batch: Batch, vote: Vote, people: People) -> None:
    play, yoda = batch.play, batch.play.market.yoda
    seats = play.seats_asked()
    receipt = batch.reveal(dict.fromkeys(seats[3:], vote), sender=people.buyers[0])
    revealed = events(receipt, yoda.Revealed)
    assert [each["node"] for each in revealed] == [play.node(seat) for seat in seats[3:]]
    assert revealed[0] == {
        "jobId": play.job_id,
        "round": 1,
        "miniRound": 1,
        "node": play.node(seats[3]),
        "result": vote.result,
        "audit": vote.audit,
    }
    assert play.mini.revealed == 2
    assert not look(yoda.isDue, play.job_id)
    again = [batch.opening(seat, vote) for seat in seats]
    assert batch.would_take(again) == 3, "what was opened before is passed over"
    batch.reveal(dict.fromkeys(seats[:3], vote))
    assert batch.would_take(again) == 0
    assert look(yoda.isDue, play.job_id)
    play.advance()
    assert (play.poll.votes, play.poll.leader_votes) == (5, 5)


def test_a_node_opens_its_entry_itself(batch: Batch, vote: Vote) -> None:
    """Whoever sent the batch may vanish: its event shows all that is needed."""
    play, seat = batch.play, batch.play.seats_asked()[2]
    batch.reveal({seat: vote}, sender=account(play, play.node(seat)))
    assert play.mini.has_revealed(play.position(seat))


def test_what_does_not_open_is_passed_over(batch: Batch, vote: Vote) -> None:
    play = batch.play
    seat, other = play.seats_asked()[:2]
    good = batch.opening(seat, vote)
    wrong = [
        good._replace(index=good.index + 1),
        good._replace(index=len(batch.entries)),
        good._replace(index=2**256 - 1),
        good._replace(node=play.node(other)),
        good._replace(position=play.position(other)),
        good._replace(position=2**256 - 1),
        good._replace(result=FALSE),
        good._replace(result=bytes(32)),
        good._replace(audit=FALSE),
        good._replace(salt=FALSE),
    ]
    assert batch.would_take(wrong) == 0
    assert batch.would_take([*wrong, good, good, *wrong]) == 1


def test_a_result_of_nothing_does_not_open(voting: Play, vote: Vote) -> None:
    play = voting
    seat = play.seats_asked()[0]
    nothing = vote._replace(result=bytes(32))
    batch = Batch.send(play, [sign(play, seat, nothing)])
    mine_past(play.poll.commit_deadline)
    assert batch.would_take([batch.opening(seat, nothing)]) == 0


def test_entries_are_those_of_the_event(batch: Batch, vote: Vote, people: People) -> None:
    play, yoda = batch.play, batch.play.market.yoda
    opening = batch.opening(play.seats_asked()[0], vote)
    for entries in ([], batch.entries[:-1], [*batch.entries, KEY], batch.entries[::-1]):
        asked = (play.job_id, list(entries), [opening])
        refusal(yoda.UnknownBatch, yoda.revealBatch, *asked, sender=people.stranger)


def test_batches_stand_beside_one_another_and_beside_single_votes(
    voting: Play, vote: Vote, people: People
) -> None:
    play = voting
    one, two, three, four, five = play.seats_asked()
    lie = play.vote_for(FALSE)
    first = Batch.send(play, [sign(play, one, vote), sign(play, two, lie)])
    play.commit(three, vote)
    second = Batch.send(play, [sign(play, four, vote), sign(play, five, vote)])
    first.reveal({two: lie})
    second.reveal({four: vote, five: vote})
    play.reveal(three, vote)
    first.reveal({one: vote})
    play.advance()
    assert (play.poll.votes, play.poll.leader_votes, play.poll.runner_up_votes) == (5, 4, 1)
    assert play.verdict(1).digest == TRUE


def test_a_vote_is_judged_alike_however_it_came(deciding: Play) -> None:
    play = deciding
    result = play.result()
    play.begin_mini_round()
    right, copied = play.vote_for(result.digest), Vote(result.digest, KEY)
    lie = play.vote_for(FALSE)
    one, two, three, four, five = play.seats_asked()
    votes = {one: right, two: copied, three: lie, four: right}
    batch = Batch.send(play, [sign(play, seat, vote) for seat, vote in votes.items()])
    play.commit(five, right)
    batch.reveal(votes)
    play.reveal(five, right)
    play.advance()
    play.open(result)
    conduct = {seat: play.conduct(1, 1, seat) for seat in play.seats_asked()}
    assert conduct == {
        one: Conduct.RIGHT,
        two: Conduct.WRONG_AUDIT,
        three: Conduct.LOST_RESULT,
        four: Conduct.RIGHT,
        five: Conduct.RIGHT,
    }


# Votes that are not one's own


def test_a_copied_commitment_cannot_be_opened_in_a_batch(voting: Play, vote: Vote) -> None:
    """Opening it as its author's would make the copier's vote right without any computation."""
    play = voting
    author, copier, *_ = play.seats_asked()
    original = sign(play, author, vote)
    copied = sign(play, copier, vote, commitment=original.commitment)
    batch = Batch.send(play, [original, copied])
    mine_past(play.poll.commit_deadline)
    batch.reveal({author: vote})
    as_copier = batch.opening(copier, vote)
    as_author = as_copier._replace(node=play.node(author))
    assert batch.would_take([as_copier, as_author]) == 0


def test_a_commitment_kept_for_later_takes_nobodys_place(staffed: Market, people: People) -> None:
    """Committed in one mini-round for the next, at the position of a node that votes by batch."""
    play = win(staffed, people, rules=RULES._replace(base=1))
    play.start()
    play.collect()
    play.begin_mini_round()
    thief, other = play.seats_asked()
    node, lie = play.node(thief), Vote(FALSE, FALSE)
    later = replace(play.ballot(node), mini_round=2).commitment(*lie)
    position = play.position(thief)
    send(staffed.yoda.commit, play.job_id, thief, later, sender=node)
    play.commit(other, play.vote_for(TRUE))
    play.reveal(other, play.vote_for(TRUE))
    play.advance_in_silence()
    play.begin_mini_round()
    vote = play.vote_for(TRUE)
    batch = Batch.send(play, [sign(play, seat, vote) for seat in play.seats_asked()])
    mismatch = staffed.yoda.CommitmentMismatch
    reveal_is_refused(play, mismatch, thief, lie, position=position)
    batch.reveal(dict.fromkeys(play.seats_asked(), vote))
    assert play.mini.revealed == len(batch.entries)
