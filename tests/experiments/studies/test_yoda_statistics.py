"""The statistics' two tests, the contract's and the exact one, in miniature."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from d2m.protocol.likelihood import Pool
from experiments.studies.yoda import Oracle, exact_oracle, simulate
from experiments.studies.yoda_statistics import ERROR_PPM, contract_oracle, deploy_harness, settings

ROUNDS = 300


@pytest.fixture(scope="module")
def harness(people: object) -> Any:
    return deploy_harness()


@pytest.mark.parametrize("pool", [Pool(10, 3000), Pool(10, 4000), Pool(20, 4000)], ids=str)
def test_both_tests_end_every_round_alike(harness: Any, pool: Pool) -> None:
    contract, exact = contract_oracle(harness, pool, ERROR_PPM), exact_oracle(pool, ERROR_PPM)
    for setting in settings(pool):
        mine, other = (
            simulate(setting, oracle, ROUNDS, np.random.default_rng(3))
            for oracle in (contract, exact)
        )
        assert np.array_equal(mine.digest, other.digest), setting
        assert np.array_equal(mine.asked, other.asked), setting
    assert np.array_equal(contract.known, exact.known)
    assert {Oracle.UNKNOWN, 0, 1} == set(np.unique(contract.known))


def test_settings_stay_within_what_a_pool_tolerates() -> None:
    every = settings(Pool(50, 3000))
    assert [setting.liars for setting in every] == [0, *[5, 10, 15] * 4]
    assert len({setting.strategy for setting in every}) == 4
