"""A buyer: opens or joins an auction, bids, keeps its job moving, fetches and checks the model."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from offchain.chain.client import Chain
from offchain.chain.errors import Reverted
from offchain.chain.records import AuctionState, Job, Request, Rules, Terms, tag_of
from offchain.learning.inference import predict
from offchain.learning.spec import JobSpec
from offchain.learning.updates import EvaluationSet, decode_model, encode_evaluation
from offchain.parties.ledger import Situation
from offchain.parties.party import Party
from offchain.store.cid import Cid
from offchain.store.fetch import content_hash
from offchain.store.local import Store

METRIC = "accuracy"
"""The one metric of this version: correctly classified samples of the evaluation set."""
OTHERS_CLOSE_AFTER_BLOCKS = 5
"""The winner closes its auction at once; the others pay for that only if it does not."""
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


class Buyer(Party):
    """One buyer in one auction."""

    watches = ("AuctionHouse", "Jobs")

    def __init__(
        self,
        chain: Chain,
        store: Store,
        *,
        auction_id: int,
        limit: int,
        folder: Path,
        patience_blocks: int,
    ) -> None:
        """`limit` is the highest bid in wei; what is delivered goes to `folder`."""
        super().__init__(chain, store, patience_blocks=patience_blocks)
        self._auction_id = auction_id
        self._limit = limit
        self._folder = folder
        self._job_id = 0
        self.is_out = False
        """Whether the auction ended without a job for this buyer; its bids are withdrawn."""
        self.delivery: Delivery | None = None

    def look(self, block: int) -> None:
        """Take part in the auction while it is open, then in the job that came of it."""
        auction = self.ledger.auction(self._auction_id)
        if auction.state != AuctionState.OPEN:
            self._job_id = auction.job_id if auction.leader == self.chain.address else 0
            if self._job_id:
                super().look(block)
            else:
                self.is_out = True
                self.withdraw(self.ledger.auctions)
        elif block > auction.close_block:
            patience = 0 if auction.leader == self.chain.address else OTHERS_CLOSE_AFTER_BLOCKS
            if block > auction.close_block + patience:
                self._close()
            else:
                self.look_again(auction.close_block + patience + 1)
        elif auction.leader != self.chain.address:
            self._bid()

    def concerns(self, job_id: int, job: Job) -> bool:
        """Whether the job came of the buyer's auction and the buyer won it."""
        return job_id == self._job_id

    def act(self, job_id: int, situation: Situation) -> None:
        """Nothing: a running job needs no more of its buyer than the push of all parties."""

    def finish(self, job_id: int, situation: Situation) -> None:
        """Withdraw what is refunded, fetch the model and measure it."""
        self.withdraw(self.ledger.escrow)
        self.withdraw(self.ledger.auctions)
        if situation.job.accepted_rounds:
            self.delivery = self._receive(job_id, situation.job.accepted_rounds)

    def _bid(self) -> None:
        auctions = self.ledger.auctions.functions
        minimum = self.chain.call(auctions.minimumBid(self._auction_id))
        if minimum > self._limit:
            return
        try:
            self.chain.send(auctions.bid(self._auction_id), value=minimum)
            self.log.info("bid", auction=self._auction_id, wei=minimum)
        except Reverted as refused:
            self.log.info("bid refused", auction=self._auction_id, why=str(refused))

    def _close(self) -> None:
        request = self.ledger.auction_request(self._auction_id)
        try:
            self.chain.send(self.ledger.auctions.functions.close(self._auction_id, request))
            self.log.info("closed auction", auction=self._auction_id)
        except Reverted as refused:
            self.log.debug("closing not needed", auction=self._auction_id, why=str(refused))

    def _receive(self, job_id: int, last_round: int) -> Delivery:
        data = self.desk.model(job_id, last_round)
        on_chain = self.ledger.situation(job_id).job.model_hash
        spec, evaluation = self.desk.spec(job_id), self.desk.evaluation(job_id)
        weights = decode_model(data, spec.model)
        correct = int(
            np.count_nonzero(predict(spec.model, weights, evaluation.inputs) == evaluation.labels)
        )
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
