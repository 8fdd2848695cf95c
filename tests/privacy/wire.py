"""A forwarder between a process and its chain node that keeps all that the process sent."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

CHUNK_BYTES = 1 << 16


class Wire(socketserver.ThreadingTCPServer):
    """Listens on a port of its own; `sent` is what clients said, connection by connection."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Forward)
        self.target = ("127.0.0.1", port)
        self.sent: list[bytearray] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Forward(socketserver.BaseRequestHandler):
    server: Wire

    def handle(self) -> None:
        kept = bytearray()
        self.server.sent.append(kept)
        with socket.create_connection(self.server.target) as node:
            back = threading.Thread(target=_pump, args=(node, self.request, None), daemon=True)
            back.start()
            _pump(self.request, node, kept)
            back.join()


def _pump(source: socket.socket, sink: socket.socket, kept: bytearray | None) -> None:
    try:
        while data := source.recv(CHUNK_BYTES):
            if kept is not None:
                kept += data
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return  # one side has gone


@contextmanager
def wire(port: int) -> Iterator[Wire]:
    """Forward to a local port while the block runs."""
    with Wire(port) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
