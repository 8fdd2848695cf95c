"""What the CONE makes of a cell's rounds."""

from __future__ import annotations

import pytest

from experiments.paper.cells import Cell
from experiments.paper.votes import Outcome, outcomes


def lying(voting: str, share: int, **changes: object) -> Cell:
    return Cell(voting=voting, byzantine_nodes=share, **changes)  # type: ignore[arg-type]


def test_honest_nodes_agree_in_every_round():
    assert outcomes(Cell(rounds=20)) == [Outcome.TRUE] * 20


@pytest.mark.parametrize("voting", ["random", "stale", "colluding"])
@pytest.mark.parametrize("share", [2000, 3000, 4000])
def test_up_to_the_tolerated_share_no_lie_is_accepted(voting, share):
    assert outcomes(lying(voting, share, rounds=50)) == [Outcome.TRUE] * 50


def test_a_colluding_majority_is_believed_or_ends_the_job():
    found = outcomes(lying("colluding", 8000, rounds=50))
    assert Outcome.WRONG in found or found[-1] is Outcome.UNDECIDED
    assert Outcome.TRUE not in found


def test_silent_nodes_beyond_the_tolerated_share_end_the_job():
    assert outcomes(lying("silent", 6000, rounds=50)) == [Outcome.UNDECIDED]


def test_liars_that_all_say_different_things_never_win():
    assert Outcome.WRONG not in outcomes(lying("random", 8000, rounds=50))


def test_without_yoda_lies_are_accepted_as_often_as_liars_are_drawn():
    rounds = 2_000
    found = outcomes(lying("random", 3000, rounds=rounds, yoda=False))
    assert len(found) == rounds
    assert found.count(Outcome.WRONG) / rounds == pytest.approx(0.3, abs=0.05)


def test_the_same_seed_gives_the_same_votes_and_another_one_others():
    first = outcomes(lying("random", 3000, rounds=200, yoda=False))
    assert first == outcomes(lying("random", 3000, rounds=200, yoda=False))
    assert first != outcomes(lying("random", 3000, rounds=200, yoda=False, seed=2))
