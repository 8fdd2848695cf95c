"""The simulated vote against one played node by node, and its table."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace
from math import comb
from pathlib import Path

import numpy as np
import pytest

from d2m.protocol.likelihood import Pool, is_accepted
from experiments.studies.yoda import (
    STRATEGIES,
    Digest,
    Oracle,
    Outcomes,
    Role,
    Setting,
    exact_oracle,
    shuffled,
    simulate,
    states,
)
from experiments.studies.yoda_table import Row, Table, pages

ERROR_PPM = 1000
BASE = 4
SEED = 5
ROUNDS = 300
TRUE, WRONG, OTHER = b"true", b"wrong", b"other"
NAMES = {TRUE: Digest.TRUE, WRONG: Digest.WRONG, OTHER: Digest.OTHER_WRONG}


def run(setting: Setting, rounds: int = ROUNDS) -> Outcomes:
    oracle = exact_oracle(setting.pool, ERROR_PPM)
    return simulate(setting, oracle, rounds, np.random.default_rng(SEED))


def vote(role: Role, strategy: str, revealed: Counter[bytes]) -> bytes | None:
    """What one node votes for, given what earlier mini-rounds have revealed."""
    if role is Role.HONEST:
        return TRUE
    if strategy == "silent":
        return None
    if strategy == "splitting" and role is Role.SECOND:
        return OTHER
    if strategy == "joining" and revealed[TRUE] > revealed[WRONG]:
        return TRUE
    return WRONG


def naive_draw(setting: Setting, nodes: list[int]) -> tuple[Digest, int]:
    """The accepted digest and the nodes asked, one node at a time."""
    tally: Counter[bytes] = Counter()
    waiting, asked, further = list(nodes), 0, 1
    while waiting:
        chosen, waiting = waiting[: BASE + further], waiting[BASE + further :]
        further *= 2
        asked += len(chosen)
        votes = [vote(Role(node), setting.strategy, tally) for node in chosen]
        tally = tally + Counter(each for each in votes if each is not None)
        if is_accepted(setting.pool, tally, ERROR_PPM, silent=asked - tally.total()):
            return NAMES[tally.most_common(1)[0][0]], asked
    return Digest.UNDECIDED, asked


def naive(setting: Setting, rounds: int) -> list[tuple[Digest, int]]:
    """Every round by itself; those that need a second draw get it in their order."""
    random = np.random.default_rng(SEED)
    first = [naive_draw(setting, row) for row in shuffled(setting, rounds, random).tolist()]
    in_vain = [i for i, (digest, _) in enumerate(first) if digest is Digest.UNDECIDED]
    for i, row in zip(in_vain, shuffled(setting, len(in_vain), random).tolist(), strict=True):
        digest, asked = naive_draw(setting, row)
        first[i] = digest, first[i][1] + asked
    return first


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("pool", "liars_bps"),
    [
        (Pool(10, 3000), 3000),
        (Pool(20, 4000), 4000),
        (Pool(50, 3000), 3000),
        # More than the pool tolerates: wrong results, redraws, undecided rounds.
        (Pool(10, 3000), 5000),
    ],
)
def test_a_round_ends_as_when_played_node_by_node(
    pool: Pool, liars_bps: int, strategy: str
) -> None:
    setting = Setting(pool, BASE, liars_bps, strategy)
    found = run(setting)
    expected = naive(setting, ROUNDS)
    assert list(zip(found.digest.tolist(), found.asked.tolist(), strict=True)) == expected


def test_too_many_liars_make_wrong_and_undecided_rounds() -> None:
    """So that the comparison above has seen them, each after two draws of the whole pool."""
    found = run(Setting(Pool(10, 3000), BASE, 5000, "colluding"))
    undecided = found.digest == Digest.UNDECIDED
    assert 0 < undecided.sum() < ROUNDS
    assert set(found.asked[undecided]) == {20}
    assert (found.digest == Digest.WRONG).any()


def test_every_pool_has_its_liars_in_two_camps() -> None:
    rows = shuffled(Setting(Pool(10, 3000), BASE, 3000, "splitting"), 50, np.random.default_rng(0))
    assert {tuple(np.bincount(row)) for row in rows} == {(7, 2, 1)}
    assert len(np.unique(rows, axis=0)) > 1


def test_the_mean_number_asked_is_the_hypergeometric_one() -> None:
    """Of 10 with 3 liars, 5 are asked; four true votes make certain, else all 10 are asked."""
    rounds = 5000
    at_once = (comb(7, 5) + comb(7, 4) * 3) / comb(10, 5)
    deviation = 5 * (at_once * (1 - at_once) / rounds) ** 0.5
    asked = run(Setting(Pool(10, 3000), BASE, 3000, "colluding"), rounds).asked
    assert set(asked) == {5, 10}
    assert abs(asked.mean() - (5 * at_once + 10 * (1 - at_once))) < 4 * deviation


def test_who_was_asked_in_vain_counts_for_the_runner_up() -> None:
    tallies = np.array([[1, 5, 3], [4, 0, 4], [0, 6, 0], [0, 0, 0]])
    assert states(tallies, 9).tolist() == [[9, 5, 3], [9, 4, 5], [9, 6, 3], [9, 0, 9]]


def test_no_tally_is_decided_twice() -> None:
    seen: list[tuple[int, int, int]] = []

    def decide(states: list[tuple[int, int, int]]) -> list[bool]:
        seen.extend(states)
        return [leader > 4 for _, leader, _ in states]

    pool = Pool(10, 4000)
    oracle = Oracle(pool.seats, decide)
    for seed in (1, 2):
        setting = Setting(pool, BASE, 4000, "splitting")
        simulate(setting, oracle, ROUNDS, np.random.default_rng(seed))
    assert len(seen) == len(set(seen)) > 3


def row(wrong: int = 0, undecided: int = 0, asked: float = 10.0) -> Row:
    setting = Setting(Pool(10, 3000), BASE, 3000, "silent")
    return Row(setting, ERROR_PPM, 10_000, wrong, undecided, asked, 10.0)


def test_a_row_counts_its_outcomes() -> None:
    digest = np.array([Digest.TRUE, Digest.WRONG, Digest.OTHER_WRONG, Digest.UNDECIDED])
    contract, exact = (Outcomes(digest, np.array(asked)) for asked in ([5, 5, 10, 20], [5] * 4))
    found = Row.of(row().setting, ERROR_PPM, contract, exact)
    assert (found.rounds, found.wrong, found.undecided) == (4, 2, 1)
    assert (found.asked, found.asked_exactly, found.ratio) == (10, 5, 2)


def test_the_bound_of_a_chance_never_seen() -> None:
    """(1 - p)^n = 5 %."""
    assert row().wrong_bound == pytest.approx(1 - 0.05 ** (1 / 10_000))
    assert row(wrong=3).wrong_bound > 3 / 10_000


def test_what_holds() -> None:
    assert all(each.holds for each in [row(), row(wrong=10), row(asked=10.4), row(asked=9.6)])
    failing = [row(wrong=11), row(undecided=1), row(asked=10.6), row(asked=9.4)]
    assert not any(each.holds for each in failing)


def test_the_table_is_written_and_the_same_each_time(tmp_path: Path) -> None:
    honest = replace(row(), setting=replace(row().setting, liars_bps=0))
    table = Table([honest, row(wrong=2)], 7, 1, "make it")
    for folder in ("once", "again"):
        (tmp_path / folder).mkdir()
        pages(json.loads(json.dumps(table.facts())), tmp_path / folder)
    names = ["yoda.csv", "yoda.md", "yoda.svg"]
    once, again = ([(tmp_path / f / n).read_text() for n in names] for f in ("once", "again"))
    assert once == again
    with (tmp_path / "once" / "yoda.csv").open() as file:
        read = list(csv.DictReader(file))
    assert [(line["strategy"], line["true share"], line["wrong"]) for line in read] == [
        ("none", "0.0", "0"),
        ("silent", "0.3", "2"),
    ]
    assert "Wrong results: 2 in all; at most 2 in a setting, 2.0e-04 of its rounds" in once[1]
    assert "7; decided otherwise by the contract than by exact rationals: 1" in once[1]
