"""Names of the pins of a market's content, from which can be told how long each is needed."""

from __future__ import annotations

import re
from typing import NamedTuple

from d2m.sealing.content import MarketId
from d2m.store.local import OWN_NAME

_JOB = re.compile(r"(\d+)/(\d+)")
_REQUEST = re.compile(r"request/(\d+)")


class Place(NamedTuple):
    """Purpose of a pin."""

    job: int | None
    """None: a request, of which no job need have come."""
    number: int
    """The job's round, 0 for what it began with; of a request the block in which it was made."""


def market_prefix(market: MarketId) -> str:
    """With what the names of all pins of a market begin: others may be kept on the same node."""
    return f"{OWN_NAME}/{market.chain_id}-{market.jobs[2:10].lower()}/"


def job_pin(market: MarketId, job_id: int, round_number: int) -> str:
    """The name of a job's content that came of a round, 0 where the job began with it."""
    return f"{market_prefix(market)}{job_id}/{round_number}"


def request_pin(market: MarketId, block: int) -> str:
    """The name of what a request made at a block names."""
    return f"{market_prefix(market)}request/{block}"


def offer_pin(market: MarketId) -> str:
    """The name of an offer's description, which stays."""
    return f"{market_prefix(market)}offer"


def place_of(market: MarketId, name: str) -> Place | None:
    """Purpose of a pin of this name; None for one that stays."""
    rest = name.removeprefix(market_prefix(market))
    if found := _JOB.fullmatch(rest):
        return Place(int(found[1]), int(found[2]))
    if found := _REQUEST.fullmatch(rest):
        return Place(None, int(found[1]))
    return None
