"""What values players, on games whose values are known, and one small market."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.studies import shapley
from experiments.studies.contributions import (
    Method,
    Played,
    earned,
    own_utility,
    play,
    score,
    totals,
)
from experiments.studies.contributions_table import (
    COPY,
    FREE_RIDER,
    ORIGINAL,
    Market,
    means,
    pages,
)
from experiments.studies.shapley import coalition

MIXED = Market("perceptron", "mixed")
ROUNDS = 3


def gloves(mask: int) -> int:
    """Player 0 has a left glove, 1 and 2 right ones; a pair is worth 6. Player 3 has nothing."""
    return 6 if mask & 1 and mask & 0b110 else 0


def test_exact_values_of_the_glove_game() -> None:
    assert shapley.exact(gloves, range(4)) == {0: 4, 1: 1, 2: 1, 3: 0}


def test_leaving_one_of_two_alike_out_is_worth_nothing() -> None:
    assert shapley.leave_one_out(gloves, range(4)) == {0: 6, 1: 0, 2: 0, 3: 0}


@pytest.fixture(scope="module")
def market() -> list[Played]:
    """Seed 1: the copy posts its original's very update, the free rider posts noise."""
    torch.set_num_threads(1)
    return list(play(MIXED, seed=1, rounds=ROUNDS))


@pytest.fixture(scope="module")
def idle() -> list[Played]:
    """Seed 2: the copy trains on its original's data, the free rider posts zeros."""
    torch.set_num_threads(1)
    return list(play(MIXED, seed=2, rounds=ROUNDS))


def shares(rounds: list[Played], method: Method) -> list[float]:
    found = totals([(p.owners, method(p.games)) for p in rounds])
    return [float(value / sum(found)) for value in found]


def shares_alone(rounds: list[Played], method: Method) -> list[float]:
    """The same where the copy is taken out of every round."""
    found = totals([(p.alone_owners, method(p.alone)) for p in rounds])
    return [float(value / sum(found)) for value in found]


def test_exact_values_share_the_gain_of_a_round(market: list[Played]) -> None:
    for played in market:
        games, players = played.games, played.games.round.players
        everybody = coalition(players)
        assert games.mean(everybody) == games.part(everybody)
        for game in (games.mean, games.part):
            assert sum(shapley.exact(game, players).values()) == game(everybody)


def test_who_posts_the_same_update_is_worth_the_same(market: list[Played]) -> None:
    both = [p for p in market if {ORIGINAL, COPY} <= set(p.owners)]
    assert both
    for played in both:
        pair = [played.owners.index(seller) for seller in (ORIGINAL, COPY)]
        for game in (played.games.mean, played.games.part):
            values = shapley.exact(game, played.games.round.players)
            assert values[pair[0]] == values[pair[1]]


def test_zeros_are_worth_nothing_as_a_part_of_the_mean(idle: list[Played]) -> None:
    kept = [p for p in idle if FREE_RIDER in p.owners]
    assert kept
    for played in kept:
        values = shapley.exact(played.games.part, played.games.round.players)
        assert values[played.owners.index(FREE_RIDER)] == 0


def test_gtg_shapley_comes_near_to_the_exact_values(market: list[Played]) -> None:
    """It shares the gain up to its truncation, and no value of the first round is far off."""
    games, players = market[0].games, market[0].games.round.players
    truth = shapley.exact(games.mean, players)
    found = shapley.gtg(games.mean, players, np.random.default_rng(0))
    gain = games.mean(coalition(players))
    assert abs(sum(found.values()) - gain) <= shapley.TRUNCATION
    assert max(abs(found[p] - truth[p]) for p in players) <= Fraction(gain, 10)


def test_gtg_shapley_asks_nothing_of_a_round_that_gains_nothing() -> None:
    asked: list[int] = []

    def idle_game(mask: int) -> int:
        asked.append(mask)
        return 0

    values = shapley.gtg(idle_game, range(5), np.random.default_rng(0))
    assert (values, asked) == (dict.fromkeys(range(5), 0), [0b11111])


def test_free_riders_earn_next_to_nothing(market: list[Played], idle: list[Played]) -> None:
    assert any(FREE_RIDER in p.owners for p in [*market, *idle])
    assert shares(market, earned)[FREE_RIDER] < 0.01
    assert shares(idle, earned)[FREE_RIDER] < 0.001


def test_a_seller_and_its_copy_earn_no_more_than_the_seller_alone(
    market: list[Played], idle: list[Played]
) -> None:
    """Over both markets: in a single one the copy's weight in the mean moves the model as well."""

    def pair_and_alone(method: Method) -> tuple[float, float]:
        whole = [shares(rounds, method) for rounds in (market, idle)]
        alone = [shares_alone(rounds, method)[ORIGINAL] for rounds in (market, idle)]
        return sum(s[ORIGINAL] + s[COPY] for s in whole), sum(alone)

    pair, alone = pair_and_alone(earned)
    assert pair <= alone
    pair, alone = pair_and_alone(own_utility)
    assert pair > 1.25 * alone, "what was paid before"


def test_the_table_is_written_and_the_same_each_time(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    scores = score(MIXED, seed=3, rounds=1)
    facts = {"command": "make it", "scores": [asdict(each) for each in scores]}
    for folder in ("once", "again"):
        (tmp_path / folder).mkdir()
        pages(facts, tmp_path / folder)
    names = ["contributions.md", "contributions.svg"]
    once, again = ([(tmp_path / f / n).read_text() for n in names] for f in ("once", "again"))
    assert once == again
    now = next(s for s in means(scores) if s.method == "earnings (now)")
    assert f"| earnings (now) | {now.spearman_mean:.2f} |" in once[0]
    kept = now.evaluations
    exact = next(s for s in scores if s.method == "exact Shapley, part")
    assert exact.evaluations == 2**kept - 2
