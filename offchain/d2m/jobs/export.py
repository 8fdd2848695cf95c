"""A job's whole content in one file, to be kept or to be given to another IPFS node."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from d2m.chain.contracts.market import Market
from d2m.errors import PartyError
from d2m.files import writing
from d2m.jobs.contents import Content, job_contents
from d2m.jobs.inputs import EVALUATION_LIMIT
from d2m.jobs.pins import job_pin
from d2m.store.car import write_car
from d2m.store.cid import Cid
from d2m.store.errors import ABSENT, MALFORMED
from d2m.store.fetch import fetch_verified
from d2m.store.local import Store
from d2m.store.unixfs import Block, blocks_of


def export_job(market: Market, store: Store, job_id: int, path: Path) -> list[Content]:
    """Write a job's content to a CARv1 file, whole or not at all; what could not be had.

    The roots are the contents' CIDs. Raises PartyError where there is no such job or no content.
    """
    count = market.jobs.count()
    if not 1 <= job_id <= count:
        raise PartyError(f"there is no job {job_id}: the market has had {count}")
    had, missing = _gather(market, store, job_id)
    if not had:
        raise PartyError(
            f"nobody gives any content of job {job_id}: it is kept for a week after the job's end"
        )
    with writing(path) as file:
        write_car(file, had, _blocks(store, had))
    return missing


def _gather(market: Market, store: Store, job_id: int) -> tuple[list[Cid], list[Content]]:
    """Have all content at hand: the CIDs of what is, in the chain's order, and what is not."""
    had: dict[Cid, None] = {}
    missing = []
    contents = job_contents(market, job_id)
    with click.progressbar(contents, label="fetching", file=sys.stderr) as progress:
        for content in progress:
            try:
                fetch_verified(
                    store,
                    content.cid,
                    content.content_hash,
                    limit=EVALUATION_LIMIT,
                    name=job_pin(market.id, job_id, content.round),
                )
                had[content.cid] = None
            except (*MALFORMED, *ABSENT):
                missing.append(content)
    return list(had), missing


def _blocks(store: Store, cids: list[Cid]) -> Iterator[Block]:
    for cid in cids:
        yield from blocks_of(store.get(cid, limit=EVALUATION_LIMIT))
