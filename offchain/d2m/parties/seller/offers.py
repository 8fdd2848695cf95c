"""A seller's offers: making, changing, pausing and ending them."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from d2m.chain.contracts.market import Market
from d2m.errors import NotRegistered, PartyError
from d2m.jobs.pins import offer_pin
from d2m.protocol.types import Offer, tag_of, text_of
from d2m.store.local import Store

log = structlog.get_logger()


def ensure_offered(
    market: Market,
    store: Store,
    tags: Sequence[str],
    description: bytes,
    public_key: bytes,
    offer_id: int | None = None,
) -> int:
    """Have the data stand under `tags`, described so; the offer's id.

    The account's offer of the same tags and description is found again, whoever started this
    process before; `offer_id` names one to change instead. With neither, a new offer is made for
    one bond. A paused offer is resumed; one that has left stays as it is, for its last jobs.
    Raises PartyError when `offer_id` is not the account's.
    """
    wanted, cid = sorted(tag_of(tag) for tag in tags), _described(market, store, description)
    if offer_id is None:
        offer_id = _find(standing_offers(market), wanted, cid)
    if offer_id is None:
        return _make(market, wanted, cid, public_key)
    offer = _named(market, offer_id)
    if offer.exit_block:
        log.info("offer has left, only its running jobs are served", offer=offer_id)
        return offer_id
    _change(market, offer_id, offer, wanted, cid, public_key)
    return offer_id


def restore(market: Market, offer_id: int, known: Offer) -> int:
    """Have an offer stand again as it was last seen before the chain was re-organised; its id.

    Ids count all sellers' offers, so in another order there are others: an offer is known by what
    it says. One that is gone is made again for the same bond. Raises NotRegistered where it is
    gone and had not been listed.
    """
    ours = market.registry.offers_by(market.chain.address)
    same = [each for each, offer in ours.items() if _says(offer) == _says(known)]
    found = offer_id if offer_id in same or not same else same[0]
    if found in ours:
        if known.listed and not ours[found].exit_block:
            _change(market, found, ours[found], *_says(known), known.public_key)
        return found
    if not known.listed:
        raise NotRegistered(
            f"offer {offer_id} is not on the chain any more, and was not listed: end this process,"
            " or start it again to offer the data anew"
        )
    log.warning("the offer is gone, the chain was re-organised: made again", offer=offer_id)
    return _make(market, *_says(known), known.public_key)


def standing_offers(market: Market) -> dict[int, Offer]:
    """The account's offers that have not left, paused ones included, by id."""
    made = market.registry.offers_by(market.chain.address)
    return {offer_id: offer for offer_id, offer in made.items() if not offer.exit_block}


def pause(market: Market, offer_id: int) -> None:
    """Take an offer off its tags; running jobs keep it."""
    market.registry.pause(offer_id, _tag_count(market, offer_id))


def resume(market: Market, offer_id: int) -> None:
    """Put a paused offer back under its tags."""
    market.registry.resume(offer_id, _tag_count(market, offer_id))


def leave(market: Market, offer_id: int) -> int:
    """End an offer; the block from which its bond can be withdrawn."""
    return market.registry.leave(offer_id, _tag_count(market, offer_id))


def _tag_count(market: Market, offer_id: int) -> int:
    """Number of tags that listing or unlisting an offer costs by; 1 for one that is not there."""
    return max(1, len(market.registry.offer(offer_id).tags))


def _says(offer: Offer) -> tuple[list[bytes], bytes]:
    return list(offer.tags), offer.metadata_cid


def _described(market: Market, store: Store, description: bytes) -> bytes:
    """The binary CID of an offer's description, pinned."""
    return store.put(description, name=offer_pin(market.id)).binary


def _find(offers: dict[int, Offer], tags: list[bytes], cid: bytes) -> int | None:
    same = [i for i, offer in offers.items() if (offer.tags, offer.metadata_cid) == (tags, cid)]
    return same[0] if same else None


def _named(market: Market, offer_id: int) -> Offer:
    ours = market.registry.offers_by(market.chain.address)
    if offer_id not in ours:
        known = ", ".join(str(each) for each in ours) or "none"
        raise PartyError(f"offer {offer_id} is not this account's (yours: {known})")
    return ours[offer_id]


def _change(
    market: Market, offer_id: int, offer: Offer, tags: list[bytes], cid: bytes, public_key: bytes
) -> None:
    """Have a standing offer say this, and be listed."""
    if (*_says(offer), offer.public_key) != (tags, cid, public_key):
        most_tags = max(len(offer.tags), len(tags))
        market.registry.update(offer_id, tags, cid, public_key, most_tags=most_tags)
        log.info("changed offer", offer=offer_id, tags=[text_of(tag) for tag in tags])
    if not offer.listed:
        market.registry.resume(offer_id, len(tags))
        log.info("resumed offer", offer=offer_id)


def _make(market: Market, tags: list[bytes], cid: bytes, public_key: bytes) -> int:
    bond = market.registry.bond_unit()
    offer_id = market.registry.make_offer(tags, cid, public_key, bond)
    log.info("offered", offer=offer_id, bond_wei=bond)
    return offer_id
