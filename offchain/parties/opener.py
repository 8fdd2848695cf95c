"""An opener: makes a request, opens its auction, and hands the job's key to those who need it."""

from __future__ import annotations

from nacl.public import PrivateKey

from offchain.chain.client import Chain
from offchain.chain.errors import Reverted
from offchain.chain.records import (
    Auction,
    AuctionState,
    Job,
    JobView,
    Request,
    Rules,
    Terms,
    tag_of,
)
from offchain.learning.spec import JobSpec
from offchain.learning.updates import EvaluationSet, encode_evaluation
from offchain.parties.errors import PartyError
from offchain.parties.ledger import Ledger
from offchain.parties.party import Party
from offchain.parties.rings import hand_out
from offchain.sealing.content import seal_evaluation
from offchain.sealing.keys import JobKey
from offchain.store.fetch import content_hash
from offchain.store.local import Store

METRIC = "accuracy"
"""The one metric of this version: correctly classified samples of the evaluation set."""
OTHERS_CLOSE_AFTER_BLOCKS = 5
"""The winner closes its auction at once; the others pay for that only if it does not."""


def make_request(
    ledger: Ledger,
    store: Store,
    key: JobKey,
    request_id: bytes,
    tag: str,
    spec: JobSpec,
    evaluation: EvaluationSet,
    rules: Rules,
) -> Request:
    """Pin the job specification and the sealed evaluation set, and name them in a request.

    The specification stays in the clear: sellers and bidders decide by it. `key` is the one that
    the account makes for `request_id`, 32 bytes that no other request of the account has.
    """
    plain, opener = encode_evaluation(evaluation), ledger.chain.address
    sealed = seal_evaluation(ledger.market, opener, request_id, key, plain)
    spec_bytes = spec.to_bytes()
    return Request(
        tag=tag_of(tag),
        spec_hash=content_hash(spec_bytes),
        spec_cid=store.put(spec_bytes).binary,
        metric=tag_of(METRIC),
        evaluation_hash=content_hash(sealed),
        evaluation_cid=store.put(sealed).binary,
        rules=rules,
    )


class AuctionParty(Party):
    """Whoever has to do with one auction. Its opener hands out the key of the job it leads to."""

    watches = ("AuctionHouse", "Jobs", "KeyRings")

    def __init__(
        self,
        chain: Chain,
        store: Store,
        key: PrivateKey,
        request_secret: bytes,
        *,
        auction_id: int,
        patience_blocks: int,
    ) -> None:
        super().__init__(
            chain, store, key, patience_blocks=patience_blocks, request_secret=request_secret
        )
        self._auction_id = auction_id
        self._job_id = 0
        self._handed_out = False

    def look(self, block: int) -> None:
        """Take part in the auction while it is open, then in the job that came of it."""
        auction = self.ledger.auction(self._auction_id)
        if auction.state == AuctionState.NONE:
            raise PartyError(f"there is no auction {self._auction_id}")
        if auction.state == AuctionState.OPEN:
            self.take_part(auction, block)
            self._close_in_turn(auction, block)
            return
        ours = self.chain.address in (auction.leader, auction.opener)
        self._job_id = auction.job_id if ours else 0
        if self._job_id:
            super().look(block)
        self.see_off(auction)

    def take_part(self, auction: Auction, block: int) -> None:
        """Do what is due while the auction is open."""

    def see_off(self, auction: Auction) -> None:
        """Do what is due once the auction is over."""

    def concerns(self, job_id: int, job: Job) -> bool:
        """Whether the job came of the party's auction, and the party won or opened it."""
        return job_id == self._job_id

    def act(self, job_id: int, view: JobView) -> None:
        """Hand out the job's key, as its opener. A running job needs no more of its buyer."""
        if not self._handed_out and self.ledger.opener(job_id) == self.chain.address:
            self._handed_out = hand_out(self.desk, job_id, view.job)

    def finish(self, job_id: int, view: JobView) -> None:
        """Nothing: an opener as such is owed nothing by a job."""

    def has_handed_out(self, auction: Auction) -> bool:
        """Whether nobody waits for a key from this party any more."""
        ended = not auction.job_id or self.ledger.situation(auction.job_id).job.state.ended
        return ended or self._handed_out or auction.opener != self.chain.address

    # --- closing

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


class Opener(AuctionParty):
    """An opener that does not bid: stays until the members have the job's key."""

    is_done = False

    def look(self, block: int) -> None:
        """Raises PartyError where the auction is not the account's own."""
        auction = self.ledger.auction(self._auction_id)
        if auction.state != AuctionState.NONE and auction.opener != self.chain.address:
            raise PartyError(
                f"auction {self._auction_id} was opened by {auction.opener}: only that account can"
                " hand out its job's key"
            )
        super().look(block)

    def see_off(self, auction: Auction) -> None:
        """Done once the members have the key, or there is no job to have one for."""
        self.is_done = self.has_handed_out(auction)


def open_auction(chain: Chain, request: Request, terms: Terms) -> int:
    """Open an auction; its id."""
    auctions = chain.contract("AuctionHouse")
    receipt = chain.send(auctions.functions.open(request, terms))
    return int(chain.events(receipt, "AuctionHouse", "AuctionOpened")[0]["args"]["auctionId"])


def cancel_auction(ledger: Ledger, auction_id: int) -> None:
    """Take back an auction of the account's that nobody has bid in."""
    ledger.chain.send(ledger.auctions.functions.cancel(auction_id))
