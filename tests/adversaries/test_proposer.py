"""The proposer of the block whose hash seeds a draw: it may throw the block away, or make many.

`BlockhashRandomness` on a local chain, whose blocks are undone and mined otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import comb

import numpy as np
import pytest

from d2m.protocol.likelihood import Pool
from d2m.protocol.sortition import execution_set
from d2m.protocol.types import Conduct, Phase
from experiments.studies.yoda import Digest, Setting, exact_oracle, play_draw, shuffled
from tests.adversaries.moves import LIE, all_true, cast, decide_honestly, pay_out
from tests.support.evm import height, rpc
from tests.support.play import (
    STAKE,
    Market,
    People,
    Play,
    deploy_market,
    join_nodes,
    register_sellers,
    win,
)
from tests.support.wealth import Ledger

SEATS, SET, COLLUDERS = 12, 5, 3
MAJORITY = 3
MOST_TRIES = 300
ROUNDS = 20_000
ERROR_PPM = 1000


@pytest.fixture(scope="module")
def hashed(people: People) -> Market:
    """The market with seeds from block hashes."""
    market = deploy_market(people.deployer, "BlockhashRandomness")
    register_sellers(market, people.sellers)
    join_nodes(market, people.nodes)
    return market


@pytest.fixture
def waiting(hashed: Market, people: People) -> Play:
    """The first mini-round waits for the block that is mined next."""
    play = win(hashed, people)
    play.start()
    play.collect()
    assert play.poll.seed_block == height() + 1
    return play


def first_sets(play: Play, tries: int) -> Iterator[list[int]]:
    """The first execution set that each of so many versions of the seeding block gives.

    The last version stays, unless the caller wants no other.
    """
    now = int(rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
    for attempt in range(1, tries + 1):
        snapshot = rpc("evm_snapshot")
        rpc("evm_mine", now + attempt)
        play.advance()
        yield play.seats_asked()
        if attempt < tries:
            assert rpc("evm_revert", snapshot)


def majority_chance() -> float:
    """That a draw gives the colluders the majority of the first set."""
    honest = SEATS - COLLUDERS
    drawn = range(MAJORITY, COLLUDERS + 1)
    return sum(comb(COLLUDERS, k) * comb(honest, SET - k) for k in drawn) / comb(SEATS, SET)


def test_a_block_withheld_is_one_more_draw_of_the_same_pool(waiting: Play) -> None:
    """A proposer sees the execution set that its block would draw, throws the block away and leaves
    the draw to the next version: the pool is the same, the set another, and not of its choosing."""
    play = waiting
    frozen = play.frozen
    first, second = first_sets(play, tries=2)
    assert first != second
    assert play.frozen == frozen
    assert second == execution_set(SEATS, 0, SET, play.draw_seed)
    once = majority_chance()
    assert once == pytest.approx(0.045, abs=0.001)
    assert 1 - (1 - once) ** 2 == pytest.approx(0.089, abs=0.001)


@pytest.mark.parametrize("pool", [Pool(20, 3000), Pool(50, 3000), Pool(50, 4000)], ids=str)
def test_the_better_of_two_draws_at_most_doubles_the_error(pool: Pool) -> None:
    """Colluders, as many as the job tolerates, whose proposer withholds one block whenever the draw
    would not let them win: their lie is accepted at most twice as often as the job tolerates."""
    setting = Setting(pool, 4, pool.byzantine_bps, "colluding")
    oracle, random = exact_oracle(pool, ERROR_PPM), np.random.default_rng(11)
    draws = [play_draw(setting, oracle, shuffled(setting, ROUNDS, random)) for _ in range(2)]
    wrong = [draw.digest == Digest.WRONG for draw in draws]
    best_of_two = int((wrong[0] | wrong[1]).sum())
    assert best_of_two <= 2 * ROUNDS * ERROR_PPM / 1_000_000
    assert best_of_two >= max(int(each.sum()) for each in wrong)


def test_a_majority_drawn_on_purpose_still_loses_its_stakes(waiting: Play) -> None:
    """A builder makes version after version of the seeding block, which costs it hashes only, until
    the colluders have the majority of the first set; the job tolerates that many liars, so their
    lie is not accepted on five votes, and each loses half its stake."""
    play = waiting
    colluders = set(range(COLLUDERS))
    sets = first_sets(play, MOST_TRIES)
    assert any(len(colluders & set(asked)) >= MAJORITY for asked in sets)
    true = play.result(metric_numerator=99)
    nodes = [play.node(seat) for seat in colluders]
    ledger = Ledger.open(play.market, nodes)
    cast(play, all_true(play, true) | dict.fromkeys(colluders, play.vote_for(LIE)))
    assert play.poll.phase is Phase.SEEDING
    decide_honestly(play, true)
    play.open(true)
    assert {play.conduct(1, 1, seat) for seat in colluders} == {Conduct.LOST_RESULT}
    pay_out(play)
    assert ledger.gain(*nodes) == -COLLUDERS * STAKE // 2


def test_with_enough_hashes_a_builder_picks_its_draw() -> None:
    """Known limit: a builder tries one draw with each version of the seeding block that it makes,
    and colluders as many as tolerated win with some. Nothing defends against it: the job's error
    bounds how rare such versions are, not how many the builder makes."""
    setting = Setting(Pool(50, 4000), 4, 4000, "colluding")
    oracle, random = exact_oracle(setting.pool, ERROR_PPM), np.random.default_rng(12)
    wrong = play_draw(setting, oracle, shuffled(setting, 5 * ROUNDS, random)).digest
    share = float((wrong == Digest.WRONG).mean())
    assert 0 < share <= ERROR_PPM / 1_000_000
