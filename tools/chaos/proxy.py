"""A proxy between parties and a node that loses and delays what passes through it."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1"
CHUNK = 1 << 16
"""Bytes read at once; a larger request is several chances to be lost."""


@dataclass
class Weather:
    """Treatment of each piece that passes, a request or a part of an answer."""

    lost: float = 0.0
    """Chance that the connection breaks instead: the request, or the answer to it, is gone."""
    delayed: float = 0.0
    """Chance that it waits."""
    delay_seconds: float = 0.0
    """So long at most."""
    is_down: bool = False
    """Whether nothing passes and nobody is let in."""


class Lost(ConnectionError):
    """The proxy broke a connection."""


class Proxy:
    """Passes connections on to one node. `weather` may be changed while it runs."""

    def __init__(self, target: str, seed: int, host: str) -> None:
        """`target` is the node's URL; losses and delays follow from `seed`.

        `host`: the address of this machine that parties connect to.
        """
        parts = urlsplit(target)
        self._target = (parts.hostname, parts.port)
        self._chance = random.Random(seed)
        self.weather = Weather()
        self.host = host
        self.port = 0
        self.lost = 0
        """Connections broken so far."""

    @property
    def url(self) -> str:
        """Where parties connect."""
        return f"http://{self.host}:{self.port}"

    async def open(self) -> asyncio.AbstractServer:
        """Listen on a free port."""
        server = await asyncio.start_server(self._connected, self.host, 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            if self.weather.is_down:
                raise Lost
            there = await asyncio.open_connection(*self._target)
            try:
                pumps = [self._pump(reader, there[1]), self._pump(there[0], writer)]
                tasks = [asyncio.ensure_future(pump) for pump in pumps]
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            finally:
                there[1].close()
        writer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while piece := await source.read(CHUNK):
            weather = self.weather
            if weather.is_down or self._chance.random() < weather.lost:
                self.lost += 1
                raise Lost
            if self._chance.random() < weather.delayed:
                await asyncio.sleep(self._chance.uniform(0, weather.delay_seconds))
            sink.write(piece)
            await sink.drain()


@contextmanager
def proxied(target: str, seed: int, host: str = LOOPBACK) -> Iterator[Proxy]:
    """Run a proxy in a thread of its own while the context lasts."""
    loop = asyncio.new_event_loop()
    proxy = Proxy(target, seed, host)
    server = loop.run_until_complete(proxy.open())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
