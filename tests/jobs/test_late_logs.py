"""A chain's node whose logs lag behind its state: a relay before anvil stands for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from d2m.chain.client import Chain
from d2m.chain.contracts.market import Market
from d2m.chain.errors import LogsUnready
from d2m.parties.health import REMEDIES, kind_of
from d2m.protocol.types import JobState
from tests.support.relay import Ask, relay
from tests.support.turns import EVERYBODY, SELLING
from tests.support.world import World, artifacts, world

POSTED = keccak(text="UpdatePosted(uint256,uint32,uint256,address,bytes32,bytes)").hex()


class LateLogs:
    """Leaves the latest update out of its logs as long as it is late."""

    is_late = True

    def __call__(self, ask: Ask, method: str, params: list[Any]) -> dict[str, Any]:
        answer = ask(method, params)
        if method != "eth_getLogs" or not self.is_late:
            return answer
        logs = answer["result"]
        updates = [log for log in logs if log["topics"][0] == f"0x{POSTED}"]
        return {**answer, "result": [log for log in logs if log not in updates[-1:]]}


def test_updates_that_the_logs_do_not_tell_of_yet_are_waited_for(tmp_path: Path) -> None:
    """With fewer than the others have a node would vote for another digest, and be slashed."""
    late = LateLogs()
    with world(tmp_path) as market, relay(market.anvil.url, late) as url:
        market.register()
        market.open(EVERYBODY)
        market.look_until(lambda: is_deciding(market), SELLING)
        inputs = market.node(0).inputs
        inputs.market = Market(Chain(url, market.deployment, artifacts(), market.signer(20)))
        with pytest.raises(LogsUnready, match=r"tell of \d updates in round 1 of job 1") as met:
            inputs._posted(1, 1)
        assert kind_of(met.value) == "logs"
        assert "logs" in REMEDIES
        late.is_late = False
        assert len(inputs._posted(1, 1)) == market.job().posted.bit_count()


def is_deciding(market: World) -> bool:
    return bool(market.contracts.jobs.count() and market.job().state == JobState.DECIDING)
