"""The job contract: the life of a job, from the matched auction to settlement."""

from __future__ import annotations

from typing import NamedTuple

from eth_typing import ChecksumAddress

from d2m.chain.client import Chain
from d2m.chain.contracts.contract import DeployedContract
from d2m.chain.transactions import Receipt
from d2m.protocol.ballots import RoundResult
from d2m.protocol.types import Request, fields


class PostedUpdate(NamedTuple):
    """Where a seller's update lies: keccak256 of its bytes, and the binary CID it named."""

    content_hash: bytes
    cid: bytes


class Offers(NamedTuple):
    """The offers that a job matched and their sellers, both in index order."""

    ids: list[int]
    sellers: list[ChecksumAddress]


class Opened(NamedTuple):
    """An accepted result, and the block in which it was opened."""

    result: RoundResult
    block: int


class Jobs(DeployedContract):
    """`IJobs`. Requests, offers and opened results are read once."""

    name = "Jobs"

    def __init__(self, chain: Chain) -> None:
        super().__init__(chain)
        self._requests: dict[int, Request] = {}
        self._offers: dict[int, Offers] = {}
        self._opened: dict[tuple[int, int], Opened] = {}

    def forget(self) -> None:
        """Read everything again."""
        for each in (self._requests, self._offers, self._opened):
            each.clear()

    # --- reads

    def count(self) -> int:
        """Jobs created so far: their ids count from 1."""
        return int(self.chain.call(self.functions.jobCount()))

    def is_due(self, job_id: int) -> bool:
        """Whether `advance` would do something in the block that comes next."""
        return bool(self.chain.call(self.functions.isDue(job_id), block="pending"))

    def request(self, job_id: int) -> Request:
        """Request that the job was created for. Raises LookupError where there is no such job."""
        if job_id not in self._requests:
            log = self.first("JobCreated", jobId=job_id)
            self._requests[job_id] = Request.from_abi(log["args"]["request"])
        return self._requests[job_id]

    def offers(self, job_id: int) -> Offers:
        """The matched offers; call it once the first sample is drawn."""
        if job_id not in self._offers:
            ids, sellers = self.chain.call(self.functions.offersOf(job_id))
            self._offers[job_id] = Offers(list(ids), list(sellers))
        return self._offers[job_id]

    def sellers(self, job_id: int) -> list[ChecksumAddress]:
        """The sellers of the matched offers, in index order: one may be there several times."""
        return self.offers(job_id).sellers

    def updates(self, job_id: int, round_number: int) -> dict[int, PostedUpdate]:
        """The updates posted in a round, by index of the offer."""
        logs = self.events("UpdatePosted", jobId=job_id, round=round_number)
        return {log["index"]: PostedUpdate(log["contentHash"], log["cid"]) for log in logs}

    def all_updates(self, job_id: int) -> list[tuple[int, int, PostedUpdate]]:
        """All updates of a job in chain order, each with its round and the index of its offer."""
        return [
            (log["round"], log["index"], PostedUpdate(log["contentHash"], log["cid"]))
            for log in self.events("UpdatePosted", jobId=job_id)
        ]

    def opened(self, job_id: int, round_number: int) -> Opened:
        """The accepted result of a round that was opened. Raises LookupError before."""
        key = (job_id, round_number)
        if key not in self._opened:
            log = self.first("RoundAccepted", jobId=job_id, round=round_number)
            result = RoundResult(*fields(log["args"]["result"]))
            self._opened[key] = Opened(result, log["blockNumber"])
        return self._opened[key]

    def result(self, job_id: int, round_number: int) -> RoundResult:
        """The accepted, opened result of a round. Raises LookupError before."""
        return self.opened(job_id, round_number).result

    def results(self, job_id: int) -> list[RoundResult]:
        """All accepted results of a job, by round."""
        return [
            RoundResult(*fields(each["result"]))
            for each in self.events("RoundAccepted", jobId=job_id)
        ]

    def end_blocks(self) -> dict[int, int]:
        """The block in which each job ended that has, by job."""
        logs = [*self.logs("JobSettled"), *self.logs("JobFailed")]
        return {log["args"]["jobId"]: log["blockNumber"] for log in logs}

    # --- writes

    def advance(self, job_id: int) -> Receipt:
        """Move a job on whose state's work is done or whose deadline has passed; for anyone.

        Refused with NotDue before that, and with WrongState where there is no job or it has ended.
        """
        return self.chain.send(self.functions.advance(job_id))

    def post_update(
        self, job_id: int, round_number: int, index: int, content_hash: bytes, cid: bytes
    ) -> Receipt:
        """Post the account's update of the present round, as the sampled offer at `index`.

        Refused with WrongState, WrongRound or TooLate outside the round's window, with NotSampled
        or NoSuchSeller where the offer is not the account's or not asked, with AlreadyPosted, and
        with BadCid for a CID that is empty or too long.
        """
        post = self.functions.postUpdate
        return self.chain.send(post(job_id, round_number, index, content_hash, cid))

    def open(self, job_id: int, result: RoundResult) -> Receipt:
        """Open the accepted digest of the present round with the result behind it; for anyone.

        Refused with WrongState or TooLate outside the window of opening, with WrongDigest for
        another result, and with BadResult for an accepted one that is impossible.
        """
        return self.chain.send(self.functions.open(job_id, result.abi_tuple))
