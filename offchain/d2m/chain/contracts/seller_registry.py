"""The registry of sellers' offers: tags, descriptions, keys and bonds."""

from __future__ import annotations

from collections.abc import Sequence

from eth_typing import ChecksumAddress

from d2m.chain.contracts.contract import DeployedContract
from d2m.chain.transactions import Receipt
from d2m.protocol.types import Offer


class SellerRegistry(DeployedContract):
    """`ISellerRegistry`. Listing and taking off say the number of tags: gas goes by it.

    All writes on an offer are refused with NotYourOffer where it is another's or has left.
    """

    name = "SellerRegistry"

    # --- reads

    def bond_unit(self) -> int:
        """Wei that one offer binds."""
        return int(self.chain.call(self.functions.bondUnit()))

    def offer(self, offer_id: int) -> Offer:
        """An offer's record; that of nobody where there is none."""
        return Offer(*self.chain.call(self.functions.offerOf(offer_id)))

    def offers(self, offer_ids: Sequence[int]) -> list[Offer]:
        """The records of several offers, in order."""
        offer_of = self.functions.offerOf
        found = self.chain.call_many([offer_of(offer_id) for offer_id in offer_ids])
        return [Offer(*each) for each in found]

    def all_offers(self) -> list[Offer]:
        """The records of all offers, by id."""
        count = self.chain.call(self.functions.offerCount())
        return self.offers(range(1, count + 1))

    def offers_by(self, seller: ChecksumAddress) -> dict[int, Offer]:
        """All offers that a seller ever made, by id."""
        ids = sorted({each["offerId"] for each in self.events("Offered", seller=seller)})
        return dict(zip(ids, self.offers(ids), strict=True))

    def keys_at(self, block: int, offer_ids: Sequence[int]) -> list[bytes]:
        """The X25519 keys that the offers had at the end of a block, in their order."""
        return self.last_keys("Offered", "offerId", offer_ids, block)

    # --- writes

    def make_offer(self, tags: Sequence[bytes], cid: bytes, public_key: bytes, bond: int) -> int:
        """Offer data under ascending tags, for a bond in wei, described at a binary CID; the id.

        Refused with WrongBond unless the bond is a unit, and for what the offer says with
        BadTagCount, TagsNotAscending, BadCid or MissingPublicKey.
        """
        receipt = self.chain.send(self.functions.offer(tags, cid, public_key), value=bond)
        return int(self.told(receipt, "Offered")["offerId"])

    def update(
        self,
        offer_id: int,
        tags: Sequence[bytes],
        cid: bytes,
        public_key: bytes,
        *,
        most_tags: int,
    ) -> Receipt:
        """Replace what an offer says; a paused one stays paused.

        `most_tags` counts those of before or now, whichever are more. Refused with NotYourOffer,
        and for what it says as `make_offer`.
        """
        changed = self.functions.update(offer_id, tags, cid, public_key)
        return self.chain.send(changed, size=most_tags)

    def pause(self, offer_id: int, tag_count: int) -> Receipt:
        """Take an offer off its tags; running jobs keep it.

        Refused with NotYourOffer, and with AlreadySo where it is paused.
        """
        return self.chain.send(self.functions.pause(offer_id), size=tag_count)

    def resume(self, offer_id: int, tag_count: int) -> Receipt:
        """Put a paused offer back under its tags.

        Refused with NotYourOffer, and with AlreadySo where it is listed.
        """
        return self.chain.send(self.functions.resume(offer_id), size=tag_count)

    def leave(self, offer_id: int, tag_count: int) -> int:
        """End an offer; the block from which its bond can be withdrawn.

        Refused with NotYourOffer.
        """
        receipt = self.chain.send(self.functions.leave(offer_id), size=tag_count)
        return int(self.told(receipt, "OfferLeft")["unlockBlock"])

    def withdraw_bond(self, offer_id: int, to: ChecksumAddress | None = None) -> int:
        """Have the bond of an offer that has left paid, to the account by default; in wei.

        Refused with NotYourOffer where it is another's, with BondBound before its block or where
        nothing is left of it, and with PaymentRefused where `to` does not take it.
        """
        receipt = self.chain.send(self.functions.withdrawBond(offer_id, to or self.chain.address))
        return int(self.told(receipt, "BondWithdrawn")["amount"])
