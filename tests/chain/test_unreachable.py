from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from d2m.chain.artifacts import Artifact
from d2m.chain.client import Chain
from d2m.chain.deployment.record import Deployment
from d2m.chain.errors import ChainUnreachable
from d2m.chain.provider import ATTEMPTS
from d2m.clients.anvil import start_anvil


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempts are what is tested, not the pauses between them."""
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)


class Broken(BaseHTTPRequestHandler):
    """Answers every request, but not with JSON-RPC."""

    status = 503
    body = b"<html>busy</html>"
    asked = 0

    def do_POST(self) -> None:
        type(self).asked += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(params=[503, 200])
def broken(request: pytest.FixtureRequest) -> Iterator[tuple[str, type[Broken]]]:
    handler = type("Handler", (Broken,), {"status": request.param})
    server = HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    server.server_close()


def test_no_node(artifacts: dict[str, Artifact]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ChainUnreachable, match=f"{url} did not answer in {ATTEMPTS}"):
            Chain(url, Deployment(1, 0, {}), artifacts)


def test_a_broken_node_is_asked_a_bounded_number_of_times(
    broken: tuple[str, type[Broken]], artifacts: dict[str, Artifact]
) -> None:
    url, handler = broken
    with pytest.raises(ChainUnreachable, match=r"the node (behind it )?running"):
        Chain(url, Deployment(1, 0, {}), artifacts)
    assert handler.asked == ATTEMPTS


def test_a_node_that_dies_later(artifacts: dict[str, Artifact]) -> None:
    with start_anvil(accounts=1) as anvil:
        chain = Chain(anvil.url, Deployment(anvil.chain_id, 0, {}), artifacts)
        assert chain.block_number() == 0
    with pytest.raises(ChainUnreachable):
        chain.block_number()
    with chain.w3.batch_requests() as batch:
        batch.add(chain.w3.eth.get_block("latest"))
        with pytest.raises(ChainUnreachable):
            batch.execute()


def test_a_short_outage_goes_unnoticed(
    artifacts: dict[str, Artifact], monkeypatch: pytest.MonkeyPatch
) -> None:
    with start_anvil(accounts=1) as anvil:
        chain = Chain(anvil.url, Deployment(anvil.chain_id, 0, {}), artifacts)
        good, calls = chain.w3.provider.endpoint_uri, []  # type: ignore[attr-defined]
        chain.w3.provider.endpoint_uri = "http://127.0.0.1:9"  # type: ignore[attr-defined]

        def recover(_: float) -> None:
            calls.append(1)
            if len(calls) == ATTEMPTS - 1:
                chain.w3.provider.endpoint_uri = good  # type: ignore[attr-defined]

        monkeypatch.setattr("tenacity.nap.time.sleep", recover)
        assert chain.block_number() == 0


def test_a_proxy_is_not_asked_for_this_machine_s_node(
    artifacts: dict[str, Artifact], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with start_anvil(accounts=1) as anvil:
        assert Chain(anvil.url, Deployment(anvil.chain_id, 0, {}), artifacts).block_number() == 0
    with pytest.raises(ChainUnreachable, match="ProxyError"):
        Chain("http://node.invalid:1", Deployment(1, 0, {}), artifacts)


def test_an_access_key_in_the_address_is_not_shown(artifacts: dict[str, Artifact]) -> None:
    with pytest.raises(ChainUnreachable, match=r"http://127\.0\.0\.1:9 did") as caught:
        Chain("http://user:secret@127.0.0.1:9/v3/secret", Deployment(1, 0, {}), artifacts)
    assert "secret" not in str(caught.value)
