"""A serving party's small web server: `/metrics` for Prometheus, `/healthz` for a supervisor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any, cast
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import structlog
from prometheus_client import make_wsgi_app

from d2m.errors import PartyError
from d2m.parties.health import Health

Address = tuple[str, int]
log = structlog.get_logger()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: every scrape would be a line."""


def parse_address(text: str) -> Address:
    """`HOST:PORT`; port 0 lets the system choose. Raises ValueError."""
    host, _, port = text.rpartition(":")
    number = int(port)
    if not host or not 0 <= number < 1 << 16:
        raise ValueError(text)
    return host.strip("[]"), number


@contextmanager
def monitored(address: Address | None, health: Health) -> Iterator[None]:
    """Answer at `address` while the context lasts; None: nowhere. Raises PartyError."""
    if address is None:
        yield
        return
    try:
        server = make_server(*address, _app(health), server_class=_Server, handler_class=_Quiet)
    except OSError as error:
        host, port = address
        raise PartyError(
            f"--metrics {host}:{port} cannot be used ({error.strerror}): name a free port"
        ) from None
    with server:
        log.info("metrics", host=address[0], port=server.server_port)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def _app(health: Health) -> Callable[..., Iterable[bytes]]:
    metrics = make_wsgi_app()

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/metrics":
            return cast(Iterable[bytes], metrics(environ, start_response))
        if environ["PATH_INFO"] != "/healthz":
            start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
            return [b"see /metrics and /healthz\n"]
        status = "503 Service Unavailable" if health.why else "200 OK"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{health.why or 'ok'}\n{health.waits}".encode()]

    return answer
