"""Each refusal of a node has its own name and its own remedy, whichever client or provider says it.

The words were collected from clients' sources and public bug reports; geth's own are tried on geth
in tests/clients/test_geth_refusals.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from eth_account import Account

from d2m.chain.artifacts import Artifact
from d2m.chain.client import Chain
from d2m.chain.deployment.record import Deployment
from d2m.chain.errors import (
    AccessDenied,
    AlreadyKnown,
    AskedTooOften,
    BlockUnknown,
    ChainUnreachable,
    FeeCapped,
    HistoryForgotten,
    LogSpanTooWide,
    LogsUnready,
    NodeRefused,
    NonceTaken,
    NotEnoughEther,
    Underpriced,
)
from d2m.chain.provider import ATTEMPTS
from d2m.chain.refusals import refusal
from d2m.chain.signer import KeySigner
from d2m.clients.anvil import Anvil
from tests.support.relay import Ask, Reply, raw_relay, refused

WORDS: list[tuple[str, type[NodeRefused]]] = [
    # geth, reth, Erigon
    ("tx fee (1.20 ether) exceeds the configured cap (1.00 ether)", FeeCapped),
    ("insufficient funds for gas * price + value: balance 0, tx cost 1", NotEnoughEther),
    ("failed to process log index epoch 12: no common range", LogsUnready),
    ("block range extends beyond current head block", LogsUnready),
    ("transaction indexing is in progress", HistoryForgotten),
    ("pruned history unavailable", HistoryForgotten),
    ("missing trie node 8d0f… (path ) state 0x8d is not available", HistoryForgotten),
    ("header not found", BlockUnknown),
    ("already known", AlreadyKnown),
    ("nonce too low: next nonce 5, tx nonce 3", NonceTaken),
    ("replacement transaction underpriced", Underpriced),
    ("transaction underpriced: gas tip cap 1, minimum needed 25000000000", Underpriced),
    ("max fee per gas less than block base fee: maxFeePerGas: 1, baseFee: 7", Underpriced),
    ("exceed maximum block range 1000", LogSpanTooWide),
    # Nethermind
    ("InsufficientFunds, Account balance: 0, cumulative cost: 1", NotEnoughEther),
    ("OldNonce, Current nonce: 5, nonce of rejected tx: 3", NonceTaken),
    ("NonceGap, Future nonce. Expected nonce: 4", NonceTaken),
    ("AlreadyKnown", AlreadyKnown),
    ("FeeTooLow, MaxFeePerGas too low. MaxFeePerGas: 1", Underpriced),
    ("ReplacementNotAllowed", Underpriced),
    # Besu, EthereumJS, Parity's heirs
    ("Upfront cost exceeds account balance", NotEnoughEther),
    ("Known transaction", AlreadyKnown),
    ("Nonce too low", NonceTaken),
    ("Gas price below configured minimum gas price", Underpriced),
    ("sender doesn't have enough funds to send tx. The upfront cost is: 2", NotEnoughEther),
    ("Transaction with the same hash was already imported.", AlreadyKnown),
    # providers
    ("Your app has exceeded its compute units per second capacity.", AskedTooOften),
    ("project ID request rate exceeded: too many requests", AskedTooOften),
    ("daily request count exceeded, request rate limited", AskedTooOften),
    ("query returned more than 10000 results", LogSpanTooWide),
    ("eth_getLogs is limited to a 10,000 range", LogSpanTooWide),
    ("Must be authenticated!", AccessDenied),
    ("invalid project id", AccessDenied),
]  # fmt: skip


@pytest.mark.parametrize(("words", "kind"), WORDS)
def test_each_refusal_has_its_name_and_remedy(words: str, kind: type[NodeRefused]) -> None:
    error = refusal({"code": -32000, "message": words})
    assert type(error) is kind
    assert str(error).startswith(f"the node refused: {words}: ")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": 429, "message": "slow down"}, AskedTooOften),
        ({"code": -32005, "message": "no"}, AskedTooOften),
        ({"code": -32005, "message": "query returned more than 10000 results"}, LogSpanTooWide),
        ({"code": 4444, "message": "gone"}, HistoryForgotten),
        ({"code": -32000, "message": "Invalid", "data": "NonceGap"}, NonceTaken),
        ({"code": -32000, "message": "block gas limit exceeded"}, NodeRefused),
        ({"code": -32000}, NodeRefused),
        ("just no", NodeRefused),
    ],
)
def test_the_code_decides_where_the_words_do_not(error: Any, kind: type[NodeRefused]) -> None:
    assert type(refusal(error)) is kind


def test_a_page_of_words_is_one_line() -> None:
    told = str(refusal({"message": "a\nb" + "c" * 10_000}))
    assert "\n" not in told
    assert len(told) < 400


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempts are what is tested, not the pauses between them."""
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)


class Provider:
    """Replies as `odd` says to the methods in `to`, `times` times, and else as the node does."""

    def __init__(self, odd: Reply | None, to: str, times: int = 10**9) -> None:
        self.odd, self.to, self.left, self.asked = odd, to, times, 0

    def __call__(self, ask: Ask, asked: Any) -> Reply:
        several = asked if isinstance(asked, list) else [asked]
        if any(each["method"] == self.to for each in several):
            self.asked += 1
            if self.odd and self.left:
                self.left -= 1
                return self.odd
        told = [{**ask(each["method"], each["params"]), "id": each["id"]} for each in several]
        return 200, json.dumps(told if isinstance(asked, list) else told[0]).encode()


@pytest.fixture
def connect(
    node: Anvil, artifacts: dict[str, Artifact], deployment: Deployment
) -> Iterator[Callable[[Any], Chain]]:
    with ExitStack() as relays:

        def make(provider: Any) -> Chain:
            url = relays.enter_context(raw_relay(node.url, provider))
            signer = KeySigner(Account.from_key(node.keys[0]))
            return Chain(url, deployment, artifacts, signer, poll_seconds=0.02)

        yield make


LIMITED = [
    (200, json.dumps(refused("exceeded its throughput limit", 429)).encode()),
    (200, json.dumps(refused("limit exceeded", -32005)).encode()),
    (429, b"<html>slow down</html>"),
    (429, json.dumps(refused("compute units", 429)).encode()),
    (400, json.dumps(refused("rate limit", -32005)).encode()),
    (200, json.dumps(refused("failed to process log index epoch 3: gone")).encode()),
]


@pytest.mark.parametrize("limited", LIMITED)
def test_a_refusal_that_passes_is_asked_again(
    connect: Callable[[Any], Chain], limited: Reply
) -> None:
    provider = Provider(limited, "eth_getLogs", times=ATTEMPTS - 1)
    chain = connect(provider)
    assert chain.has_logs(["Probe"], 0, chain.block_number()) in (True, False)
    assert provider.asked == ATTEMPTS


@pytest.mark.parametrize(
    ("odd", "error", "words"),
    [
        (LIMITED[0], AskedTooOften, "exceeded its throughput limit: wait, or name a node"),
        (LIMITED[2], AskedTooOften, "allows more requests"),
        (LIMITED[5], LogsUnready, "index of logs anew"),
        ((400, json.dumps(refused("limited to 5 blocks")).encode()), LogSpanTooWide, "all blocks"),
        ((413, b""), NodeRefused, "HTTP 413"),
        ((401, b"no"), AccessDenied, "HTTP 401"),
        ((403, json.dumps(refused("plan too small")).encode()), AccessDenied, "plan too small"),
        ((404, b"<html>"), ChainUnreachable, "not as a chain's node does .HTTP 404"),
        ((200, b"null"), ChainUnreachable, "the address of its RPC"),
        ((200, b"[]"), ChainUnreachable, "the address of its RPC"),
        ((200, b"7"), ChainUnreachable, "the address of its RPC"),
        ((200, b'{"jsonrpc":"2.0","id":1}'), ChainUnreachable, "the address of its RPC"),
        ((200, b"<html>please log in</html>"), ChainUnreachable, "it sent no JSON"),
        ((200, b"\xff\xfe"), ChainUnreachable, "it sent no JSON"),
        ((503, b"null"), ChainUnreachable, "HTTPError 503.: is the node running"),
        ((200, b'{"error":"just no"}'), NodeRefused, "just no"),
    ],
)  # fmt: skip
def test_an_odd_answer_is_an_error_of_its_own(
    connect: Callable[[Any], Chain], odd: Reply, error: type[Exception], words: str
) -> None:
    chain = connect(Provider(odd, "eth_getLogs"))
    with pytest.raises(error, match=words) as caught:
        chain.has_logs(["Probe"], 0, 1)
    assert type(caught.value) is error


@pytest.mark.parametrize("odd", [b"null", b"[null, null]", b"[]", b"{}", b'[{"id":1,"result":1}]'])
def test_odd_answers_to_several_questions(connect: Callable[[Any], Chain], odd: bytes) -> None:
    provider = Provider(None, "eth_call")
    chain = connect(provider)
    probe = chain.contract("Probe").functions
    provider.odd = 200, odd
    with pytest.raises(ChainUnreachable, match="not as a chain's node does"):
        chain.call_many([probe.total(), probe.total()])


class AFewAtOnce:
    """A provider that takes three requests at once, and says so in its own way."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.sizes: list[int] = []

    def __call__(self, ask: Ask, asked: Any) -> Reply:
        if not isinstance(asked, list):
            asked_one = {**ask(asked["method"], asked["params"]), "id": asked["id"]}
            return 200, json.dumps(asked_one).encode()
        self.sizes.append(len(asked))
        if len(asked) > 3:
            return self.reply
        told = [{**ask(each["method"], each["params"]), "id": each["id"]} for each in asked]
        return 200, json.dumps(told).encode()


@pytest.mark.parametrize(
    "reply",
    [
        (200, json.dumps(refused("Batch of more than 3 requests are not allowed", 31)).encode()),
        (400, json.dumps(refused("batch too large")).encode()),
        (413, b"<html>"),
    ],
)
def test_a_node_that_takes_few_requests_at_once_gets_few(
    connect: Callable[[Any], Chain], reply: Reply
) -> None:
    provider = AFewAtOnce(reply)
    chain = connect(provider)
    probe = chain.contract("Probe").functions
    assert len(set(chain.call_many([probe.total()] * 11))) == 1
    assert provider.sizes[0] == 11
    provider.sizes.clear()
    chain.call_many([probe.total()] * 11)
    assert max(provider.sizes) <= 3  # and is not asked for more again
