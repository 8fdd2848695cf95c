"""The RPC client that `ipfshttpclient` is, reading answers as they arrive.

The library reads an answer as a whole before it gives any of it, however large it is and however
long it takes; a reader that bounds both needs the parts.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

import ipfshttpclient
from ipfshttpclient import DEFAULT_BASE
from ipfshttpclient.http_requests import ClientSync

PART_BYTES = 1 << 16
"""At most read at once: what a socket holds, so that no byte is waited for that is not there."""

# ipfshttpclient names an argument that urllib3 < 3, which it needs, no longer looks at.
warnings.filterwarnings("ignore", "The 'strict' parameter", FutureWarning)


class Overdue(Exception):
    """An answer that is still arriving, and takes too long."""


class RpcClient(ipfshttpclient.Client):  # type: ignore[misc]
    """A client of the node at a multiaddr.

    `timeout`: seconds to connect, seconds of silence. `allowed` gives the seconds that an answer of
    so many bytes may take; one that takes longer raises ``Overdue``. `headers` go with each
    request.
    """

    def __init__(
        self,
        address: str,
        timeout: tuple[float, float],
        allowed: Callable[[int], float],
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(address, timeout=timeout)
        self._client: Any = _Transport(address, timeout, allowed, headers)

    def request(self, path: str, arguments: Sequence[str], opts: Mapping[str, str]) -> list[Any]:
        """Send a command that the library has no method for; its answer, JSON objects."""
        return list(self._client.request(path, arguments, opts=opts, decoder="json"))


class _Transport(ClientSync):  # type: ignore[misc]
    def __init__(
        self,
        address: str,
        timeout: tuple[float, float],
        allowed: Callable[[int], float],
        headers: Mapping[str, str],
    ) -> None:
        # Compressed answers would have to be bounded twice.
        sent = {"Accept-Encoding": "identity", **headers}
        super().__init__(address, DEFAULT_BASE, headers=sent, timeout=timeout)
        self._allowed = allowed

    def _request(self, *args: Any, **options: Any) -> tuple[Any, Generator[bytes, Any, Any]]:
        closables, _whole = super()._request(*args, **options)
        response, *_session = closables
        return closables, self._parts(response.raw)

    def _parts(self, raw: Any) -> Generator[bytes, Any, Any]:
        start, size = time.monotonic(), 0
        while part := raw.read1(PART_BYTES, decode_content=False):
            size += len(part)
            yield part
            if time.monotonic() - start > self._allowed(size):
                raise Overdue
