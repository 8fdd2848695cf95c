"""An IPFS node through its RPC (Kubo's): one method a command, its failures under names."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import requests
import structlog
import tenacity
import urllib3.exceptions
from ipfshttpclient import exceptions as rpc

from d2m.store.address import invalid, parse_node_address
from d2m.store.cid import Cid
from d2m.store.errors import (
    Broken,
    Forbidden,
    Isolated,
    NotFound,
    Refused,
    Stopping,
    StoreError,
    TooLarge,
    TooSlow,
    Unreachable,
)
from d2m.store.ipfs_client import Overdue, RpcClient

ATTEMPTS = 5
"""Attempts of a request that does not reach the node: with the pauses between them, 7.5 s in all, a
node that is being started again is waited for."""
PEERS_RENEWED = 64
"""At most: the nodes of a market. In a public network a node has hundreds of peers."""
_ABSENT = ("deadline exceeded", "could not find", "not found locally")
"""In what Kubo says of blocks that nobody gave it in time, or that are not in its repository."""
_STOPPING = ("datastore closed", "shutting down", "context canceled")
_BROKEN = (
    "no space left",
    "quota exceeded",
    "read-only file system",
    "input/output error",
    "permission denied",
    "too many open files",
)
_NOT_PINNED = "not pinned"
_UNREADABLE = (rpc.Error, ValueError, LookupError, TypeError, AssertionError)
"""Errors that the client raises for answers that are none."""
_UNREACHABLE = (rpc.CommunicationError, requests.RequestException, urllib3.exceptions.HTTPError)
_OUTBOUND = 2  # libp2p's network.Direction

Options = Mapping[str, str]
OFFLINE: Options = {"offline": "true"}
"""Options of a request that asks no peer: content that is not in the repository is absent at
once."""
T = TypeVar("T")

log = structlog.get_logger()


@dataclass(frozen=True)
class Patience:
    """How long a node is waited for, in seconds."""

    connect: float = 5.0
    """A node on the same machine or in the same network answers a connection at once."""
    pause: float = 0.5
    """Before the second attempt to reach it; doubled before each further one."""
    deaf: float = 5.0
    """Until the node's connections are made anew for a content that nobody has given by then: what
    a connected peer has comes within a second, unless Bitswap missed that peer's coming."""
    find: float = 30.0
    """Until a search for content that nobody gives is over."""
    silence: float = 60.0
    """While a request is being answered: a node that works on it sends something."""
    slowest: float = 64 * 1024.0
    """Bytes per second below which a transfer is given up (this one is no duration)."""

    def transfer(self, size: int) -> float:
        """Longest time for `size` bytes."""
        return self.silence + size / self.slowest


class Deadline:
    """When something is given up, however many requests it takes."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds; at least one thousandth, because Kubo takes 0 for no limit."""
        return max(0.001, self._end - time.monotonic())

    def options(self) -> Options:
        """Options of a request that may ask peers until then."""
        return {"timeout": f"{self.left:.3f}s"}


class Peer(NamedTuple):
    """A node that this one is connected to."""

    peer_id: str
    address: str
    is_outbound: bool
    """Whether this node dialled the other."""


class Node:
    """One node. Whatever it is asked, it may be ``Unreachable``, ``TooSlow`` or ``Refused``."""

    def __init__(self, address: str, patience: Patience) -> None:
        """Raises ``InvalidChoice`` for what is no address."""
        where = parse_node_address(address)
        self.address = where.shown
        self.patience = patience
        self._had_peers = False
        self._renewing = threading.Lock()
        self._renewed = float("-inf")
        headers = {"Authorization": where.authorization} if where.authorization else {}
        try:
            self._client: Any = RpcClient(
                where.multiaddr, (patience.connect, patience.silence), patience.transfer, headers
            )
        except Exception as error:  # the multiaddr codecs raise many kinds
            raise invalid(where.shown) from error

    # --- content

    def add(self, data: bytes, options: Options) -> str:
        """Store content; the CID that the node gives it, as the node writes it."""
        wait = (self.patience.connect, self.patience.transfer(len(data)))
        add = self._client.add_bytes
        return str(self._ask(lambda: add(data, opts=dict(options), timeout=wait), "add content"))

    def size(self, cid: Cid, options: Callable[[], Options]) -> int:
        """The size in bytes that a file's root announces. Raises ``NotFound``."""
        stat = self._client.files.stat
        said = self._find(cid, lambda: stat(f"/ipfs/{cid}", opts=dict(options())))
        try:
            return int(said["Size"])
        except (KeyError, TypeError, ValueError) as error:
            raise Refused(f"the IPFS node at {self.address} tells no size of {cid}") from error

    def read(self, cid: Cid, limit: int, options: Callable[[], Options]) -> bytes:
        """A file as the node assembles it. Raises ``NotFound``, ``TooLarge``."""

        def request() -> bytes:
            # The announced size is its author's word: one byte more is asked for, and noticed.
            opts = {"length": str(limit + 1), **options()}
            return _read(self._client.cat(str(cid), opts=opts, stream=True), cid, limit)

        return self._find(cid, request)

    def block(self, cid: Cid, limit: int) -> bytes:
        """One block out of the node's own repository. Raises ``NotFound``, ``TooLarge``."""
        get, opts = self._client.block.get, dict(OFFLINE)
        return self._find(cid, lambda: _read(get(str(cid), opts=opts, stream=True), cid, limit))

    # --- pins

    def pin(self, cid: Cid, name: str, deadline: Deadline) -> None:
        """Keep a content and all that it links, which is here, under a name."""
        opts = {"name": name, **deadline.options()}
        self._ask(lambda: self._client.pin.add(str(cid), opts=opts), f"pin {cid}")

    def unpin(self, cid: str) -> None:
        """Keep a content no longer; nothing happens where it is not pinned."""
        try:
            self._ask(lambda: self._client.pin.rm(cid), f"unpin {cid}")
        except Refused as refused:
            if _NOT_PINNED not in str(refused):
                raise

    def pin_name(self, cid: Cid) -> str | None:
        """The name of a content's pin, empty where it has none; None where it is not pinned."""
        try:
            found = self._pins(arg=str(cid))
        except Refused as refused:
            if _NOT_PINNED not in str(refused):
                raise
            return None
        return next(iter(found.values()), None)

    def pins_named(self, part: str) -> dict[str, str]:
        """Names by CID of all pins whose names hold `part`."""
        return self._pins(name=part)

    # --- peers

    def peers(self) -> list[Peer]:
        """Peers that the node is connected to."""
        found = self._command("swarm/peers", direction="true").get("Peers") or []
        self._had_peers |= bool(found)
        return [Peer(p["Peer"], p["Addr"], p.get("Direction") == _OUTBOUND) for p in found]

    def is_isolated(self) -> bool:
        """Whether it has no peer now, and had some before or is configured to (`Peering.Peers`)."""
        if self.peers():
            return False
        return self._had_peers or bool(self._command("swarm/peering/ls").get("Peers"))

    def renew_connections(self) -> None:
        """Connect every peer anew, unless that was done within the time of a search.

        Bitswap now and then misses that a peer has come, and never asks that one for anything.
        """
        with self._renewing:
            if time.monotonic() - self._renewed < self.patience.find:
                return
            for peer in self.peers()[:PEERS_RENEWED]:
                try:
                    self._renew(peer)
                except StoreError as error:
                    log.warning("peer not connected again", peer=peer.peer_id, why=str(error))
            self._renewed = time.monotonic()

    def _renew(self, peer: Peer) -> None:
        """Disconnect a peer and connect it again, where it was dialled or says that it is."""
        name = f"/p2p/{peer.peer_id}"
        place = f"{peer.address}{name}" if peer.is_outbound else name
        self._command("swarm/disconnect", name)
        self._command("swarm/connect", place, timeout=f"{self.patience.deaf}s")

    # --- asking

    def _pins(self, **options: str) -> dict[str, str]:
        arg = options.pop("arg", None)
        opts = {"type": "recursive", "names": "true", **options}
        keys = self._command("pin/ls", *([arg] if arg else []), **opts).get("Keys") or {}
        return {cid: str(entry.get("Name", "")) for cid, entry in keys.items()}

    def _command(self, name: str, /, *arguments: str, **options: str) -> dict[str, Any]:
        """Send a command; its answer, one JSON object."""
        ask = self._client.request

        def request() -> dict[str, Any]:
            (answer,) = ask(f"/{name}", list(arguments), opts=options)
            assert isinstance(answer, dict)
            return answer

        return self._ask(request, name)

    def _find(self, cid: Cid, request: Callable[[], T]) -> T:
        """Ask for what may be absent. Raises ``NotFound``."""
        try:
            return self._ask(request, f"find {cid}")
        except Refused as refused:
            said = str(refused.__cause__)
            if isinstance(refused.__cause__, rpc.ErrorResponse) and any(w in said for w in _ABSENT):
                raise NotFound(f"the IPFS node at {self.address} does not have {cid}") from refused
            raise

    def _ask(self, request: Callable[[], T], what: str) -> T:
        """The answer to a request that may be repeated, its errors named."""
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_may_pass),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=tenacity.wait_exponential(multiplier=self.patience.pause),
            reraise=True,
        )

        def once() -> T:
            with self._named_errors(what):
                return request()

        return attempts(once)

    @contextmanager
    def _named_errors(self, what: str) -> Iterator[None]:
        node = f"the IPFS node at {self.address}"
        try:
            yield
        except (rpc.TimeoutError, urllib3.exceptions.TimeoutError, Overdue) as error:
            raise TooSlow(f"{node} did not {what} in time: see what keeps it busy") from error
        except rpc.ErrorResponse as error:
            if any(word in str(error) for word in _STOPPING):
                raise Stopping(f"{node} did not {what}, it is stopping: start it again") from error
            if any(word in str(error) for word in _BROKEN):
                raise Broken(f"{node} did not {what}: {error}: mend its disk") from error
            raise Refused(f"{node} did not {what}: {error}") from error
        except rpc.StatusError as error:
            status = error.original.response.status_code
            if status in (401, 403):
                raise Forbidden(
                    f"{node} lets nobody in without its password or token (HTTP {status}): give"
                    " --ipfs https://USER:PASSWORD@HOST or https://TOKEN@HOST, as the node's"
                    " API.Authorizations has it"
                ) from error
            raise Refused(f"{node} did not {what}: it is no IPFS RPC ({error})") from error
        except _UNREACHABLE as error:
            raise Unreachable(f"{node} cannot be reached: start it, or name another") from error
        except _UNREADABLE as error:
            raise Refused(f"{node} did not {what}: its answer is unreadable") from error


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, Unreachable) and not isinstance(error, (TooSlow, Isolated))


def _read(stream: Any, cid: Cid, limit: int) -> bytes:
    """Read what a node streams, given up where it is too much."""
    data = bytearray()
    with stream:
        for part in stream:
            data += part
            if len(data) > limit:
                raise TooLarge(f"{cid} has more than the {limit} bytes that are allowed: refuse it")
    return bytes(data)
