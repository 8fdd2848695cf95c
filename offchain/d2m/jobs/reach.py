"""Reach of a party's IPFS node: its peers, and whose content of a job it gets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from d2m.chain.contracts.market import Market
from d2m.errors import PartyError
from d2m.jobs.contents import Content, job_contents
from d2m.jobs.inputs import EVALUATION_LIMIT
from d2m.jobs.pins import job_pin
from d2m.store.errors import MALFORMED, NotFound
from d2m.store.fetch import fetch_verified
from d2m.store.ipfs import IpfsStore
from d2m.store.ipfs_node import Peer
from d2m.store.local import Store

AT_ONCE = 16
"""Contents asked for together: absent ones take half a minute each."""


class Reached(NamedTuple):
    """Whether a content can be read."""

    content: Content
    why_not: str
    """Empty where it can."""


def peers_of(store: Store) -> Sequence[Peer]:
    """Peers of the store's node. Raises PartyError for a folder."""
    if not isinstance(store, IpfsStore):
        raise PartyError("a folder has no peers: give --ipfs with the address of an IPFS node")
    return store.node.peers()


def reach(market: Market, store: Store, job_id: int) -> Iterator[Reached]:
    """Read all of a job's contents, as a member does. Raises PartyError where there is no job."""
    if not 0 < job_id <= market.jobs.count():
        raise PartyError(f"there is no job {job_id}: `market status` lists them")

    def read(content: Content) -> Reached:
        pin = job_pin(market.id, job_id, content.round)
        named = (store, content.cid, content.content_hash)
        try:
            fetch_verified(*named, limit=EVALUATION_LIMIT, name=pin)
        except (NotFound, *MALFORMED) as error:
            return Reached(content, str(error))
        return Reached(content, "")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(read, job_contents(market, job_id))
