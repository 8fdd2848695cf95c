"""A buyer: opens or joins an auction, bids, keeps its job moving, fetches and checks the model."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from web3.contract.contract import ContractFunction

from offchain.chain.client import Chain
from offchain.chain.errors import Reverted
from offchain.chain.records import (
    ETHER,
    Auction,
    AuctionKind,
    AuctionState,
    Job,
    JobView,
    Request,
    Rules,
    SealedBid,
    Terms,
    tag_of,
)
from offchain.learning.inference import predict
from offchain.learning.spec import JobSpec
from offchain.learning.updates import EvaluationSet, decode_model, encode_evaluation
from offchain.parties.errors import PartyError
from offchain.parties.ledger import Ledger
from offchain.parties.party import Party
from offchain.parties.sealed import bid_salt, sealed_commitment, tier_for
from offchain.parties.tokens import approve_exactly
from offchain.store.cid import Cid
from offchain.store.fetch import content_hash
from offchain.store.local import Store

METRIC = "accuracy"
"""The one metric of this version: correctly classified samples of the evaluation set."""
OTHERS_CLOSE_AFTER_BLOCKS = 5
"""The winner closes its auction at once; the others pay for that only if it does not."""
TOO_LATE = ("AlreadySealed", "BidTooLow", "NotOpen", "NotRevealing", "NoSealedBid")
"""Refusals that mean that the auction has moved on since the look."""
NO_COMMITMENT = bytes(32)
MODEL_FILE, DELIVERY_FILE = "model.safetensors", "delivery.json"


@dataclass(frozen=True)
class Delivery:
    """What the buyer received and measured itself."""

    job: int
    rounds: int
    model_cid: str
    model_hash: str
    hash_matches: bool
    accuracy: float
    """Measured by the buyer with the delivered weights on the evaluation set."""


def make_request(
    store: Store, tag: str, spec: JobSpec, evaluation: EvaluationSet, rules: Rules
) -> Request:
    """Pin the job specification and the evaluation set, and name them in a request."""
    spec_bytes, evaluation_bytes = spec.to_bytes(), encode_evaluation(evaluation)
    return Request(
        tag=tag_of(tag),
        spec_hash=content_hash(spec_bytes),
        spec_cid=store.put(spec_bytes).binary,
        metric=tag_of(METRIC),
        evaluation_hash=content_hash(evaluation_bytes),
        evaluation_cid=store.put(evaluation_bytes).binary,
        rules=rules,
    )


@dataclass(frozen=True)
class Bid:
    """What a buyer is willing to pay, in the smallest unit of the auction's token."""

    limit: int
    """The highest open bid; the bid itself where bids are sealed."""
    secret: bytes
    """Makes the salt of a sealed bid (`bid_secret`)."""
    larger_deposit: bool = False
    """Whether a sealed bid's deposit shall be twice what is needed: it tells others less."""


class Buyer(Party):
    """One buyer in one auction."""

    watches = ("AuctionHouse", "Jobs")

    def __init__(
        self,
        chain: Chain,
        store: Store,
        *,
        auction_id: int,
        bid: Bid,
        folder: Path,
        patience_blocks: int,
    ) -> None:
        """What is delivered goes to `folder`."""
        super().__init__(chain, store, patience_blocks=patience_blocks)
        self._auction_id = auction_id
        self._bid = bid
        self._folder = folder
        self._job_id = 0
        self.is_out = False
        """Whether the auction ended without a job for this buyer; its money is withdrawn."""
        self.delivery: Delivery | None = None

    def look(self, block: int) -> None:
        """Take part in the auction while it is open, then in the job that came of it."""
        auction = self.ledger.auction(self._auction_id)
        if auction.state == AuctionState.NONE:
            raise PartyError(f"there is no auction {self._auction_id}")
        if auction.state != AuctionState.OPEN:
            self._job_id = auction.job_id if auction.leader == self.chain.address else 0
            if self._job_id:
                super().look(block)
            else:
                self._leave(auction)
            return
        if auction.kind == AuctionKind.OPEN:
            self._bid_openly(auction, block)
        else:
            self._bid_sealed(auction, block)
        self._close_in_turn(auction, block)

    def concerns(self, job_id: int, job: Job) -> bool:
        """Whether the job came of the buyer's auction and the buyer won it."""
        return job_id == self._job_id

    def act(self, job_id: int, view: JobView) -> None:
        """Nothing: a running job needs no more of its buyer than the push of all parties."""

    def finish(self, job_id: int, view: JobView) -> None:
        """Withdraw what is refunded, fetch the model and measure it."""
        self.withdraw(view.pots.token, ETHER)
        if view.job.accepted_rounds:
            self.delivery = self._receive(job_id, view.job)

    # --- bidding

    def _bid_openly(self, auction: Auction, block: int) -> None:
        if auction.leader == self.chain.address or block >= auction.close_block:
            return
        auctions = self.ledger.auctions.functions
        minimum = self.chain.call(auctions.minimumBid(self._auction_id))
        if minimum <= self._bid.limit:
            self._pay(auction, auctions.bid(self._auction_id, minimum), minimum)

    def _bid_sealed(self, auction: Auction, block: int) -> None:
        """Seal the bid while bids are sealed, then reveal it."""
        made = self.ledger.sealed_bid(self._auction_id, self.chain.address)
        if block < auction.close_block:
            self.look_again(auction.close_block)
            if made.commitment == NO_COMMITMENT and self._bid.limit >= auction.reserve:
                self._seal(auction)
        elif made.commitment != NO_COMMITMENT and not made.closed and block < auction.latest_block:
            self._reveal(made)

    def _seal(self, auction: Auction) -> None:
        tier = tier_for(self._bid.limit, auction.reserve, larger=self._bid.larger_deposit)
        seal = self.ledger.auctions.functions.sealBid
        bid = seal(self._auction_id, self._commitment(), tier)
        self._pay(auction, bid, auction.reserve << tier)

    def _reveal(self, made: SealedBid) -> None:
        if made.commitment != self._commitment():
            raise PartyError(
                f"the sealed bid in auction {self._auction_id} was made with another limit:"
                " name that one, or it cannot be revealed and loses a fifth of its deposit"
            )
        salt = bid_salt(self._bid.secret, self._auction_id)
        reveal = self.ledger.auctions.functions.revealBid
        self._send("revealed bid", reveal(self._auction_id, self._bid.limit, salt))

    def _commitment(self) -> bytes:
        return sealed_commitment(
            self.chain.deployment.chain_id,
            self.ledger.auctions.address,
            self.chain.address,
            self._auction_id,
            self._bid.limit,
            bid_salt(self._bid.secret, self._auction_id),
        )

    def _pay(self, auction: Auction, bid: ContractFunction, amount: int) -> None:
        """Send a bid with `amount`, approving no more than that where it is in a token."""
        self.log.info("bids", auction=self._auction_id, amount=amount, token=auction.token)
        if auction.token == ETHER:
            self._send("bid", bid, value=amount)
            return
        spender = self.ledger.escrow.address
        approve_exactly(self.chain, auction.token, spender, amount)
        if not self._send("bid", bid):
            approve_exactly(self.chain, auction.token, spender, 0)

    def _send(self, done: str, function: ContractFunction, *, value: int = 0) -> bool:
        """Send what the auction may no longer take; any other refusal is the user's to mend."""
        try:
            self.chain.send(function, value=value)
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
        made = self.ledger.sealed_bid(self._auction_id, self.chain.address)
        if made.commitment != NO_COMMITMENT and not made.closed:
            reclaim = self.ledger.auctions.functions.reclaim
            self._send("reclaimed", reclaim(self._auction_id, self.chain.address))
        self.withdraw(auction.token)
        self.is_out = True

    def _close_in_turn(self, auction: Auction, block: int) -> None:
        """Close the auction once it is over: its leader at once, others if the leader does not."""
        patience = 0 if auction.leader == self.chain.address else OTHERS_CLOSE_AFTER_BLOCKS
        turn = auction.last_block + patience + 1
        if block >= turn:
            self._close()
        else:
            self.look_again(turn)

    def _close(self) -> None:
        request = self.ledger.auction_request(self._auction_id)
        try:
            self.chain.send(self.ledger.auctions.functions.close(self._auction_id, request))
            self.log.info("closed auction", auction=self._auction_id)
        except Reverted as refused:
            self.log.debug("closing not needed", auction=self._auction_id, why=str(refused))

    def _receive(self, job_id: int, job: Job) -> Delivery:
        last_round, on_chain = job.accepted_rounds, job.model_hash
        data = self.desk.model(job_id, last_round)
        spec, evaluation = self.desk.spec(job_id), self.desk.evaluation(job_id)
        weights = decode_model(data, spec.model)
        correct = evaluation.correct(predict(spec.model, weights, evaluation.inputs))
        delivery = Delivery(
            job=job_id,
            rounds=last_round,
            model_cid=str(Cid(self.ledger.result(job_id, last_round).model_cid)),
            model_hash="0x" + on_chain.hex(),
            hash_matches=content_hash(data) == on_chain,
            accuracy=correct / len(evaluation),
        )
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / MODEL_FILE).write_bytes(data)
        (self._folder / DELIVERY_FILE).write_text(json.dumps(asdict(delivery), indent=2) + "\n")
        self.log.info("delivered", **asdict(delivery))
        return delivery


def open_auction(chain: Chain, request: Request, terms: Terms) -> int:
    """Open an auction; its id."""
    auctions = chain.contract("AuctionHouse")
    receipt = chain.send(auctions.functions.open(request, terms))
    return int(chain.events(receipt, "AuctionHouse", "AuctionOpened")[0]["args"]["auctionId"])


def cancel_auction(ledger: Ledger, auction_id: int) -> None:
    """Take back an auction of the account's that nobody has bid in."""
    ledger.chain.send(ledger.auctions.functions.cancel(auction_id))


def withdraw_credit(ledger: Ledger, token: str) -> int:
    """Withdraw the account's credit in `token`; the amount in its smallest unit."""
    receipt = ledger.chain.send(ledger.escrow.functions.withdraw(token, ledger.chain.address))
    return int(ledger.chain.events(receipt, "Escrow", "Withdrawn")[0]["args"]["amount"])
