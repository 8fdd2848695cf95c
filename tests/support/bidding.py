"""One auction and the moves of its bidders, in ether or in a token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ape
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from d2m.protocol.types import ETHER, Auction, AuctionKind, Request, SealedBid, Terms
from tests.support.evm import Receipt, event, look, mine_past, refusal, send
from tests.support.play import TERMS, Market, People, auction_of, open_auction, request

SALT = keccak(b"salt of a sealed bid")
SEALED_DOMAIN = keccak(b"D2M sealed bid v1")
FIRST_PRICE = TERMS._replace(
    kind=AuctionKind.SEALED_FIRST_PRICE, reveal_blocks=6, increment_bps=0, window_blocks=12
)
SECOND_PRICE = FIRST_PRICE._replace(kind=AuctionKind.SEALED_SECOND_PRICE)
TIER = 4
DEPOSIT = TERMS.reserve << TIER
"""What most sealed bids of the tests deposit, whatever they bid."""
FORFEIT = DEPOSIT // 5
"""20 % of it."""


def sealed_commitment(market: Market, bidder: Any, auction_id: int, amount: int) -> bytes:
    """What the interface says that a sealed bid is bound to."""
    types = ["bytes32", "uint256", "address", "address", "uint256", "uint256", "bytes32"]
    chain_id, house = ape.networks.provider.chain_id, market.auction_house.address
    account = bidder if isinstance(bidder, str) else bidder.address
    values = [SEALED_DOMAIN, chain_id, house, account, auction_id, amount, SALT]
    return bytes(keccak(encode(types, values)))


@dataclass(frozen=True)
class Bidding:
    """One auction. A move returns its receipt."""

    market: Market
    people: People
    auction_id: int
    wanted: Request
    terms: Terms
    opened: Receipt

    @classmethod
    def open(
        cls, market: Market, people: People, terms: Terms, wanted: Request | None = None
    ) -> Bidding:
        """An auction that the stranger opens for others to bid in."""
        wanted = request() if wanted is None else wanted
        auction_id, receipt = open_auction(market, wanted, sender=people.stranger, terms=terms)
        return cls(market, people, auction_id, wanted, terms, receipt)

    @property
    def auction(self) -> Auction:
        return auction_of(self.market, self.auction_id)

    @property
    def purse(self) -> int:
        return int(look(self.market.escrow.purseOf, self.auction_id))

    def sealed(self, bidder: Any) -> SealedBid:
        return SealedBid(*look(self.market.auction_house.sealedBidOf, self.auction_id, bidder))

    def credit(self, account: Any) -> int:
        """In the auction's token."""
        return int(look(self.market.escrow.credit, self.terms.token, account))

    def commitment(self, bidder: Any, amount: int) -> bytes:
        return sealed_commitment(self.market, bidder, self.auction_id, amount)

    def bid(self, bidder: Any, amount: int) -> Receipt:
        house = self.market.auction_house
        return send(house.bid, self.auction_id, amount, sender=bidder, value=self._value(amount))

    def seal(self, bidder: Any, amount: int, tier: int = TIER) -> Receipt:
        args = (self.auction_id, self.commitment(bidder, amount), tier)
        value = self._value(self.terms.reserve << tier)
        return send(self.market.auction_house.sealBid, *args, sender=bidder, value=value)

    def reveal(self, bidder: Any, amount: int) -> Receipt:
        args = (self.auction_id, amount, SALT)
        return send(self.market.auction_house.revealBid, *args, sender=bidder)

    def end_bids(self) -> None:
        """The next transaction comes after the last bid or sealed commitment."""
        mine_past(self.auction.close_block)

    def end(self) -> None:
        """The next transaction comes after every window."""
        mine_past(self.auction.latest_block)

    def close(self) -> Receipt:
        args = (self.auction_id, self.wanted)
        return send(self.market.auction_house.close, *args, sender=self.people.stranger)

    def reclaim(self, bidder: Any) -> Receipt:
        args = (self.auction_id, bidder)
        return send(self.market.auction_house.reclaim, *args, sender=self.people.stranger)

    def won(self, receipt: Receipt) -> tuple[Any, int, int]:
        """Winner, price and forfeits of a closing."""
        won = event(receipt, self.market.auction_house.AuctionWon)
        assert won["auctionId"] == self.auction_id
        assert won["jobId"] == self.auction.job_id
        return won["winner"], won["price"], won["forfeits"]

    def bid_is_refused(self, error: Any, bidder: Any, amount: int) -> dict[str, Any]:
        method, value = self.market.auction_house.bid, self._value(amount)
        return refusal(error, method, self.auction_id, amount, sender=bidder, value=value)

    def seal_is_refused(
        self, error: Any, bidder: Any, *, commitment: bytes = SALT, tier: int = TIER
    ) -> dict[str, Any]:
        value = self._value(self.terms.reserve << tier)
        args = (self.auction_id, commitment, tier)
        method = self.market.auction_house.sealBid
        return refusal(error, method, *args, sender=bidder, value=value)

    def reveal_is_refused(
        self, error: Any, bidder: Any, amount: int, *, salt: bytes = SALT
    ) -> dict[str, Any]:
        args = (self.auction_id, amount, salt)
        return refusal(error, self.market.auction_house.revealBid, *args, sender=bidder)

    def close_is_refused(self, error: Any, wanted: Request | None = None) -> dict[str, Any]:
        args = (self.auction_id, self.wanted if wanted is None else wanted)
        method = self.market.auction_house.close
        return refusal(error, method, *args, sender=self.people.stranger)

    def reclaim_is_refused(self, error: Any, bidder: Any) -> dict[str, Any]:
        method = self.market.auction_house.reclaim
        return refusal(error, method, self.auction_id, bidder, sender=self.people.stranger)

    def _value(self, amount: int) -> int:
        return amount if self.terms.token == ETHER else 0
