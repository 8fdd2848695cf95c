"""Votes copied from those who computed."""

from __future__ import annotations

from d2m.protocol.types import Conduct
from tests.adversaries.moves import LIE, MADE_UP, all_true, cast, decide_honestly, pay_out
from tests.support.evm import look, mine_past, refusal, rewound, send
from tests.support.play import STAKE, Play, Vote
from tests.support.wealth import Ledger


def undecided_first_mini_round(play: Play) -> None:
    """Three true votes against two lies: a second set is asked, and knows the true digest."""
    true = play.result(metric_numerator=99)
    play.begin_mini_round()
    asked = play.seats_asked()
    honest, lie = play.vote_for(true.digest), play.vote_for(LIE)
    cast(play, {seat: honest if i < 3 else lie for i, seat in enumerate(asked)})


def test_a_copied_commitment_opens_for_its_author_only(deciding: Play) -> None:
    """A node commits to what another one committed to and opens it with the words that the author
    reveals: it cannot, and loses what silence costs."""
    play, yoda = deciding, deciding.market.yoda
    true = play.result(metric_numerator=99)
    play.begin_mini_round()
    author, copier, *others = play.seats_asked()
    copied = play.ballot(play.node(author)).commitment(*play.vote_for(true.digest))
    ledger = Ledger.open(play.market, [play.node(copier)])
    send(yoda.commit, play.job_id, copier, copied, sender=play.node(copier))
    votes = {seat: play.vote_for(true.digest) for seat in (author, *others)}
    for seat, vote in votes.items():
        play.commit(seat, vote)
    play.reveal(author, votes[author])
    args = (play.job_id, play.position(copier), *votes[author])
    refusal(yoda.CommitmentMismatch, yoda.reveal, *args, sender=play.node(copier))
    for seat in others:
        play.reveal(seat, votes[seat])
    mine_past(play.poll.reveal_deadline)
    play.advance()
    play.open(true)
    assert play.conduct(1, 1, copier) is Conduct.SILENT
    pay_out(play)
    assert ledger.gain(play.node(copier)) == -look(play.market.pool.penaltyOf, Conduct.SILENT)


def test_a_copy_of_a_commitment_does_not_open_for_its_author_either(deciding: Play) -> None:
    """Law L9: two nodes agree that one commits a copy of what the other committed to, and the
    author opens both, so that one that computed nothing is paid: its vote stays unopened."""
    play, yoda = deciding, deciding.market.yoda
    true = play.result(metric_numerator=99)
    play.begin_mini_round()
    author, copier, *others = play.seats_asked()
    vote = play.vote_for(true.digest)
    copied = play.ballot(play.node(author)).commitment(*vote)
    ledger = Ledger.open(play.market, [play.node(copier)])
    for seat in (author, copier):
        send(yoda.commit, play.job_id, seat, copied, sender=play.node(seat))
    for seat in others:
        play.commit(seat, vote)
    args = (play.job_id, play.position(copier), *vote)
    refusal(yoda.CommitmentMismatch, yoda.reveal, *args, sender=play.node(author))
    for seat in (author, *others):
        play.reveal(seat, vote)
    mine_past(play.poll.reveal_deadline)
    play.advance()
    play.open(true)
    assert play.conduct(1, 1, author) is Conduct.RIGHT
    assert play.conduct(1, 1, copier) is Conduct.SILENT
    pay_out(play)
    assert ledger.gain(play.node(copier)) == -look(play.market.pool.penaltyOf, Conduct.SILENT)


def payoff(play: Play, copies: bool) -> int:
    """Wei that a node of the second set gains by computing, or by copying the digest."""
    true = play.result(metric_numerator=99)
    undecided_first_mini_round(play)
    play.begin_mini_round()
    votes = all_true(play, true)
    node = next(iter(votes))
    ledger = Ledger.open(play.market, [play.node(node)])
    if copies:
        votes[node] = Vote(true.digest, MADE_UP)
    cast(play, votes)
    decide_honestly(play, true)
    play.open(true)
    pay_out(play)
    return ledger.gain(play.node(node))


def test_copying_an_earlier_mini_rounds_digest_loses_a_quarter_of_the_stake(
    deciding: Play,
) -> None:
    """A node of mini-round 2 votes for the digest that mini-round 1 revealed without computing:
    its audit gives it away, and it is poorer by a quarter of its stake where honesty pays."""
    with rewound():
        honest = payoff(deciding, copies=False)
    deciding.cast.clear()
    copied = payoff(deciding, copies=True)
    assert copied == -STAKE // 4
    assert honest > 0


def test_copying_the_audit_of_an_earlier_mini_round_is_a_wrong_audit(deciding: Play) -> None:
    """A node of mini-round 2 repeats both words that mini-round 1 revealed: the audit belongs to
    another seed, and a quarter of the stake is lost."""
    play = deciding
    true = play.result(metric_numerator=99)
    undecided_first_mini_round(play)
    (_, _, _, result, audit) = play.cast[0]
    assert result == true.digest
    play.begin_mini_round()
    votes = all_true(play, true)
    copier = next(iter(votes))
    ledger = Ledger.open(play.market, [play.node(copier)])
    votes[copier] = Vote(result, audit)
    cast(play, votes)
    decide_honestly(play, true)
    play.open(true)
    assert play.conduct(1, 2, copier) is Conduct.WRONG_AUDIT
    pay_out(play)
    assert ledger.gain(play.node(copier)) == -STAKE // 4
