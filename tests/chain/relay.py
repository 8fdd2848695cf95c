"""A relay before a node's RPC, which answers some requests otherwise and passes on all others."""

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
"""Answers a request; the first argument gives the node's own answer to one."""


@contextmanager
def relay(url: str, answer: Answer) -> Iterator[str]:
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
