"""Sellers' offers and their bonds (`SellerRegistry`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from d2m.protocol.types import ETHER
from tests.model_check.model.basics import demand

if TYPE_CHECKING:
    from tests.model_check.model.market import Market

MAX_TAGS = 8


@dataclass
class Offer:
    """One data set of a seller; the bond in wei."""

    seller: str
    bond: int
    tags: tuple[bytes, ...]
    listed: bool = False
    exit_block: int = 0


@dataclass
class Lists:
    """The offers under each tag. A leaver's place is taken by the last."""

    by_tag: dict[bytes, list[int]] = field(default_factory=dict)

    def of(self, tag: bytes) -> list[int]:
        return self.by_tag.setdefault(tag, [])

    def add(self, tag: bytes, offer_id: int) -> None:
        self.of(tag).append(offer_id)

    def remove(self, tag: bytes, offer_id: int) -> None:
        swap_out(self.of(tag), offer_id)


def swap_out(members: list, member: object) -> None:
    """Remove a member; the last takes its place."""
    index, last = members.index(member), members.pop()
    if index < len(members):
        members[index] = last


class Registry:
    """The seller registry. Ids count from 1."""

    def __init__(self, market: Market, bond_unit: int) -> None:
        self.market = market
        self.bond_unit = bond_unit
        self.offers: dict[int, Offer] = {}
        self.lists = Lists()

    def _own(self, sender: str, offer_id: int) -> Offer:
        offer = self.offers.get(offer_id)
        owned = offer is not None and offer.seller == sender and not offer.exit_block
        demand(owned, "NotYourOffer(uint256)", offer_id)
        assert offer is not None
        return offer

    def offer(
        self, sender: str, tags: tuple[bytes, ...], cid: bytes, key: bytes, *, value: int
    ) -> None:
        demand(value == self.bond_unit, "WrongBond(uint256)", self.bond_unit)
        self._check(tags)
        self.market.books.pay_in(ETHER, sender, "registry", value)
        offer_id = len(self.offers) + 1
        self.offers[offer_id] = Offer(sender, value, tags)
        self._list(offer_id)

    def _check(self, tags: tuple[bytes, ...]) -> None:
        demand(1 <= len(tags) <= MAX_TAGS, "BadTagCount(uint256)", len(tags))
        demand(list(tags) == sorted(set(tags)), "TagsNotAscending()")

    def update(
        self, sender: str, offer_id: int, tags: tuple[bytes, ...], cid: bytes, key: bytes
    ) -> None:
        offer = self._own(sender, offer_id)
        self._check(tags)
        listed = offer.listed
        if listed:
            self._unlist(offer_id)
        offer.tags = tags
        if listed:
            self._list(offer_id)

    def pause(self, sender: str, offer_id: int) -> None:
        demand(self._own(sender, offer_id).listed, "AlreadySo()")
        self._unlist(offer_id)

    def resume(self, sender: str, offer_id: int) -> None:
        demand(not self._own(sender, offer_id).listed, "AlreadySo()")
        self._list(offer_id)

    def leave(self, sender: str, offer_id: int) -> None:
        offer = self._own(sender, offer_id)
        if offer.listed:
            self._unlist(offer_id)
        offer.exit_block = self.market.now

    def withdraw_bond(self, sender: str, offer_id: int, to: str) -> None:
        offer = self.offers.get(offer_id)
        mine = offer is not None and offer.seller == sender
        demand(mine, "NotYourOffer(uint256)", offer_id)
        assert offer is not None
        unlock = offer.exit_block + self.market.unbonding
        free = offer.exit_block and self.market.now >= unlock and offer.bond
        demand(bool(free), "BondBound(uint256)", unlock)
        demand(not self.market.refuses(to), "PaymentRefused(address)", to)
        bond, offer.bond = offer.bond, 0
        self.market.send_ether("registry", sender, to, bond)

    def _list(self, offer_id: int) -> None:
        offer = self.offers[offer_id]
        offer.listed = True
        for tag in offer.tags:
            self.lists.add(tag, offer_id)

    def _unlist(self, offer_id: int) -> None:
        offer = self.offers[offer_id]
        offer.listed = False
        for tag in offer.tags:
            self.lists.remove(tag, offer_id)
