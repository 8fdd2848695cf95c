"""Offers of sellers, and the lists that they stand in."""

from __future__ import annotations

from typing import Any

from d2m.protocol.types import Offer, tag_of
from tests.support.evm import event, height, look, send
from tests.support.play import BOND, CID, KEY, Market

A, B, C = tag_of("a"), tag_of("b"), tag_of("c")


def make_offer(market: Market, seller: Any, *tags: bytes) -> int:
    registry = market.registry
    receipt = send(registry.offer, list(tags), CID, KEY, sender=seller, value=BOND)
    return int(event(receipt, registry.Offered)["offerId"])


def offer_of(market: Market, offer_id: int) -> Offer:
    offer = Offer(*look(market.registry.offerOf, offer_id))
    return offer._replace(tags=list(offer.tags))


def listed(market: Market, tag: bytes, block: int | None = None) -> list[int]:
    """The offers under a tag, now or at the end of an earlier block."""
    at = height() if block is None else block
    count = look(market.registry.countAt, tag, at)
    return [look(market.registry.offerAt, tag, index, at) for index in range(count)]
