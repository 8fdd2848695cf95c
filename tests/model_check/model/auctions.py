"""Open and sealed auctions (`AuctionHouse`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eth_utils.crypto import keccak

from d2m.protocol import types
from d2m.protocol.constants import BPS
from d2m.protocol.types import AuctionKind, AuctionState, Request, Terms
from tests.model_check.model.basics import NOBODY, demand, hashed
from tests.model_check.model.encoding import request_hash

if TYPE_CHECKING:
    from tests.model_check.model.market import Market

MIN_WINDOW, MAX_WINDOW = 5, 50_400
EXTENSION, MAX_EXTENSION = 5, 100
MAX_TIER = 20
MAX_RESERVE = (2**128 - 1) >> (MAX_TIER + 24)
FORFEIT_BPS = 2000
SEALED_DOMAIN = keccak(text="D2M sealed bid v1")


@dataclass
class SealedBid:
    """A bidder's commitment; `amount` once it is revealed."""

    commitment: bytes
    deposit: int
    place: int
    amount: int | None = None
    closed: bool = False

    @property
    def forfeit(self) -> int:
        return self.deposit * FORFEIT_BPS // BPS


@dataclass
class Auction:
    """One auction. Amounts in the smallest unit of its token."""

    opener: str
    request: Request
    terms: Terms
    close_block: int
    latest_block: int
    state: AuctionState = AuctionState.OPEN
    bids: list[tuple[str, int]] = field(default_factory=list)
    """Open kind: every bid, each above the one before."""
    sealed: dict[str, SealedBid] = field(default_factory=dict)
    job_id: int = 0

    @property
    def is_open_kind(self) -> bool:
        return self.terms.kind is AuctionKind.OPEN

    @property
    def ranking(self) -> list[tuple[str, int]]:
        """Bidders with their amounts, best first; ties go to the earlier commitment."""
        if self.is_open_kind:
            return self.bids[::-1]
        shown = [(who, bid) for who, bid in self.sealed.items() if bid.amount is not None]
        shown.sort(key=lambda each: (-(each[1].amount or 0), each[1].place))
        return [(who, bid.amount or 0) for who, bid in shown]

    @property
    def leader(self) -> str:
        return self.ranking[0][0] if self.ranking else NOBODY

    @property
    def highest(self) -> int:
        return self.ranking[0][1] if self.ranking else 0

    @property
    def second(self) -> int:
        """Sealed kinds: the best revealed bid but the leader's."""
        return 0 if self.is_open_kind or len(self.ranking) < 2 else self.ranking[1][1]

    @property
    def revealed(self) -> int:
        return sum(bid.amount is not None for bid in self.sealed.values())

    @property
    def forfeits(self) -> int:
        return sum(bid.forfeit for bid in self.sealed.values() if bid.amount is None)

    @property
    def held(self) -> int:
        """What lies in the purse for the leader."""
        return self.highest if self.is_open_kind else self.sealed[self.leader].deposit

    @property
    def price(self) -> int:
        if self.terms.kind is AuctionKind.SEALED_SECOND_PRICE:
            return max(self.second, self.terms.reserve)
        return self.highest

    @property
    def minimum(self) -> int:
        if not self.highest:
            return self.terms.reserve
        return self.highest + max(1, self.highest * self.terms.increment_bps // BPS)

    def row(self) -> types.Auction:
        place = 0 if self.is_open_kind or not self.ranking else self.sealed[self.leader].place
        return types.Auction(
            self.state,
            self.terms.kind,
            self.terms.increment_bps,
            self.close_block,
            self.latest_block,
            len(self.sealed),
            self.revealed,
            place,
            self.opener,
            self.terms.token,
            self.leader,
            self.highest,
            self.second,
            self.terms.reserve,
            self.forfeits,
            request_hash(self.request),
            self.job_id,
        )

    def sealed_row(self, bidder: str) -> types.SealedBid:
        bid = self.sealed.get(bidder)
        if bid is None:
            return types.SealedBid(bytes(32), 0, 0, False)
        return types.SealedBid(bid.commitment, bid.deposit, bid.place, bid.closed)


class Auctions:
    """The auction house. Ids count from 1."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.all: dict[int, Auction] = {}

    def _open(self, auction_id: int, error: str = "NotOpen()") -> Auction:
        auction = self.all.get(auction_id)
        demand(auction is not None and auction.state is AuctionState.OPEN, error)
        assert auction is not None
        return auction

    def open(self, sender: str, request: Request, terms: Terms) -> None:
        self._check(terms)
        close_block = self.market.now + terms.window_blocks
        is_open_kind = terms.kind is AuctionKind.OPEN
        latest = close_block + (MAX_EXTENSION if is_open_kind else terms.reveal_blocks)
        auction = Auction(sender, request, terms, close_block, latest)
        self.all[len(self.all) + 1] = auction

    def _check(self, terms: Terms) -> None:
        window, reveal = terms.window_blocks, terms.reveal_blocks
        fits = MIN_WINDOW <= window <= MAX_WINDOW and 0 < terms.reserve <= MAX_RESERVE
        fits = fits and terms.token in self.market.currencies
        if terms.kind is AuctionKind.OPEN:
            fits = fits and terms.increment_bps <= BPS and reveal == 0
        else:
            fits = fits and terms.increment_bps == 0 and MIN_WINDOW <= reveal <= MAX_WINDOW
        demand(fits, "TermsOutOfBounds()")

    def cancel(self, sender: str, auction_id: int) -> None:
        auction = self._open(auction_id, "CannotCancel()")
        untouched = not auction.bids and not auction.sealed
        demand(untouched and auction.opener == sender, "CannotCancel()")
        auction.state = AuctionState.CANCELLED

    def bid(self, sender: str, auction_id: int, amount: int, *, value: int) -> None:
        auction = self._open(auction_id)
        demand(auction.is_open_kind and self.market.now <= auction.close_block, "NotOpen()")
        demand(amount >= auction.minimum, "BidTooLow(uint256)", auction.minimum)
        escrow, token = self.market.escrow, auction.terms.token
        escrow.deposit(auction_id, token, sender, amount, value)
        if auction.bids:
            escrow.refund(auction_id, token, *auction.ranking[0])
        auction.bids.append((sender, amount))
        extended = min(self.market.now + EXTENSION, auction.latest_block)
        auction.close_block = max(auction.close_block, extended)

    def seal_bid(
        self, sender: str, auction_id: int, commitment: bytes, tier: int, *, value: int
    ) -> None:
        auction = self._open(auction_id)
        demand(not auction.is_open_kind and self.market.now <= auction.close_block, "NotOpen()")
        demand(commitment != bytes(32), "EmptyCommitment()")
        demand(tier <= MAX_TIER, "BadTier()")
        demand(sender not in auction.sealed, "AlreadySealed()")
        deposit = auction.terms.reserve << tier
        self.market.escrow.deposit(auction_id, auction.terms.token, sender, deposit, value)
        auction.sealed[sender] = SealedBid(commitment, deposit, len(auction.sealed) + 1)

    def commitment(self, bidder: str, auction_id: int, amount: int, salt: bytes) -> bytes:
        place = (self.market.chain_id, self.market.address("house"), bidder, auction_id)
        return hashed(SEALED_DOMAIN, *place, amount, salt)

    def reveal_bid(self, sender: str, auction_id: int, amount: int, salt: bytes) -> None:
        auction = self._open(auction_id, "NotRevealing()")
        in_time = auction.close_block < self.market.now <= auction.latest_block
        demand(not auction.is_open_kind and in_time, "NotRevealing()")
        bid = auction.sealed.get(sender)
        demand(bid is not None and not bid.closed, "NoSealedBid()")
        assert bid is not None
        opens = bid.commitment == self.commitment(sender, auction_id, amount, salt)
        demand(opens, "CommitmentMismatch()")
        demand(amount <= bid.deposit, "BidAboveDeposit(uint256)", bid.deposit)
        reserve = auction.terms.reserve
        demand(amount >= reserve, "BidTooLow(uint256)", reserve)
        led = auction.leader
        bid.amount, bid.closed = amount, True
        beaten = led if auction.leader == sender else sender
        if beaten != NOBODY:
            deposit = auction.sealed[beaten].deposit
            self.market.escrow.refund(auction_id, auction.terms.token, beaten, deposit)

    def is_over(self, auction: Auction) -> bool:
        complete = auction.is_open_kind or auction.revealed == len(auction.sealed)
        return self.market.now > (auction.close_block if complete else auction.latest_block)

    def close(self, sender: str, auction_id: int, request: Request) -> None:
        auction, now = self._open(auction_id), self.market.now
        demand(now > auction.close_block, "StillOpen(uint256)", auction.close_block)
        demand(self.is_over(auction), "StillOpen(uint256)", auction.latest_block)
        demand(request == auction.request, "WrongRequest()")
        escrow, token, winner = self.market.escrow, auction.terms.token, auction.leader
        if winner == NOBODY or not self.market.jobs.is_feasible(request.tag):
            auction.state = AuctionState.VOID
            if winner != NOBODY:
                escrow.refund(auction_id, token, winner, auction.held)
            escrow.refund(auction_id, token, auction.opener, auction.forfeits)
            self.market.books.earned[token, auction.opener] += auction.forfeits
            return
        auction.state = AuctionState.WON
        # Others' forfeits are part of the price, which comes back when the job fails.
        self.market.books.earned[token, winner] += auction.forfeits
        auction.job_id = self.market.jobs.create(request, winner)
        escrow.refund(auction_id, token, winner, auction.held - auction.price)
        escrow.fund(auction.job_id, auction_id, token, auction.price + auction.forfeits)

    def reclaim(self, sender: str, auction_id: int, bidder: str) -> None:
        auction = self.all.get(auction_id)
        # An auction that does not exist is not open, and holds no bid.
        demand(auction is not None, "NoSealedBid()")
        assert auction is not None
        open_ = auction.state is AuctionState.OPEN
        demand(not open_, "StillOpen(uint256)", auction.latest_block)
        bid = auction.sealed.get(bidder)
        demand(bid is not None and not bid.closed, "NoSealedBid()")
        assert bid is not None
        bid.closed = True
        rest = bid.deposit - bid.forfeit
        self.market.escrow.refund(auction_id, auction.terms.token, bidder, rest)
