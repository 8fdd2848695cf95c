"""A node without a pending block, as EthereumJS and Besu: a relay before anvil stands for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from eth_account import Account

from d2m.chain.artifacts import Artifact
from d2m.chain.client import Chain
from d2m.chain.deployment.record import Deployment
from d2m.chain.errors import AskedTooOften, NodeRefused
from d2m.chain.signer import KeySigner
from d2m.clients.anvil import Anvil
from tests.support.relay import Ask, relay

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


def test_in_words_that_nobody_knows_it_is_asked_for_the_latest_each_time(
    party: Callable[[NoPending], Chain],
) -> None:
    answers = NoPending("Unable to resolve a header for the tag")
    chain = party(answers)
    probe = chain.contract("Probe").functions
    for _ in range(2):
        assert chain.call(probe.total(), block="pending") == chain.call(probe.total())
    assert answers.refused == 2  # it may have one later


def test_a_refusal_that_the_latest_block_shares_stays_a_refusal(
    party: Callable[[NoPending], Chain],
) -> None:
    class Closed(NoPending):
        def __call__(self, ask: Ask, method: str, params: list[Any]) -> dict[str, Any]:
            if method == "eth_call":
                return {"jsonrpc": "2.0", "error": {"code": -32601, "message": self.saying}}
            return ask(method, params)

    chain = party(Closed("the method eth_call does not exist"))
    with pytest.raises(NodeRefused, match="does not exist"):
        chain.call(chain.contract("Probe").functions.total(), block="pending")


def test_a_limit_says_nothing_about_the_pending_block(party: Callable[[NoPending], Chain]) -> None:
    answers = NoPending("too many pending requests")
    chain = party(answers)
    with pytest.raises(AskedTooOften, match="too many pending requests"):
        chain.call(chain.contract("Probe").functions.total(), block="pending")
