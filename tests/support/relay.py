"""A relay before a node that answers as a test wants, and else as the node does."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

Ask = Callable[[str, list[Any]], dict[str, Any]]
Answer = Callable[[Ask, str, list[Any]], dict[str, Any]]
Reply = tuple[int, bytes]
"""HTTP status and body."""


def refused(message: str, code: int = -32000) -> dict[str, Any]:
    """A JSON-RPC error."""
    return {"jsonrpc": "2.0", "error": {"code": code, "message": message}}


@contextmanager
def relay(url: str, answer: Answer) -> Iterator[str]:
    """The address of a relay before the node at `url`, which answers each request by `answer`."""

    def reply(ask: Ask, asked: Any) -> Reply:
        several = asked if isinstance(asked, list) else [asked]
        told = [
            {**answer(ask, each["method"], each["params"]), "id": each["id"]} for each in several
        ]
        return 200, json.dumps(told if isinstance(asked, list) else told[0]).encode()

    with raw_relay(url, reply) as address:
        yield address


@contextmanager
def raw_relay(url: str, reply: Callable[[Ask, Any], Reply]) -> Iterator[str]:
    """The same where `reply` decides about HTTP's status and the whole body."""
    session = requests.Session()
    session.trust_env = False  # no proxy for loopback

    def ask(method: str, params: list[Any]) -> dict[str, Any]:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return dict(session.post(url, json=request, timeout=60).json())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else each answer waits for an acknowledgement, 40 ms

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, body = reply(ask, asked)
            self.send_response(status)
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
