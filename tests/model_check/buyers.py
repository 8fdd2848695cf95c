"""Buyers open auctions, bid, reveal and close."""

from __future__ import annotations

from typing import Any

from d2m.protocol.types import ETHER, AuctionKind, Request, Rules, Terms, tag_of
from tests.model_check.chain import TAGS
from tests.model_check.model.auctions import Auction
from tests.model_check.model.basics import Move, hashed
from tests.model_check.players import Choice, Players
from tests.model_check.truth import CID, HASH

MOST_AUCTIONS = 9  # in one play
MOST_AT_ONCE = 2  # auctions and jobs under way


class Buyers(Players):
    """The choices of buyers."""

    def buyers(self) -> list[Choice]:
        found: list[Choice] = []
        for auction_id, auction in self.auctions().items():
            found += self._in_auction(auction_id, auction)
        busy = len(self.auctions()) + len(self.running())
        if not found and busy < MOST_AT_ONCE and len(self.model.house.all) < MOST_AUCTIONS:
            found.append(self.open_auction)
        return found

    def _in_auction(self, auction_id: int, auction: Auction) -> list[Choice]:
        if self.model.house.is_over(auction):
            return [lambda: self.close(auction_id, auction)]
        if self.model.now <= auction.close_block:
            if len(auction.bids) + len(auction.sealed) >= 3 or auction_id in self.spoiled:
                return []
            bid = self.bid if auction.is_open_kind else self.seal
            return [lambda: bid(auction_id, auction)]
        hidden = [who for who, bid in auction.sealed.items() if bid.amount is None]
        return [
            lambda who=who: self.reveal_bid(auction_id, who)
            for who in hidden
            if (auction_id, who) in self.bids and hashed(auction_id, who)[0] % 4
        ]

    def request(self) -> Request:
        rules = Rules(
            target_bps=9000,
            rounds=self.pick([1, 2]),
            sample_size=self.pick([2, 1, 3]),
            byzantine_bps=self.pick([3000, 2000, 4500]),
            base=self.pick([3, 1, 2, 4]),
            error_ppm=self.pick([1000, 100_000]),
            update_blocks=5,
            commit_blocks=self.pick([9, 5, 12]),
            reveal_blocks=self.pick([9, 5, 12]),
            open_blocks=5,
            judge_blocks=self.pick([5, 8]),
        )
        return Request(self.pick(TAGS), HASH, CID, tag_of("accuracy"), HASH, CID, rules)

    def open_auction(self) -> Move:
        kind = AuctionKind(self.pick([0, 1, 2]))
        setting = self.model.setting
        currencies = [ETHER, setting.token, ETHER, setting.token, ETHER]
        token = self.pick([*currencies, setting.fee_token, setting.false_token])
        is_open_kind = kind is AuctionKind.OPEN
        terms = Terms(
            kind,
            token,
            window_blocks=self.pick([5, 9, 6]),
            reveal_blocks=0 if is_open_kind else self.pick([5, 6]),
            increment_bps=self.pick([500, 0, 3333]) if is_open_kind else 0,
            reserve=self.pick([1000, 1, 10**15 + 7]),
        )
        return Move(self.pick(self.cast.buyers), "house", "open", (self.request(), terms))

    def bid(self, auction_id: int, auction: Auction) -> Move:
        extra = self.pick([0, 1, 777, 10**9])
        amount = auction.minimum + extra
        return self._paying(
            self.pick(self.cast.buyers), "bid", auction, (auction_id, amount), amount
        )

    def seal(self, auction_id: int, auction: Auction) -> Move | None:
        idle = [each for each in self.cast.buyers if each not in auction.sealed]
        if not idle:
            return None
        bidder, tier = self.pick(idle), self.pick([1, 0, 2])
        deposit = auction.terms.reserve << tier
        top = deposit + (1 if self.chance(12) else 0)
        amount = self.pick([deposit, (auction.terms.reserve + deposit) // 2, top])
        salt = hashed(auction_id, bidder, amount)
        commitment = self.model.house.commitment(bidder, auction_id, amount, salt)
        self.bids[auction_id, bidder] = (amount, salt)
        return self._paying(bidder, "sealBid", auction, (auction_id, commitment, tier), deposit)

    def _paying(
        self, bidder: str, function: str, auction: Auction, args: tuple[Any, ...], amount: int
    ) -> Move:
        token, setting = auction.terms.token, self.model.setting
        if token in (setting.false_token, setting.fee_token):
            self.spoiled.add(args[0])
        return Move(bidder, "house", function, args, amount if token == ETHER else 0)

    def reveal_bid(self, auction_id: int, bidder: str) -> Move:
        args = (auction_id, *self.bids[auction_id, bidder])
        return Move(bidder, "house", "revealBid", args)

    def close(self, auction_id: int, auction: Auction) -> Move:
        return Move(self.cast.thief, "house", "close", (auction_id, auction.request))
