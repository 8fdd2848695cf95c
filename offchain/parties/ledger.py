"""What the market's contracts say, typed: reads only."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

from eth_typing import ChecksumAddress
from web3.contract import Contract

from offchain.chain.client import Chain
from offchain.chain.records import Auction, Frozen, Job, Poll, Pots, Request, Verdict, fields
from offchain.yoda.votes import RoundResult


class PostedUpdate(NamedTuple):
    """Where a seller's update lies: keccak256 of its bytes, and the binary CID it named."""

    content_hash: bytes
    cid: bytes


class Situation(NamedTuple):
    """A job at one moment: its record, the vote on its round, and whether `advance` is due."""

    job: Job
    poll: Poll
    due: bool


class Ledger:
    """Reads of one deployment. What cannot change any more is read once."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self._requests: dict[int, Request] = {}
        self._results: dict[tuple[int, int], RoundResult] = {}
        self._sellers: dict[int, list[ChecksumAddress]] = {}
        self._nodes: dict[int, list[ChecksumAddress]] = {}

    @cached_property
    def jobs(self) -> Contract:
        """The job contract."""
        return self.chain.contract("Jobs")

    @cached_property
    def yoda(self) -> Contract:
        """The voting contract."""
        return self.chain.contract("Yoda")

    @cached_property
    def pool(self) -> Contract:
        """The CONE pool."""
        return self.chain.contract("ConePool")

    @cached_property
    def escrow(self) -> Contract:
        """The escrow."""
        return self.chain.contract("Escrow")

    @cached_property
    def auctions(self) -> Contract:
        """The auction house."""
        return self.chain.contract("AuctionHouse")

    @cached_property
    def registry(self) -> Contract:
        """The seller registry."""
        return self.chain.contract("SellerRegistry")

    # --- auctions

    def auction(self, auction_id: int) -> Auction:
        """An auction's record."""
        return Auction(*self.chain.call(self.auctions.functions.auctionOf(auction_id)))

    def auction_request(self, auction_id: int) -> Request:
        """The request that an auction was opened with."""
        log = self._only("AuctionHouse", "AuctionOpened", {"auctionId": auction_id})
        return Request.from_abi(log["request"])

    # --- jobs

    def job_count(self) -> int:
        """Jobs created so far."""
        return int(self.chain.call(self.jobs.functions.jobCount()))

    def situation(self, job_id: int) -> Situation:
        """A job, its vote, and whether the next block may move it on."""
        job, poll = self.chain.call_many(
            [self.jobs.functions.jobOf(job_id), self.yoda.functions.pollOf(job_id)]
        )
        due = self.chain.call(self.jobs.functions.isDue(job_id), block="pending")
        return Situation(Job.from_abi(job), Poll.from_abi(poll), bool(due))

    def request(self, job_id: int) -> Request:
        """What the job was created for."""
        if job_id not in self._requests:
            log = self._only("Jobs", "JobCreated", {"jobId": job_id})
            self._requests[job_id] = Request.from_abi(log["request"])
        return self._requests[job_id]

    def sellers(self, job_id: int) -> list[ChecksumAddress]:
        """The matched sellers in index order; call it once the first sample is drawn."""
        if job_id not in self._sellers:
            found = self.chain.call(self.jobs.functions.sellersOf(job_id))
            self._sellers[job_id] = list(found)
        return self._sellers[job_id]

    def updates(self, job_id: int, round_number: int) -> dict[int, PostedUpdate]:
        """The updates posted in a round, by seller index."""
        logs = self._logs("Jobs", "UpdatePosted", {"jobId": job_id, "round": round_number})
        return {log["index"]: PostedUpdate(log["contentHash"], log["cid"]) for log in logs}

    def result(self, job_id: int, round_number: int) -> RoundResult:
        """The accepted, opened result of a round."""
        key = (job_id, round_number)
        if key not in self._results:
            log = self._only("Jobs", "RoundAccepted", {"jobId": job_id, "round": round_number})
            self._results[key] = RoundResult(*fields(log["result"]))
        return self._results[key]

    # --- votes

    def frozen(self, job_id: int) -> Frozen:
        """The pool and the voting rules that the job froze."""
        return Frozen(*self.chain.call(self.yoda.functions.frozenOf(job_id)))

    def nodes(self, job_id: int) -> list[ChecksumAddress]:
        """The nodes of the job's frozen pool, by seat."""
        if job_id not in self._nodes:
            frozen = self.frozen(job_id)
            seat_of = self.pool.functions.nodeAt
            calls = [seat_of(seat, frozen.freeze_block) for seat in range(frozen.seats)]
            self._nodes[job_id] = self.chain.call_many(calls)
        return self._nodes[job_id]

    def round_seed(self, job_id: int, round_number: int) -> bytes:
        """The seed of the round computation."""
        return bytes(self.chain.call(self.yoda.functions.roundSeedOf(job_id, round_number)))

    def vote_word(self, job_id: int, poll: Poll, node: ChecksumAddress) -> bytes:
        """What is stored of a node's vote in the present mini-round."""
        function = self.yoda.functions.voteOf(job_id, poll.round, poll.mini_round, node)
        return bytes(self.chain.call(function))

    def verdict(self, job_id: int, round_number: int) -> Verdict:
        """The accepted digest of a round; a zero digest while there is none."""
        return Verdict(*self.chain.call(self.yoda.functions.verdictOf(job_id, round_number)))

    def reveals(self, job_id: int, node: ChecksumAddress) -> list[dict[str, Any]]:
        """Every vote that a node revealed in a job, as event arguments."""
        return self._logs("Yoda", "Revealed", {"jobId": job_id, "node": node})

    # --- money

    def pots(self, job_id: int) -> Pots:
        """A job's pots."""
        return Pots(*self.chain.call(self.escrow.functions.potsOf(job_id)))

    def credit(self, contract: Contract, account: ChecksumAddress) -> int:
        """What an account may withdraw from the escrow or the auction house, in wei."""
        return int(self.chain.call(contract.functions.credit(account)))

    # --- internal

    def _logs(self, contract: str, event: str, filters: dict[str, Any]) -> list[dict[str, Any]]:
        found = self.chain.logs(contract, event, argument_filters=filters)
        return [dict(log["args"]) for log in found]

    def _only(self, contract: str, event: str, filters: dict[str, Any]) -> dict[str, Any]:
        found = self._logs(contract, event, filters)
        if not found:
            raise LookupError(f"{contract} has emitted no {event} for {filters}")
        return found[0]
