"""A buyer: opens or joins an auction, bids, keeps its job moving, fetches and checks the model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from nacl.public import PrivateKey

from d2m.chain.client import Chain
from d2m.chain.contracts.erc20 import Erc20
from d2m.chain.errors import Reverted
from d2m.errors import PartyError
from d2m.files import write_file
from d2m.learning.network.exact import predict
from d2m.learning.updates import decode_model
from d2m.parties.buyer.requester import AuctionMemory, AuctionParty
from d2m.protocol.sealed_bids import bid_salt, sealed_commitment, tier_for
from d2m.protocol.types import (
    ETHER,
    Auction,
    AuctionKind,
    Job,
    JobView,
    SealedBid,
)
from d2m.store.cid import Cid
from d2m.store.fetch import content_hash
from d2m.store.local import Store

TOO_LATE = ("AlreadySealed", "BidTooLow", "NotOpen", "NotRevealing", "NoSealedBid")
"""Refusals that mean that the auction has moved on since the look."""
NO_COMMITMENT = bytes(32)
MODEL_FILE, DELIVERY_FILE = "model.safetensors", "delivery.json"


@dataclass(frozen=True)
class Delivery:
    """Model that the buyer received, and its own measurements."""

    job: int
    rounds: int
    model_cid: str
    model_hash: str
    """On chain: keccak256 of the sealed bytes behind the CID."""
    hash_matches: bool
    file_hash: str
    """keccak256 of the opened model, as it lies in the folder."""
    accuracy: float
    """Measured by the buyer with the delivered weights on the evaluation set."""


@dataclass(frozen=True)
class Bid:
    """Bid of a buyer, in the smallest unit of the auction's token."""

    limit: int
    """The highest open bid; the bid itself where bids are sealed."""
    secret: bytes
    """Makes the salt of a sealed bid (`bid_secret`)."""
    larger_deposit: bool = False
    """Whether a sealed bid's deposit shall be twice what is needed: it tells others less."""


@dataclass
class BuyerMemory(AuctionMemory):
    """Memory of a buyer."""

    delivery: Delivery | None = None


class Buyer(AuctionParty):
    """One buyer in one auction, which may be its own."""

    memory: BuyerMemory
    new_memory = BuyerMemory

    def __init__(
        self,
        chain: Chain,
        store: Store,
        key: PrivateKey,
        request_secret: bytes,
        *,
        auction_id: int,
        bid: Bid,
        folder: Path,
        patience_blocks: int,
    ) -> None:
        """Make a buyer that saves the delivered model in `folder`."""
        super().__init__(
            chain,
            store,
            key,
            request_secret,
            auction_id=auction_id,
            patience_blocks=patience_blocks,
        )
        self._bid = bid
        self._folder = folder

    @property
    def is_out(self) -> bool:
        """Whether the auction ended without a job for this buyer.

        Then its money is withdrawn, and the job's key is handed out where it is the opener.
        """
        return self.memory.is_done

    @property
    def delivery(self) -> Delivery | None:
        """The model it has received, with its measurements."""
        return self.memory.delivery

    def has_bid_in(self, auction: Auction) -> bool:
        """Whether it leads an auction under its auction's id, or has sealed a bid there."""
        if auction.kind == AuctionKind.OPEN:
            return auction.leader == self.chain.address
        made = self.market.auctions.sealed_bid(self._auction_id, self.chain.address)
        return made.commitment != NO_COMMITMENT

    def take_part(self, auction: Auction, block: int) -> None:
        """Bid while the auction is open, with a key to which the opener can wrap the job's key."""
        if self.has_bid_in(auction):
            self._register_key()
        if auction.kind == AuctionKind.OPEN:
            self._bid_openly(auction, block)
        else:
            self._bid_sealed(auction, block)

    def after_auction(self, auction: Auction, block: int) -> None:
        """Take back what the auction still holds of a buyer's that has not won it."""
        if auction.job_id and auction.leader == self.chain.address:
            return
        self._leave(auction)
        self.memory.is_done = self.has_handed_out(auction, block)

    def finish(self, job_id: int, view: JobView) -> None:
        """Withdraw what is refunded, fetch the model and measure it."""
        if view.job.buyer != self.chain.address:
            return
        self.tokens |= {view.pots.token}  # its own choice
        self.withdraw(view.pots.token, ETHER)
        if view.job.accepted_rounds:
            self.memory.delivery = self._receive(job_id, view.job)

    # --- bidding

    def _bid_openly(self, auction: Auction, block: int) -> None:
        if auction.leader == self.chain.address or block >= auction.close_block:
            return
        minimum = self.market.auctions.minimum_bid(self._auction_id)
        if minimum <= self._bid.limit:
            bid = partial(self.market.auctions.bid, self._auction_id, minimum)
            self._pay(auction, bid, minimum)

    def _bid_sealed(self, auction: Auction, block: int) -> None:
        """Seal the bid while bids are sealed, then reveal it."""
        made = self.market.auctions.sealed_bid(self._auction_id, self.chain.address)
        if block < auction.close_block:
            self.wake_at(auction.close_block)
            if made.commitment == NO_COMMITMENT and self._bid.limit >= auction.reserve:
                self._seal(auction)
        elif made.commitment != NO_COMMITMENT and not made.closed and block < auction.latest_block:
            self._reveal(made)

    def _seal(self, auction: Auction) -> None:
        larger = self._bid.larger_deposit
        tier = tier_for(self._bid.limit, auction.reserve, auction.token, larger=larger)
        seal = self.market.auctions.seal_bid
        bid = partial(seal, self._auction_id, self._commitment(), tier)
        self._pay(auction, bid, auction.reserve << tier)

    def _reveal(self, made: SealedBid) -> None:
        if made.commitment != self._commitment():
            raise PartyError(
                f"the sealed bid in auction {self._auction_id} was made with another limit:"
                " name that one, or it cannot be revealed and loses a fifth of its deposit"
            )
        salt = bid_salt(self._bid.secret, self._auction_id)
        reveal = self.market.auctions.reveal_bid
        self._send("revealed bid", partial(reveal, self._auction_id, self._bid.limit, salt))

    def _commitment(self) -> bytes:
        return sealed_commitment(
            self.chain.deployment.chain_id,
            self.market.auctions.address,
            self.chain.address,
            self._auction_id,
            self._bid.limit,
            bid_salt(self._bid.secret, self._auction_id),
        )

    def _pay(self, auction: Auction, bid: Callable[..., object], amount: int) -> None:
        """Send a bid, with `amount` as its `value`, or approving no more where it is in a token."""
        self._register_key()
        self.log.info("bids", auction=self._auction_id, amount=amount, token=auction.token)
        if auction.token == ETHER:
            self._send("bid", partial(bid, value=amount))
            return
        token, spender = Erc20(self.chain, auction.token), self.market.escrow.address
        token.approve_exactly(spender, amount)
        if not self._send("bid", bid):
            token.approve_exactly(spender, 0)

    def _register_key(self) -> None:
        """Have a key stand on the chain, before bidding and as long as a bid does."""
        public = bytes(self.key.public_key)
        if self.market.key_rings.key(self.chain.address) != public:
            self.market.key_rings.register(public)
            self.log.info("registered key", public_key=public.hex())

    def _send(self, done: str, send: Callable[[], object]) -> bool:
        """Send what the auction may no longer take; any other refusal is the user's to mend."""
        try:
            send()
        except Reverted as refused:
            if refused.name not in TOO_LATE:
                raise
            self.log.info(f"not {done}", auction=self._auction_id, why=str(refused))
            return False
        self.log.info(done, auction=self._auction_id)
        return True

    # --- the end of the auction

    def _leave(self, auction: Auction) -> None:
        """Take back what the auction still holds of the buyer's, and withdraw."""
        made = self.market.auctions.sealed_bid(self._auction_id, self.chain.address)
        if made.commitment != NO_COMMITMENT and not made.closed:
            reclaim = self.market.auctions.reclaim
            self._send("reclaimed", partial(reclaim, self._auction_id, self.chain.address))
        self.tokens |= {auction.token}  # its own choice
        self.withdraw(auction.token)

    def _receive(self, job_id: int, job: Job) -> Delivery:
        last_round, on_chain = job.accepted_rounds, job.model_hash
        sealed, data = (
            self.inputs.sealed_model(job_id, last_round),
            self.inputs.model(job_id, last_round),
        )
        spec, evaluation = self.inputs.spec(job_id), self.inputs.evaluation(job_id)
        weights = decode_model(data, spec.model)
        correct = evaluation.correct(predict(spec.model, weights, evaluation.inputs))
        delivery = Delivery(
            job=job_id,
            rounds=last_round,
            model_cid=str(Cid(self.market.jobs.result(job_id, last_round).model_cid)),
            model_hash="0x" + on_chain.hex(),
            hash_matches=content_hash(sealed) == on_chain,
            file_hash="0x" + content_hash(data).hex(),
            accuracy=correct / len(evaluation),
        )
        write_file(self._folder / MODEL_FILE, data)
        write_file(self._folder / DELIVERY_FILE, json.dumps(asdict(delivery), indent=2) + "\n")
        self.log.info("delivered", **asdict(delivery))
        return delivery
