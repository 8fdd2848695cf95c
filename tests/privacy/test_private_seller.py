"""A private seller in a real market: restarts cost nothing, and past its budget it sits out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from d2m.learning.updates import encode_update
from d2m.parties.seller.private import PrivateTraining
from d2m.privacy.accountant import spent_epsilon
from d2m.privacy.terms import KINDS, PER_EXAMPLE, PrivacyTerms
from d2m.protocol.types import JobState
from d2m.sealing.content import Post, seal_update
from d2m.store.fetch import content_hash
from tests.support import world as worlds
from tests.support.world import RULES, SELLERS, World, small_spec, world

EVERYBODY = RULES._replace(sample_size=256)
"""So many draws that no seller is left out."""
DELTA = 1e-5
OTHERS = len(SELLERS) - 1


def private(folder: Path, epsilon: float = 100.0, kind: str = PER_EXAMPLE) -> PrivateTraining:
    terms = PrivacyTerms(kind, clip=1.0, noise=1.0, epsilon=epsilon, delta=DELTA)
    return PrivateTraining(terms, folder, os.urandom)


def is_collecting(market: World) -> bool:
    return bool(market.contracts.jobs.count() and market.job().state == JobState.COLLECTING)


@pytest.fixture
def market_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(worlds, "RULES", EVERYBODY)
    with world(tmp_path) as market:
        market.register()
        market.open(EVERYBODY)
        market.look_until(lambda: is_collecting(market), ["buyer 1"])
        yield market


def test_killed_before_it_posted_a_seller_posts_the_recorded_answer(
    market_of_all: World, tmp_path: Path
) -> None:
    market = market_of_all
    for number, kind in enumerate(KINDS):
        own = tmp_path / f"own {kind}"
        market.trainings[number] = private(own, kind=kind)
        computed = market.seller(number).update(1, 1)

        market.trainings[number] = private(own, kind=kind)  # all that it knows is on disk
        seller = market.seller(number)
        seller.poll_jobs(seller.chain.block_number())
        index = market.contracts.jobs.offers(1).ids.index(number + 1)
        post, lock = Post(1, 1, seller.chain.address, index), seller.inputs.lock(1)
        plain, key = encode_update(computed), market.key(10 + number)
        sealed = seal_update(market.contracts.id, post, key, lock, plain)
        assert market.contracts.jobs.updates(1, 1)[index].content_hash == content_hash(sealed)
        assert len(market.trainings[number].ledger.releases()) == 1

        market.trainings[number] = private(tmp_path / f"other {kind}", kind=kind)
        assert (market.seller(number).update(1, 1) != computed).any()  # noise is fresh


def test_past_its_budget_a_seller_sits_out_and_the_job_goes_on(
    market_of_all: World, tmp_path: Path
) -> None:
    market = market_of_all
    cost = private(tmp_path).terms.cost(len(market.samples[0].labels), small_spec().training)
    once, twice = (spent_epsilon([cost] * rounds, DELTA) for rounds in (1, 2))
    market.trainings[0] = private(tmp_path / "own", epsilon=(once + twice) / 2)

    def is_settled() -> bool:
        job, silent = market.job(), any(line["event"] == "sits out" for line in logs)
        if silent and job.state == JobState.COLLECTING and job.posted.bit_count() == OTHERS:
            market.mine_to(job.deadline)  # what the silent seller makes all wait for
        return job.state == JobState.SETTLED

    with capture_logs() as logs:
        market.look_until(is_settled)
    index = market.contracts.jobs.offers(1).ids.index(1)
    assert market.job().accepted_rounds == 2
    assert index in market.contracts.jobs.updates(1, 1)
    assert index not in market.contracts.jobs.updates(1, 2)
    (refusal,) = [line for line in logs if line["event"] == "sits out"]
    assert (refusal["job"], refusal["round"]) == (1, 2)
    assert "past the budget" in refusal["why"]
    assert "\n" not in refusal["why"]
    assert market.trainings[0].ledger.spent(DELTA) == once
    spent = [line for line in logs if line["event"] == "privacy spent"]
    assert [line["epsilon"] for line in spent] == [round(once, 4)]
