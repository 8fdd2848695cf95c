"""The store that an IPFS node is: content is checked as it is read, and pinned under names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import structlog

from d2m.store.cid import DAG_PB_PREFIX, Cid
from d2m.store.errors import (
    Broken,
    Corrupt,
    InvalidCid,
    Isolated,
    NotFound,
    Refused,
    StoreError,
    TooLarge,
    Unreachable,
    WrongContent,
)
from d2m.store.ipfs_node import OFFLINE, Deadline, Node, Options, Patience
from d2m.store.local import OWN_NAME
from d2m.store.unixfs import CHUNK_BYTES, LINKS_PER_NODE, is_block, links_of

ADD_OPTIONS = {
    "cid-version": "1",
    "raw-leaves": "true",
    "chunker": f"size-{CHUNK_BYTES}",
    "hash": "sha2-256",
    "trickle": "false",
    "max-file-links": str(LINKS_PER_NODE),
    "cid-base": "base32",
}
"""All that decides a CID: with these a node gives those of `Cid.of`, however it is configured."""
EMPTY = Cid.of(b"")
"""Bitswap gives no block of no bytes: who has it not cannot get it. So nobody is asked for it."""

log = structlog.get_logger()


class IpfsStore:
    """The store of one IPFS node, which pins what is put or fetched until it is unpinned.

    Pins that bear no name of the market are the node's owner's: they are neither named nor removed.
    """

    def __init__(self, address: str, *, patience: Patience | None = None) -> None:
        """`address` is that of the node's RPC. Raises ``InvalidChoice``."""
        self.patience = patience or Patience()
        self.node = Node(address, self.patience)

    def put(self, data: bytes, *, name: str = OWN_NAME) -> Cid:
        """Add and pin. The node's CID is compared with the one that everybody computes."""
        cid = Cid.of(data)
        pinned = self.node.pin_name(cid)
        is_owners = pinned is not None and not _is_own(pinned)
        pin = {"pin": "false"} if is_owners else {"pin": "true", "pin-name": name}
        answer = self.node.add(data, {**ADD_OPTIONS, **pin})
        if not _names(answer, cid):
            with suppress(StoreError):  # the error below says what to do
                self.node.unpin(answer)
            raise Corrupt(
                f"the IPFS node at {self.node.address} gave {answer} to content whose CID is {cid}:"
                " it is not Kubo, or too old: name another"
            )
        return cid

    def get(self, cid: Cid, *, limit: int, name: str = OWN_NAME) -> bytes:
        """The content, hashed again and pinned from now on; ``limit`` in bytes.

        Content whose root nobody gives within `Patience.find`, or whose other blocks nobody gives
        within that and the time that its size takes, is absent: ``NotFound``.
        """
        if cid == EMPTY:
            return b""
        _refuse_unseen(cid, limit)
        search = Deadline(self.patience.find)
        try:
            size = self._sought(cid, search)
        except Broken:
            raise
        except Refused:
            size = 0  # its root is here, and is no file: its blocks tell why
        _check_size(cid, size, limit)
        whole = Deadline(search.left + size / self.patience.slowest)
        return self._pinned(cid, self._checked(cid, limit, whole.options), name)

    def kept(self, cid: Cid, *, limit: int, name: str = OWN_NAME) -> bytes:
        """As `get`, of what lies in the node's own repository; no peer is asked."""
        if cid == EMPTY:
            return b""
        _refuse_unseen(cid, limit)
        with suppress(Refused):  # its root is here, and is no file: its blocks tell why
            _check_size(cid, self.node.size(cid, _offline), limit)
        return self._pinned(cid, self._checked(cid, limit, _offline), name)

    def unpin(self, cid: Cid) -> None:
        """Let the node's garbage collection take the content, if the market pinned it."""
        name = self.node.pin_name(cid)
        if name is not None and _is_own(name):
            self.node.unpin(str(cid))

    def named(self, prefix: str) -> dict[Cid, str]:
        """Names of the pins that begin with `prefix`, by CID."""
        found = self.node.pins_named(prefix).items()
        return {Cid.parse(cid): name for cid, name in found if name.startswith(prefix)}

    # --- reading

    def _sought(self, cid: Cid, search: Deadline) -> int:
        """The size that the root announces, from wherever it comes.

        Where nobody gives it for some seconds, the connections are made anew once. Raises
        ``NotFound``, or ``Isolated`` where the node has no peer to ask.
        """
        first = Deadline(min(self.patience.deaf, search.left))
        try:
            return self.node.size(cid, first.options)
        except NotFound:
            self.node.renew_connections()
        try:
            return self.node.size(cid, search.options)
        except NotFound as absent:
            if self.node.is_isolated():
                raise Isolated(
                    f"the IPFS node at {self.node.address} has no peer: connect it with the other"
                    " parties' nodes (Peering.Peers)"
                ) from absent
            raise NotFound(
                f"nobody gave {cid} to the IPFS node at {self.node.address} within"
                f" {self.patience.find:g} s: ask its author to pin it, or connect the nodes"
            ) from absent

    def _checked(self, cid: Cid, limit: int, options: Callable[[], Options]) -> bytes:
        """The content as the node assembles it; where that goes wrong, block by block.

        The blocks tell whose fault it is: an author's, who laid its content out in a way of its own
        or links what is not there, or the node's. No peer is asked for them any more.
        """
        try:
            data = self.node.read(cid, limit, options)
            if Cid.of(data) == cid:
                return data
        except Broken:
            raise  # what could not be written seems to be missing
        except (NotFound, Refused, Unreachable) as error:
            log.debug("not assembled", cid=str(cid), why=str(error))
        data = b"".join(self._leaves(cid, limit))
        if Cid.of(data) != cid:
            raise WrongContent(
                f"{cid} is not laid out as this market stores content: treat it as not delivered"
            )
        return data

    def _leaves(self, cid: Cid, limit: int) -> Iterator[bytes]:
        """The leaves in order, each block checked by its hash."""
        # Twice what the layout needs: a tree may link one block again and again, without end.
        blocks, size, waiting = 2 * (limit // CHUNK_BYTES + 2), 0, [cid]
        while waiting:
            if not blocks:
                raise WrongContent(f"{cid} has more blocks than content: treat it as not delivered")
            blocks -= 1
            block_cid = waiting.pop()
            block = self._block(block_cid, cid)
            links = links_of(block_cid, block)
            if links:
                waiting.extend(reversed(links))
                continue
            size += len(block)
            _check_size(cid, size, limit)
            yield block

    def _block(self, cid: Cid, root: Cid) -> bytes:
        """One block of a content. Raises ``NotFound`` where nobody gave it in time."""
        try:
            block = self.node.block(cid, CHUNK_BYTES)
        except TooLarge as error:
            raise WrongContent(f"{cid} is a larger block than this market stores") from error
        except NotFound as absent:
            raise NotFound(
                f"nobody gave all of {root} to the IPFS node at {self.node.address} in time, {cid}"
                " is missing: ask its author to pin it, or connect the nodes"
            ) from absent
        if not is_block(cid, block):
            raise Corrupt(
                f"the IPFS node at {self.node.address} gives other bytes for {cid}: repair its"
                " repository (`ipfs repo verify`) or name another node"
            )
        return block

    def _pinned(self, cid: Cid, data: bytes, name: str) -> bytes:
        """The content, kept from now on unless it is already."""
        try:
            if self.node.pin_name(cid) is None:
                self.node.pin(cid, name, Deadline(self.patience.transfer(len(data))))
        except StoreError as error:
            # It is here all the same; others keep it, too.
            log.warning("not pinned", cid=str(cid), why=str(error))
        return data


def _offline() -> Options:
    return OFFLINE


def _is_own(name: str) -> bool:
    """Whether a pin is the market's."""
    return name == OWN_NAME or name.startswith(f"{OWN_NAME}/")


def _refuse_unseen(cid: Cid, limit: int) -> None:
    """Refuse a tree where content of at most `limit` bytes is one block in this market's layout."""
    if limit <= CHUNK_BYTES and cid.binary.startswith(DAG_PB_PREFIX):
        raise WrongContent(
            f"{cid} is a tree of blocks, and what is to be there fits into one:"
            " treat it as not delivered"
        )


def _check_size(cid: Cid, size: int, limit: int) -> None:
    if size > limit:
        raise TooLarge(f"{cid} has {size} bytes, allowed are {limit}: raise the limit or refuse it")


def _names(answer: str, cid: Cid) -> bool:
    """Whether a node's text, in whatever base, is this CID."""
    try:
        return Cid.parse(answer) == cid
    except InvalidCid:
        return False
