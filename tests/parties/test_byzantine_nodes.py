"""Colluding and silent nodes among honest ones: outvoted, found out, slashed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from d2m.adversaries.cone import VOTERS
from d2m.learning.round import parse_sampler
from d2m.learning.updates import decode_model
from d2m.protocol.types import Conduct, JobState, Phase
from d2m.sealing.content import unseal_model
from d2m.store.cid import Cid
from tests.support import world as worlds
from tests.support.world import RULES, STAKE, World, world

NODES = (*["honest"] * 6, "colluding", "colluding", "silent")
ASKED = len(NODES) - 1
LIMIT = 1 << 16
"""Bytes: more than this small model has."""
ALL_AT_ONCE = RULES._replace(rounds=1, base=len(NODES) - 1)
"""A first execution set of base + 1: everybody is asked in the first mini-round."""


def is_settled(market: World) -> bool:
    """Whether the job is. What the silent node would make all wait for is mined."""
    if not market.contracts.jobs.count():
        return False
    view = market.contracts.situation(1)
    if view.poll.phase == Phase.VOTING and view.mini_round.committed == ASKED:
        market.mine_to(view.poll.commit_deadline)
        if view.mini_round.revealed == ASKED:
            market.mine_to(view.poll.reveal_deadline)
    return bool(view.job.state == JobState.SETTLED)


def test_colluders_agree_without_talking_and_lose_and_silence_costs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worlds, "NODES", NODES)
    with world(tmp_path) as market:
        market.register()
        market.open(ALL_AT_ONCE)
        market.look_until(lambda: is_settled(market))

        contracts, kinds = market.contracts, {}
        for number, kind in enumerate(NODES):
            kinds[market.signer(20 + number).address] = kind
        reveals = contracts.yoda.reveals_in_round(1, 1)
        votes = Counter((kinds[each["node"]], each["result"]) for each in reveals)
        accepted = contracts.yoda.verdict(1, 1).digest
        (lie,) = {digest for kind, digest in votes if kind == "colluding"}
        assert lie != accepted
        assert votes == {("honest", accepted): 6, ("colluding", lie): 2}
        slashed = [log["args"] for log in market.chain(0).logs("ConePool", "NodeSlashed")]
        punished = Counter(
            (kinds[each["node"]], Conduct(each["conduct"]), each["amount"]) for each in slashed
        )
        assert punished == {
            ("colluding", Conduct.LOST_RESULT, STAKE // 2): 2,
            ("silent", Conduct.SILENT, STAKE // 50): 1,
        }

        # Had the lie won, the next round would have found all that it starts from.
        rounds = market.rounds(20)
        vote = VOTERS["colluding"](rounds, 1, contracts.situation(1).poll)
        assert vote is not None
        assert vote.result is not None
        assert vote.result_word == lie
        model = market.store.get(Cid(vote.result.model_cid), limit=LIMIT)
        sampler = market.store.get(Cid(vote.result.sampler_cid), limit=LIMIT)
        plain = unseal_model(contracts.id, 1, 1, rounds.inputs.access(1), model)
        wrong = decode_model(plain, rounds.inputs.spec(1).model)
        assert (wrong != decode_model(rounds.inputs.model(1, 1), rounds.inputs.spec(1).model)).any()
        assert parse_sampler(sampler)[2] == rounds.inputs.state_before(1, 1).draws
