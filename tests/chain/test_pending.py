"""A node without a pending block, as EthereumJS and Besu: a relay before anvil stands for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from eth_account import Account

from offchain.chain.anvil import Anvil
from offchain.chain.artifacts import Artifact
from offchain.chain.client import Chain
from offchain.chain.deployment import Deployment
from offchain.chain.errors import NodeRefused
from offchain.chain.signer import KeySigner
from tests.chain.relay import Ask, relay

SAYINGS = (
    '"pending" is not yet supported',
    "pending block is not available",
    "Pending state unsupported",
    "pending block not found",
)


class NoPending:
    """Refuses what is asked about the pending block, but an account's count."""

    def __init__(self, saying: str) -> None:
        self.saying = saying
        self.refused = 0

    def __call__(self, ask: Ask, method: str, params: list[Any]) -> dict[str, Any]:
        if "pending" in params and method != "eth_getTransactionCount":
            self.refused += 1
            return {"jsonrpc": "2.0", "error": {"code": -32602, "message": self.saying}}
        return ask(method, params)


@pytest.fixture
def party(
    node: Anvil, artifacts: dict[str, Artifact], deployment: Deployment
) -> Iterator[Callable[[NoPending], Chain]]:
    relays: list[Any] = []

    def connect(answers: NoPending) -> Chain:
        relays.append(relay(node.url, answers))
        signer = KeySigner(Account.from_key(node.keys[0]))
        return Chain(relays[-1].__enter__(), deployment, artifacts, signer, poll_seconds=0.02)

    yield connect
    for each in relays:
        each.__exit__(None, None, None)


@pytest.mark.parametrize("saying", SAYINGS)
def test_the_latest_block_is_asked_for_instead(
    party: Callable[[NoPending], Chain], saying: str
) -> None:
    answers = NoPending(saying)
    chain = party(answers)
    probe = chain.contract("Probe").functions
    before = chain.call(probe.total(), block="pending")
    chain.send(probe.add(1, 5))
    assert chain.call(probe.total(), block="pending") == before + 5
    assert chain.call_many([probe.total(), probe.owner()], block="pending")[0] == before + 5
    assert answers.refused == 1  # and is not asked again


def test_several_questions_at_once_are_asked_again(party: Callable[[NoPending], Chain]) -> None:
    answers = NoPending(SAYINGS[0])
    chain = party(answers)
    probe = chain.contract("Probe").functions
    total, owner = chain.call_many([probe.total(), probe.owner()], block="pending")
    assert (total, owner) == (chain.call(probe.total()), chain.address)


def test_other_refusals_stay_refusals(party: Callable[[NoPending], Chain]) -> None:
    chain = party(NoPending("too many pending requests"))
    with pytest.raises(NodeRefused, match="too many pending requests"):
        chain.call(chain.contract("Probe").functions.total(), block="pending")
