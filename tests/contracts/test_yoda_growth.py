"""A vote that takes several mini-rounds: growing sets, the redraw, and giving up."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from eth_utils.crypto import keccak

from d2m.protocol.sortition import asked_after
from d2m.protocol.types import Conduct, JobState, Phase, Verdict
from tests.support.evm import event, events, look
from tests.support.play import RULES, Market, People, Play, tally, win

QUICK = RULES._replace(base=1, commit_blocks=5, reveal_blocks=5)
SEATS = 12
NO_VERDICT = Verdict(bytes(32), bytes(32), 0, 0, 0, 0)
SIZES = [2, 3, 5, 2]  # 1 + 2^(i-1), the last one all that is left of 12


@pytest.fixture
def play(staffed: Market, people: People) -> Play:
    """The first mini-round of a vote with growing sets waits for its seed."""
    play = win(staffed, people, rules=QUICK)
    play.start()
    play.collect()
    return play


def leader(play: Play) -> bytes:
    return bytes(look(play.market.yoda.leaderOf, play.job_id))


def split(seat: int) -> bytes:
    """Everybody something else: nothing can be accepted."""
    return keccak(bytes([seat]))


def play_draw(play: Play, choose: Callable[[int], bytes | None]) -> list[list[int]]:
    """The execution sets of one draw in which nothing is accepted."""
    sets, draw = [], play.poll.first_mini_round
    while play.poll.first_mini_round == draw and play.poll.phase is Phase.SEEDING:
        chosen: list[int] = []
        play.mini_round(lambda seat, chosen=chosen: (chosen.append(seat), choose(seat))[1])
        sets.append(chosen)
    return sets


def test_sets_grow_until_every_seat_was_asked_once(play: Play) -> None:
    sets = play_draw(play, split)
    assert [len(each) for each in sets] == SIZES
    assert sorted(seat for each in sets for seat in each) == list(range(SEATS))
    asked = 0
    for mini_round, size in enumerate(SIZES, start=1):
        after = asked_after(QUICK.base, mini_round, SEATS)
        assert after - asked == size
        asked = after


def test_a_round_is_drawn_again_once_and_then_given_up(play: Play) -> None:
    market = play.market
    first = play_draw(play, split)
    poll = play.poll
    assert (poll.first_mini_round, poll.mini_round) == (5, 5)
    assert (poll.asked, poll.votes, poll.leader_votes, poll.runner_up_votes) == (0, 0, 0, 0)
    assert leader(play) == bytes(32)
    first_seed = bytes(look(market.yoda.roundSeedOf, play.job_id, 1))
    second = play_draw(play, split)
    assert [len(each) for each in second] == SIZES
    assert sorted(seat for each in second for seat in each) == list(range(SEATS))
    assert first != second, "the redraw ranks the pool anew"
    assert play.poll.phase is Phase.UNDECIDED
    assert play.job.state is JobState.FAILED
    assert play.draw_seed != first_seed
    unchanged = bytes(look(market.yoda.roundSeedOf, play.job_id, 1))
    assert unchanged == first_seed, "the computation's randomness is the first draw's"
    assert play.verdict(1) == NO_VERDICT


def test_silence_is_drawn_again_once_and_then_given_up(play: Play) -> None:
    for _ in range(2):
        sets = play_draw(play, lambda seat: None)
        assert [len(each) for each in sets] == SIZES
    assert play.poll.phase is Phase.UNDECIDED
    assert play.job.state is JobState.FAILED


def test_mini_rounds_have_seeds_of_their_own(play: Play) -> None:
    firsts, seeds = set(), set()
    for _ in SIZES:
        opened = event(play.begin_mini_round(), play.market.yoda.MiniRoundOpened)
        firsts.add(opened["firstMiniRound"])
        seeds.add(bytes(opened["seed"]))
        play.advance_in_silence()
    assert (firsts, len(seeds)) == ({1}, len(SIZES)), "one seed ranks, each enters its audit words"


def test_votes_add_up_across_mini_rounds(play: Play) -> None:
    """Two liars come first; the truth overtakes them later."""
    yoda, true = play.market.yoda, play.result().digest
    liars = lie_in_the_first_set(play)
    tallies = []
    while play.poll.phase is Phase.SEEDING:
        receipt = play.mini_round(lambda seat: true)
        tallies.append(tally(receipt, yoda))
    assert [(t.votes, t.leader_votes, t.runner_up_votes) for t in tallies] == [
        (5, 3, 2),
        (10, 8, 2),
    ]
    assert [t.leader for t in tallies] == [true, true]
    assert [t.accepted for t in tallies] == [False, True]
    assert play.verdict(1) == NO_VERDICT._replace(digest=true, last_mini_round=3)
    play.open(play.result())
    verdict = play.verdict(1)
    assert (verdict.right_votes, verdict.offences) == (8, 2)
    right = [seat for seat in play.voters() if play.right_votes(seat)]
    assert len(right) == 8
    assert not liars & set(right)


def lie_in_the_first_set(play: Play) -> set[int]:
    """The first mini-round, everybody in it lying alike."""
    asked: set[int] = set()
    play.mini_round(lambda seat: (asked.add(seat), keccak(b"lie"))[1])
    return asked


def test_votes_of_the_first_draw_do_not_count_in_the_second(play: Play) -> None:
    """For the test they do not; as votes that were right or wrong they do."""
    result = play.result()
    true = result.digest
    play_draw(play, lambda seat: true if play.poll.mini_round == len(SIZES) else split(seat))
    early = [each for each in play.cast if each.result == true]
    assert len(early) == 2
    assert (play.poll.votes, leader(play)) == (0, bytes(32))
    play.mini_round(lambda seat: true)
    assert play.poll.leader_votes == 2, "its own two; the two of the first draw are not among them"
    while play.poll.phase is Phase.SEEDING:
        play.mini_round(lambda seat: true)
    play.open(result)
    verdict = play.verdict(1)
    assert (verdict.digest, verdict.redrawn_at) == (true, 5)
    late = [each for each in play.cast if each.mini_round >= 5]
    assert (verdict.right_votes, verdict.offences) == (len(early) + len(late), SEATS - len(early))
    for cast in play.cast:
        expected = Conduct.RIGHT if cast.result == true else Conduct.LOST_RESULT
        assert play.conduct(1, cast.mini_round, cast.seat) is expected
    assert len(play.offences()) == verdict.offences


def test_every_round_votes_anew(play: Play) -> None:
    yoda = play.market.yoda
    result = play.result()
    play.decide(result.digest)
    first = play.draw_seed
    play.open(result)
    play.collect()
    poll = play.poll
    assert (poll.round, poll.mini_round, poll.first_mini_round) == (2, 1, 1)
    assert (poll.asked, poll.votes, leader(play)) == (0, 0, bytes(32))
    opened = event(play.begin_mini_round(), yoda.MiniRoundOpened)
    assert (opened["round"], opened["asked"]) == (2, 2)
    assert bytes(opened["seed"]) != first
    assert not events(play.advance_in_silence(), play.market.jobs.JobFailed)
