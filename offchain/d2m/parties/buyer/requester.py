"""An opener: makes a request, opens its auction, and hands the job's key to those who need it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import NamedTuple

from eth_typing import ChecksumAddress
from nacl.public import PrivateKey

from d2m.chain.client import Chain
from d2m.chain.contracts.market import Market
from d2m.chain.errors import Reverted
from d2m.errors import PartyError
from d2m.jobs.pins import request_pin
from d2m.jobs.rings import hand_out
from d2m.learning.spec import JobSpec
from d2m.learning.updates import EvaluationSet, encode_evaluation
from d2m.parties.daemon import POLL_SECONDS, Memory, Party
from d2m.protocol.types import (
    Auction,
    AuctionKind,
    AuctionState,
    Job,
    JobView,
    Request,
    Rules,
    tag_of,
)
from d2m.sealing.content import seal_evaluation
from d2m.sealing.keys import JobKey
from d2m.store.fetch import content_hash
from d2m.store.local import Store

METRIC = "accuracy"
"""The one metric of this version: correctly classified samples of the evaluation set."""
OTHERS_CLOSE_AFTER_BLOCKS = 5
"""The winner closes its auction at once; the others pay for that only if it does not."""
LASTING_BLOCKS = 64
"""Two epochs of Ethereum, after which a block is final: so long an opener stays behind its post of
the key ring, as a re-organisation that took it away while nobody is there would cost the job."""


class Agreed(NamedTuple):
    """Terms that make an auction the one that was meant, whatever its number."""

    opener: ChecksumAddress
    request_hash: bytes
    kind: AuctionKind
    token: ChecksumAddress
    reserve: int
    increment_bps: int

    @classmethod
    def of(cls, auction: Auction) -> Agreed:
        """That of an auction on the chain."""
        return cls(*(getattr(auction, name) for name in cls._fields))


@dataclass
class AuctionMemory(Memory):
    """Memory of a party that has to do with an auction."""

    job_id: int = 0
    """The job that came of the auction, where it is the party's."""
    handed_out: int | None = None
    """The block since which nobody waits for the job's key."""
    said_of_auction: str = ""
    """Why it is not as it was, as it was logged."""
    is_done: bool = False
    """Whether the party has nothing more to do with the auction."""


def make_request(
    market: Market,
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
    plain, opener = encode_evaluation(evaluation), market.chain.address
    sealed = seal_evaluation(market.id, opener, request_id, key, plain)
    spec_bytes = spec.to_bytes()
    pin = request_pin(market.id, market.chain.block_number())
    return Request(
        tag=tag_of(tag),
        spec_hash=content_hash(spec_bytes),
        spec_cid=store.put(spec_bytes, name=pin).binary,
        metric=tag_of(METRIC),
        evaluation_hash=content_hash(sealed),
        evaluation_cid=store.put(sealed, name=pin).binary,
        rules=rules,
    )


class AuctionParty(Party):
    """Whoever has to do with one auction. Its opener hands out the key of the job it leads to.

    The auction is the one that stood under the number when the party first saw it: numbers count
    all openers' auctions, and a re-organisation may give them in another order.
    """

    watches = ("AuctionHouse", "Jobs", "KeyRings")
    memory: AuctionMemory
    new_memory = AuctionMemory

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
        """Raises PartyError where there can be no such auction."""
        super().__init__(
            chain, store, key, patience_blocks=patience_blocks, request_secret=request_secret
        )
        if auction_id < 1:
            raise PartyError(f"there is no auction {auction_id}: they are counted from 1")
        self._auction_id = auction_id
        self._agreed: Agreed | None = None
        self._find()

    def poll_jobs(self, block: int) -> None:
        """Take part in the auction while it is open, then in the job that came of it."""
        auction = self._find()
        if auction is None:
            return
        if auction.state == AuctionState.OPEN:
            self.take_part(auction, block)
            self._close_in_turn(auction, block)
            return
        ours = self.chain.address in (auction.leader, auction.opener)
        self.memory.job_id = auction.job_id if ours else 0
        if self.memory.job_id:
            super().poll_jobs(block)
        self.after_auction(auction, block)

    # --- which auction

    def wait_until_there(self) -> None:
        """Return once the auction is on the chain."""
        while self._find() is None:
            time.sleep(POLL_SECONDS)

    def _find(self) -> Auction | None:
        """The auction that was meant; None, and said once, where it is not on the chain."""
        there = self.market.auctions.auction(self._auction_id)
        if self._agreed is None and there.state != AuctionState.NONE:
            self._agreed = Agreed.of(there)
        if self._agreed is None:
            self._say(
                f"there is no auction {self._auction_id}, {self.market.auctions.count()} have been"
                " opened so far: it is waited for"
            )
            return None
        if Agreed.of(there) == self._agreed:
            return there
        if self.has_bid_in(there):
            self._say(
                f"auction {self._auction_id} is another's since the chain was re-organised, and"
                " holds a bid of this account: no other is made while it does"
            )
            return None
        return self._find_elsewhere(self._agreed)

    def _find_elsewhere(self, agreed: Agreed) -> Auction | None:
        for auction_id in self.market.auctions.opened_by(agreed.opener):
            auction = self.market.auctions.auction(auction_id)
            if Agreed.of(auction) == agreed:
                self._say(
                    f"auction {self._auction_id} has the id {auction_id} since the chain was"
                    " re-organised"
                )
                self._auction_id = auction_id
                return auction
        self._say(
            f"auction {self._auction_id} of {agreed.opener} is gone since the chain was"
            " re-organised: it is waited for, unless its opener opens another"
        )
        return None

    def _say(self, why: str) -> None:
        if self.memory.said_of_auction != why:
            self.memory.said_of_auction = why
            self.log.warning("auction", why=why)

    def has_bid_in(self, auction: Auction) -> bool:
        """Whether money of the party's lies in an auction under this id."""
        return False

    def take_part(self, auction: Auction, block: int) -> None:
        """Do what is due while the auction is open."""

    def after_auction(self, auction: Auction, block: int) -> None:
        """Do what is due once the auction is over."""

    def keep_registered(self, block: int) -> None:
        """Nothing: who opens or bids needs no more than its key, which goes with its bids."""

    def involves(self, job_id: int, job: Job) -> bool:
        """Whether the job came of the party's auction, and the party won or opened it."""
        return job_id == self.memory.job_id

    def act(self, job_id: int, view: JobView) -> None:
        """Hand out the job's key, as its opener. A running job needs no more of its buyer."""
        if (
            self.memory.handed_out is None
            and self.market.auctions.opener(job_id) == self.chain.address
        ):
            self.memory.handed_out = hand_out(self.inputs, job_id, view.job)

    def finish(self, job_id: int, view: JobView) -> None:
        """Nothing: an opener as such is owed nothing by a job."""

    def has_handed_out(self, auction: Auction, block: int) -> bool:
        """Whether nobody waits for a key from this party, nor will after a re-organisation."""
        since = self._handed_out_since(auction)
        if since is None:
            return False
        if block < since + LASTING_BLOCKS:
            self.wake_at(since + LASTING_BLOCKS)
            return False
        return True

    def _handed_out_since(self, auction: Auction) -> int | None:
        """The block; long ago where nobody ever waits."""
        if auction.opener != self.chain.address or auction.state == AuctionState.CANCELLED:
            return -LASTING_BLOCKS
        if auction.state == AuctionState.VOID:
            return self.market.auctions.void_in(self._auction_id)
        if self.market.situation(auction.job_id).job.state.ended:
            return -LASTING_BLOCKS
        return self.memory.handed_out

    # --- closing

    def _close_in_turn(self, auction: Auction, block: int) -> None:
        """Close the auction once it is over: its leader at once, others if the leader does not."""
        patience = 0 if auction.leader == self.chain.address else OTHERS_CLOSE_AFTER_BLOCKS
        turn = auction.last_block + patience + 1
        if block >= turn:
            self._close()
        else:
            self.wake_at(turn)

    def _close(self) -> None:
        request = self.market.auctions.request(self._auction_id)
        try:
            self.market.auctions.close(self._auction_id, request)
            self.log.info("closed auction", auction=self._auction_id)
        except Reverted as refused:
            self.log.debug("closing not needed", auction=self._auction_id, why=str(refused))


class Requester(AuctionParty):
    """An opener that does not bid: stays until the members have the job's key."""

    @property
    def is_done(self) -> bool:
        """Whether the members have the key, or there is no job to have one for."""
        return self.memory.is_done

    def poll_jobs(self, block: int) -> None:
        """Raises PartyError where the auction is not the account's own."""
        if self._agreed is not None and self._agreed.opener != self.chain.address:
            own = ", ".join(map(str, self.market.auctions.opened_by(self.chain.address))) or "none"
            raise PartyError(
                f"auction {self._auction_id} was opened by {self._agreed.opener}: only that account"
                f" can hand out its job's key (this account's auctions: {own})"
            )
        super().poll_jobs(block)

    def after_auction(self, auction: Auction, block: int) -> None:
        """Done once the members have the key, or there is no job to have one for."""
        self.memory.is_done = self.has_handed_out(auction, block)
