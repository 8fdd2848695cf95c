"""A relay before EthereumJS that mends two answers of its RPC, and passes on all others.

Its EVM, its pool and its blocks are what the tests are about. Seen in @ethereumjs/client 0.10.5:
`eth_getLogs` looks at the first topic only; `eth_estimateGas` neither tells of a revert nor counts
the gas that is refunded afterwards, but must be there before.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

REFUND_SHARE = 5
"""At most a fifth of the gas that a transaction uses is refunded (EIP-3529)."""

Ask = Callable[[str, list[Any]], dict[str, Any]]
Answer = Callable[[Ask, str, list[Any]], dict[str, Any]]


def corrected(ask: Ask, method: str, params: list[Any]) -> dict[str, Any]:
    """A node's answer to a request, mended; `ask` gives it as it is."""
    answer = ask(method, params)
    if "error" in answer:
        return answer
    if method == "eth_getLogs":
        topics = params[0].get("topics") or []
        answer["result"] = [log for log in answer["result"] if matches(log["topics"], topics)]
    if method == "eth_estimateGas":
        played = ask("eth_call", [params[0], params[1]])
        if "error" in played:
            return played
        needed = int(answer["result"], 16) * REFUND_SHARE // (REFUND_SHARE - 1)
        answer["result"] = hex(needed + needed // 64)  # a call keeps back a 64th (EIP-150)
    return answer


def matches(found: list[str], wanted: list[Any]) -> bool:
    """Whether a log has the topics of a filter: None for any, a list for one of several."""
    if len(wanted) > len(found):
        return False
    for one, each in zip(found, wanted, strict=False):
        allowed = each if isinstance(each, list) else [each]
        if each is not None and one.lower() not in [word.lower() for word in allowed]:
            return False
    return True


@contextmanager
def relay(url: str, answer: Answer = corrected) -> Iterator[str]:
    """The address of a relay before the node at `url`, which answers as `answer` says."""
    session = requests.Session()
    session.trust_env = False  # no proxy for loopback

    def ask(method: str, params: list[Any]) -> dict[str, Any]:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return dict(session.post(url, json=request, timeout=60).json())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            several = asked if isinstance(asked, list) else [asked]
            told = [
                {**answer(ask, each["method"], each["params"]), "id": each["id"]}
                for each in several
            ]
            body = json.dumps(told if isinstance(asked, list) else told[0]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_anything: Any) -> None:
            """Nothing on standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
