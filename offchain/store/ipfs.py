"""The store that an IPFS node is, through its RPC (Kubo's, and what speaks alike)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import requests
import structlog
import tenacity
import urllib3.exceptions
from ipfshttpclient import exceptions as rpc

from offchain.store.cid import Cid
from offchain.store.errors import (
    Corrupt,
    InvalidChoice,
    InvalidCid,
    NotFound,
    Refused,
    StoreError,
    TooLarge,
    TooSlow,
    Unreachable,
    WrongContent,
)
from offchain.store.ipfs_client import Overdue, RpcClient
from offchain.store.unixfs import CHUNK_BYTES, is_block, links_of

ATTEMPTS = 4
"""Of a request that does not reach the node: with the pauses between them a node that is being
started again is waited for."""
ADD_OPTIONS = {
    "cid-version": "1",
    "raw-leaves": "true",
    "chunker": f"size-{CHUNK_BYTES}",
    "hash": "sha2-256",
    "cid-base": "base32",
    "pin": "true",
}
"""With these a node gives the CIDs of `Cid.of`, however it is configured."""
_ABSENT = ("timed out", "deadline exceeded", "context canceled", "not found", "could not find")
"""In what nodes say of content that nobody gives them; with a space, so in no CID."""
_NOT_PINNED = "not pinned"
_UNREADABLE = (rpc.Error, ValueError, LookupError, TypeError, AssertionError)
"""What the client raises for answers that are none."""
_UNREACHABLE = (rpc.CommunicationError, requests.RequestException, urllib3.exceptions.HTTPError)

T = TypeVar("T")

log = structlog.get_logger()


@dataclass(frozen=True)
class Patience:
    """How long a node is waited for, in seconds."""

    connect: float = 5.0
    """A node on the same machine or in the same network answers a connection at once."""
    pause: float = 0.5
    """Before the second attempt to reach it; doubled before each further one."""
    find: float = 30.0
    """Until content that nobody has given by then counts as absent. With 16 fetched at once the
    most updates of one round, 256, keep a node busy for 8 minutes if all are absent, less than
    the usual window of 10."""
    silence: float = 60.0
    """While a request is being answered: a node that works on it sends something."""
    slowest: float = 64 * 1024.0
    """Bytes per second below which a transfer is given up (this one is no duration)."""

    def transfer(self, size: int) -> float:
        """Longest time for `size` bytes."""
        return self.silence + size / self.slowest


class IpfsStore:
    """The store of one IPFS node, which pins what is put or fetched until it is unpinned."""

    def __init__(self, address: str, *, patience: Patience | None = None) -> None:
        """`address` is the multiaddr of the node's RPC. Raises ``InvalidChoice``."""
        self._address = address
        self._patience = patience or Patience()
        try:
            self._client: Any = RpcClient(
                address,
                (self._patience.connect, self._patience.silence),
                self._patience.transfer,
            )
        except Exception as error:  # the multiaddr codecs raise many kinds
            raise InvalidChoice(
                f"{address!r} is no address of a node's RPC: write one like /ip4/127.0.0.1/tcp/5001"
                " or /dns/ipfs.example/tcp/443/https"
            ) from error

    def put(self, data: bytes) -> Cid:
        """Add and pin. The node's CID is compared with the one that everybody computes."""
        wait = (self._patience.connect, self._patience.transfer(len(data)))
        answer = self._ask(
            lambda: self._client.add_bytes(data, opts=dict(ADD_OPTIONS), timeout=wait),
            "add content",
        )
        cid = Cid.of(data)
        if not _names(answer, cid):
            raise Corrupt(
                f"the IPFS node at {self._address} gave {answer} to content whose CID is {cid}:"
                " take Import.* out of its configuration"
            )
        return cid

    def get(self, cid: Cid, *, limit: int) -> bytes:
        """The content, hashed again and pinned from now on; ``limit`` in bytes.

        A content that nobody gives within `Patience.find` counts as absent.
        """
        data = self._checked(cid, limit)
        try:
            self._pin(cid, len(data))
        except StoreError as error:
            # It is here all the same; others keep it, too.
            log.warning("not pinned", cid=str(cid), why=str(error))
        return data

    def unpin(self, cid: Cid) -> None:
        """Let the node's garbage collection take the content, if it is pinned."""
        try:
            self._ask(lambda: self._client.pin.rm(str(cid)), f"unpin {cid}")
        except Refused as refused:
            if _NOT_PINNED not in str(refused):
                raise

    # --- reading

    def _checked(self, cid: Cid, limit: int) -> bytes:
        """The content as the node assembles it; where that goes wrong, block by block.

        The blocks tell whose fault it is: an author's, who laid its content out in a way of its own
        or links what is not there, or the node's.
        """
        try:
            data = self._assembled(cid, limit)
            if Cid.of(data) == cid:
                return data
        except (Refused, TooSlow):
            pass
        data = b"".join(self._leaves(cid, limit))
        if Cid.of(data) != cid:
            raise WrongContent(
                f"{cid} is not laid out as this market stores content: treat it as not delivered"
            )
        return data

    def _assembled(self, cid: Cid, limit: int) -> bytes:
        size = self._announced_size(cid)
        if size > limit:
            raise TooLarge(
                f"{cid} has {size} bytes, allowed are {limit}: raise the limit or refuse it"
            )
        # The announced size is its author's word: one byte more is asked for, and would be noticed.
        request = partial(self._client.cat, str(cid), opts={"length": str(limit + 1)}, stream=True)
        return self._ask(lambda: _read(request(), cid, limit), f"read {cid}")

    def _announced_size(self, cid: Cid) -> int:
        stat = self._find(cid, lambda opts: self._client.files.stat(f"/ipfs/{cid}", opts=opts))
        try:
            return int(stat["Size"])
        except (KeyError, TypeError, ValueError) as error:
            raise Refused(f"the IPFS node at {self._address} tells no size of {cid}") from error

    def _leaves(self, cid: Cid, limit: int) -> Iterator[bytes]:
        """The leaves in order, each block checked by its hash."""
        # Twice what the layout needs: a tree may link one block again and again, without end.
        blocks, size, waiting = 2 * (limit // CHUNK_BYTES + 2), 0, [cid]
        while waiting:
            if not blocks:
                raise WrongContent(f"{cid} has more blocks than content: treat it as not delivered")
            blocks -= 1
            block_cid = waiting.pop()
            block = self._block(block_cid)
            links = links_of(block_cid, block)
            if links:
                waiting.extend(reversed(links))
                continue
            size += len(block)
            if size > limit:
                raise TooLarge(f"{cid} has more than the {limit} bytes that are allowed: refuse it")
            yield block

    def _block(self, cid: Cid) -> bytes:
        def read(opts: dict[str, str]) -> bytes:
            stream = self._client.block.get(str(cid), opts=opts, stream=True)
            return _read(stream, cid, CHUNK_BYTES)

        try:
            block = self._find(cid, read)
        except TooLarge as error:
            raise WrongContent(f"{cid} is a larger block than this market stores") from error
        if not is_block(cid, block):
            raise Corrupt(
                f"the IPFS node at {self._address} gives other bytes for {cid}: repair its"
                " repository (`ipfs repo verify`) or name another node"
            )
        return block

    def _pin(self, cid: Cid, size: int) -> None:
        wait = (self._patience.connect, self._patience.transfer(size))
        self._ask(lambda: self._client.pin.add(str(cid), timeout=wait), f"pin {cid}")

    # --- asking the node

    def _find(self, cid: Cid, request: Callable[[dict[str, str]], T]) -> T:
        """Ask for what the node may have to look for. Raises ``NotFound``."""
        opts = {"timeout": f"{self._patience.find}s"}
        try:
            return self._ask(lambda: request(dict(opts)), f"find {cid}")
        except Refused as refused:
            said = str(refused.__cause__)
            if isinstance(refused.__cause__, rpc.ErrorResponse) and any(w in said for w in _ABSENT):
                raise NotFound(
                    f"nobody gave {cid} to the IPFS node at {self._address} within"
                    f" {self._patience.find:g} s: ask its author to pin it, or connect the nodes"
                ) from refused
            raise

    def _ask(self, request: Callable[[], T], what: str) -> T:
        """The answer to a request that may be repeated, its errors named."""
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_may_pass),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=tenacity.wait_exponential(multiplier=self._patience.pause),
            reraise=True,
        )

        def once() -> T:
            with self._named_errors(what):
                return request()

        return attempts(once)

    @contextmanager
    def _named_errors(self, what: str) -> Iterator[None]:
        node = f"the IPFS node at {self._address}"
        try:
            yield
        except (rpc.TimeoutError, urllib3.exceptions.TimeoutError, Overdue) as error:
            raise TooSlow(f"{node} did not {what} in time: see what keeps it busy") from error
        except rpc.ErrorResponse as error:
            raise Refused(f"{node} did not {what}: {error}") from error
        except rpc.StatusError as error:
            raise Refused(f"{node} did not {what}: it is no IPFS RPC ({error})") from error
        except _UNREACHABLE as error:
            raise Unreachable(f"{node} cannot be reached: start it, or name another") from error
        except _UNREADABLE as error:
            raise Refused(f"{node} did not {what}: its answer is unreadable") from error


def _names(answer: object, cid: Cid) -> bool:
    """Whether a node's text, in whatever base, is this CID."""
    try:
        return Cid.parse(str(answer)) == cid
    except InvalidCid:
        return False


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, Unreachable) and not isinstance(error, TooSlow)


def _read(stream: Any, cid: Cid, limit: int) -> bytes:
    """What a node streams, given up where it is too much."""
    data = bytearray()
    with stream:
        for part in stream:
            data += part
            if len(data) > limit:
                raise TooLarge(f"{cid} has more than the {limit} bytes that are allowed: refuse it")
    return bytes(data)
