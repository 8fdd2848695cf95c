"""The auction house: requests, bids and the jobs that come of them."""

from __future__ import annotations

from collections.abc import Sequence

from eth_typing import ChecksumAddress

from d2m.chain.client import Chain
from d2m.chain.contracts.contract import DeployedContract
from d2m.chain.transactions import Receipt
from d2m.protocol.types import Auction, Request, SealedBid, Terms


class AuctionHouse(DeployedContract):
    """`IAuctionHouse`. Openers of jobs are read once.

    Bids are in the smallest unit of the auction's token, windows in blocks. A bid in
    ether sends its amount as `value` in wei; one in a token sends none, and the escrow takes what
    it was approved.
    """

    name = "AuctionHouse"

    def __init__(self, chain: Chain) -> None:
        super().__init__(chain)
        self._openers: dict[int, ChecksumAddress] = {}

    def forget(self) -> None:
        """Read everything again."""
        self._openers.clear()

    # --- reads

    def count(self) -> int:
        """Auctions opened so far: their ids count from 1."""
        return int(self.chain.call(self.functions.auctionCount()))

    def auction(self, auction_id: int) -> Auction:
        """An auction's record."""
        return Auction.from_abi(self.chain.call(self.functions.auctionOf(auction_id)))

    def auctions(self, auction_ids: Sequence[int]) -> list[Auction]:
        """The records of several auctions, in order."""
        auction_of = self.functions.auctionOf
        found = self.chain.call_many([auction_of(auction_id) for auction_id in auction_ids])
        return [Auction.from_abi(each) for each in found]

    def request(self, auction_id: int) -> Request:
        """The request that an auction was opened with. Raises LookupError where there is none."""
        log = self.first("AuctionOpened", auctionId=auction_id)
        return Request.from_abi(log["args"]["request"])

    def open_requests(self) -> list[Request]:
        """The requests of all auctions that have not ended."""
        opened = {each["auctionId"]: each["request"] for each in self.events("AuctionOpened")}
        for event in ("AuctionWon", "AuctionVoid", "AuctionCancelled"):
            for each in self.events(event):
                opened.pop(each["auctionId"], None)
        return [Request.from_abi(request) for request in opened.values()]

    def opened_by(self, opener: ChecksumAddress) -> list[int]:
        """The ids of all auctions that an account opened."""
        return [each["auctionId"] for each in self.events("AuctionOpened", opener=opener)]

    def opener(self, job_id: int) -> ChecksumAddress:
        """Requester of the auction that a job came of: it may not be the buyer."""
        if job_id not in self._openers:
            won = self.first("AuctionWon", jobId=job_id)
            self._openers[job_id] = self.auction(won["args"]["auctionId"]).opener
        return self._openers[job_id]

    def void_in(self, auction_id: int) -> int:
        """The block in which an auction ended without a job. Raises LookupError before."""
        return int(self.first("AuctionVoid", auctionId=auction_id)["blockNumber"])

    def tokens(self) -> set[str]:
        """Every token that an auction was ever opened in; zero stands for ether."""
        return {str(each["terms"]["token"]) for each in self.events("AuctionOpened")}

    def minimum_bid(self, auction_id: int) -> int:
        """The least that the next open bid must be."""
        return int(self.chain.call(self.functions.minimumBid(auction_id)))

    def sealed_bid(self, auction_id: int, bidder: ChecksumAddress) -> SealedBid:
        """The record of a sealed bid; a zero commitment where there is none."""
        return SealedBid(*self.chain.call(self.functions.sealedBidOf(auction_id, bidder)))

    def forfeit_bps(self) -> int:
        """Basis points of its deposit that a bid forfeits which is not revealed."""
        return int(self.chain.call(self.functions.FORFEIT_BPS()))

    # --- writes

    def open(self, request: Request, terms: Terms) -> int:
        """Open an auction for a request; its id.

        Refused with TermsOutOfBounds for its terms, and with the jobs' RuleOutOfBounds or BadCid
        for a request that no job could run under.
        """
        receipt = self.chain.send(self.functions.open(request, terms))
        return int(self.told(receipt, "AuctionOpened")["auctionId"])

    def cancel(self, auction_id: int) -> Receipt:
        """Take back an auction of the account's that nobody has bid in.

        Refused with CannotCancel otherwise.
        """
        return self.chain.send(self.functions.cancel(auction_id))

    def bid(self, auction_id: int, amount: int, *, value: int = 0) -> Receipt:
        """Bid openly.

        Refused with NotOpen where no open bid is taken, with BidTooLow below the minimum, with the
        escrow's WrongValue, TooLarge or UnfaithfulToken, and with what the token itself refuses.
        """
        return self.chain.send(self.functions.bid(auction_id, amount), value=value)

    def seal_bid(self, auction_id: int, commitment: bytes, tier: int, *, value: int = 0) -> Receipt:
        """Make a sealed bid with a deposit of the reserve doubled `tier` times.

        Refused with NotOpen where no sealed bid is taken, with EmptyCommitment, with BadTier above
        the highest, with AlreadySealed, and over its payment as `bid`.
        """
        sealed = self.functions.sealBid(auction_id, commitment, tier)
        return self.chain.send(sealed, value=value)

    def reveal_bid(self, auction_id: int, amount: int, salt: bytes) -> Receipt:
        """Reveal the account's sealed bid.

        Refused with NotRevealing outside the window, with NoSealedBid where none is left, with
        CommitmentMismatch for another amount or salt, with BidAboveDeposit and with BidTooLow.
        """
        return self.chain.send(self.functions.revealBid(auction_id, amount, salt))

    def close(self, auction_id: int, request: Request) -> Receipt:
        """Close an auction that is over, and create the winner's job if there is one; for anyone.

        Refused with NotOpen where it is closed, with StillOpen before, and with WrongRequest for
        another request than it was opened with.
        """
        return self.chain.send(self.functions.close(auction_id, request))

    def reclaim(self, auction_id: int, bidder: ChecksumAddress) -> Receipt:
        """Credit a bidder, after the end, what its bid that was not revealed did not forfeit.

        For anyone. Refused with StillOpen before the end, and with NoSealedBid where nothing is
        left.
        """
        return self.chain.send(self.functions.reclaim(auction_id, bidder))
