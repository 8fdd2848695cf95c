"""What the market's contracts say, typed: reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from eth_typing import ChecksumAddress
from web3.contract import Contract
from web3.types import EventData

from d2m.chain.client import Chain
from d2m.protocol.ballots import RoundResult
from d2m.protocol.types import (
    Auction,
    Conduct,
    JobView,
    Node,
    Offence,
    Offer,
    Request,
    SealedBid,
    Verdict,
    fields,
)
from d2m.sealing.content import MarketId

NO_SEED = bytes(32)


class PostedUpdate(NamedTuple):
    """Where a seller's update lies: keccak256 of its bytes, and the binary CID it named."""

    content_hash: bytes
    cid: bytes


class PostedRing(NamedTuple):
    """A key ring that somebody posted: keccak256 of its bytes, and the binary CID it named."""

    poster: ChecksumAddress
    block: int
    content_hash: bytes
    cid: bytes


class MemberKeys(NamedTuple):
    """The X25519 keys that a job's members had registered when it froze them, repeats included."""

    readers: list[bytes]
    """Of nodes and winner, who read everything."""
    trainers: list[bytes]
    """Of sellers, who read the models."""


class Offers(NamedTuple):
    """The offers that a job matched and their sellers, both in index order."""

    ids: list[int]
    sellers: list[ChecksumAddress]


class Opened(NamedTuple):
    """An accepted result, and the block in which it was opened."""

    result: RoundResult
    block: int


@dataclass
class _Read:
    """What only a re-organisation could still change."""

    requests: dict[int, Request] = field(default_factory=dict)
    opened: dict[tuple[int, int], Opened] = field(default_factory=dict)
    offers: dict[int, Offers] = field(default_factory=dict)
    nodes: dict[int, list[ChecksumAddress]] = field(default_factory=dict)
    seeds: dict[tuple[int, int, int], bytes] = field(default_factory=dict)
    openers: dict[int, ChecksumAddress] = field(default_factory=dict)


class Market:
    """Reads of one deployment. What only a re-organisation could still change is read once."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self._read = _Read()

    def forget(self) -> None:
        """Read everything again: the chain was re-organised, or much depends on what is next."""
        self._read = _Read()

    @property
    def jobs(self) -> Contract:
        """The job contract."""
        return self.chain.contract("Jobs")

    @property
    def yoda(self) -> Contract:
        """The voting contract."""
        return self.chain.contract("Yoda")

    @property
    def pool(self) -> Contract:
        """The CONE pool."""
        return self.chain.contract("ConePool")

    @property
    def escrow(self) -> Contract:
        """The escrow."""
        return self.chain.contract("Escrow")

    @property
    def auctions(self) -> Contract:
        """The auction house."""
        return self.chain.contract("AuctionHouse")

    @property
    def registry(self) -> Contract:
        """The seller registry."""
        return self.chain.contract("SellerRegistry")

    @property
    def key_rings(self) -> Contract:
        """Buyers' keys and the jobs' key rings."""
        return self.chain.contract("KeyRings")

    @property
    def lens(self) -> Contract:
        """The views that gather what several contracts know."""
        return self.chain.contract("Lens")

    @cached_property
    def id(self) -> MarketId:
        """What content is sealed for."""
        deployment = self.chain.deployment
        return MarketId(deployment.chain_id, self.auctions.address, self.jobs.address)

    # --- auctions

    def auction(self, auction_id: int) -> Auction:
        """An auction's record."""
        return Auction.from_abi(self.chain.call(self.auctions.functions.auctionOf(auction_id)))

    def auction_request(self, auction_id: int) -> Request:
        """The request that an auction was opened with."""
        log = self._only("AuctionHouse", "AuctionOpened", {"auctionId": auction_id})
        return Request.from_abi(log["args"]["request"])

    def sealed_bid(self, auction_id: int, bidder: ChecksumAddress) -> SealedBid:
        """What is known of a sealed bid; a zero commitment where there is none."""
        function = self.auctions.functions.sealedBidOf(auction_id, bidder)
        return SealedBid(*self.chain.call(function))

    def auction_count(self) -> int:
        """Auctions opened so far: their ids count from 1."""
        return int(self.chain.call(self.auctions.functions.auctionCount()))

    def auctions_of(self, opener: ChecksumAddress) -> list[int]:
        """The ids of all auctions that an account opened."""
        logs = self._logs("AuctionHouse", "AuctionOpened", {"opener": opener})
        return [log["auctionId"] for log in logs]

    def void_in(self, auction_id: int) -> int:
        """The block in which an auction ended without a job."""
        return int(
            self._only("AuctionHouse", "AuctionVoid", {"auctionId": auction_id})["blockNumber"]
        )

    # --- offers and seats

    def offer(self, offer_id: int) -> Offer:
        """An offer's record; that of nobody where there is none."""
        return Offer(*self.chain.call(self.registry.functions.offerOf(offer_id)))

    def offers_by(self, seller: ChecksumAddress) -> dict[int, Offer]:
        """All offers that a seller ever made, by id."""
        logs = self.chain.logs("SellerRegistry", "Offered", argument_filters={"seller": seller})
        ids = sorted({log["args"]["offerId"] for log in logs})
        offer_of = self.registry.functions.offerOf
        found = self.chain.call_many([offer_of(offer_id) for offer_id in ids])
        return {offer_id: Offer(*each) for offer_id, each in zip(ids, found, strict=True)}

    def node(self, address: ChecksumAddress) -> Node:
        """What the pool knows of a node."""
        return Node(*self.chain.call(self.pool.functions.nodeOf(address)))

    # --- jobs

    def job_count(self) -> int:
        """Jobs created so far."""
        return int(self.chain.call(self.jobs.functions.jobCount()))

    def situation(self, job_id: int) -> JobView:
        """A job as the latest block left it; `due` tells of the block that comes next."""
        view = JobView.from_abi(self.chain.call(self.lens.functions.jobOf(job_id)))
        due = self.chain.call(self.jobs.functions.isDue(job_id), block="pending")
        return view._replace(due=bool(due))

    def request(self, job_id: int) -> Request:
        """What the job was created for."""
        if job_id not in self._read.requests:
            log = self._only("Jobs", "JobCreated", {"jobId": job_id})
            self._read.requests[job_id] = Request.from_abi(log["args"]["request"])
        return self._read.requests[job_id]

    def offers(self, job_id: int) -> Offers:
        """The matched offers; call it once the first sample is drawn."""
        if job_id not in self._read.offers:
            ids, sellers = self.chain.call(self.jobs.functions.offersOf(job_id))
            self._read.offers[job_id] = Offers(list(ids), list(sellers))
        return self._read.offers[job_id]

    def sellers(self, job_id: int) -> list[ChecksumAddress]:
        """The sellers of the matched offers, in index order: one may be there several times."""
        return self.offers(job_id).sellers

    def updates(self, job_id: int, round_number: int) -> dict[int, PostedUpdate]:
        """The updates posted in a round, by index of the offer."""
        logs = self._logs("Jobs", "UpdatePosted", {"jobId": job_id, "round": round_number})
        return {log["index"]: PostedUpdate(log["contentHash"], log["cid"]) for log in logs}

    def opened(self, job_id: int, round_number: int) -> Opened:
        """The accepted result of a round that was opened. Raises LookupError before."""
        key = (job_id, round_number)
        if key not in self._read.opened:
            log = self._only("Jobs", "RoundAccepted", {"jobId": job_id, "round": round_number})
            result = RoundResult(*fields(log["args"]["result"]))
            self._read.opened[key] = Opened(result, log["blockNumber"])
        return self._read.opened[key]

    def result(self, job_id: int, round_number: int) -> RoundResult:
        """The accepted, opened result of a round."""
        return self.opened(job_id, round_number).result

    # --- keys

    def opener(self, job_id: int) -> ChecksumAddress:
        """Who opened the auction that the job came of: it may not be the buyer."""
        if job_id not in self._read.openers:
            won = self._only("AuctionHouse", "AuctionWon", {"jobId": job_id})
            self._read.openers[job_id] = self.auction(won["args"]["auctionId"]).opener
        return self._read.openers[job_id]

    def buyer_key(self, buyer: ChecksumAddress) -> bytes:
        """The X25519 key that a buyer has registered; zero where it has none."""
        return bytes(self.chain.call(self.key_rings.functions.keyOf(buyer)))

    def rings(self, job_id: int) -> list[PostedRing]:
        """Every key ring that anybody posted for a job, in chain order."""
        found = self.chain.logs("KeyRings", "KeyRingPosted", argument_filters={"jobId": job_id})
        logs = [(log["args"], log["blockNumber"]) for log in found]
        return [PostedRing(a["poster"], block, a["contentHash"], a["cid"]) for a, block in logs]

    def member_keys(self, job_id: int) -> MemberKeys:
        """The members' keys at the freeze: what they register later changes no key ring."""
        job, offers = self.situation(job_id).job, self.offers(job_id).ids
        nodes = self.nodes(job_id)
        of_offer = self._keys_at(job.freeze_block, "SellerRegistry", "Offered", "offerId", offers)
        of_node = self._keys_at(job.freeze_block, "ConePool", "NodeJoined", "node", nodes)
        winner = [job.buyer]
        of_buyer = self._keys_at(job.freeze_block, "KeyRings", "KeyRegistered", "account", winner)
        return MemberKeys(of_node + of_buyer, of_offer)

    # --- votes

    def nodes(self, job_id: int) -> list[ChecksumAddress]:
        """The nodes of the job's frozen pool, by seat."""
        if job_id not in self._read.nodes:
            frozen = self.situation(job_id).frozen
            node_at = self.pool.functions.nodeAt
            calls = [node_at(seat, frozen.freeze_block) for seat in range(frozen.seats)]
            self._read.nodes[job_id] = self.chain.call_many(calls)
        return self._read.nodes[job_id]

    def round_seed(self, job_id: int, round_number: int) -> bytes:
        """The seed of the round computation: that of the round's first mini-round."""
        return self.seed(job_id, round_number, 1)

    def seed(self, job_id: int, round_number: int, mini_round: int) -> bytes:
        """The seed of a mini-round; zero while it is not known."""
        key = (job_id, round_number, mini_round)
        if self._read.seeds.get(key, NO_SEED) == NO_SEED:
            self._read.seeds[key] = bytes(self.chain.call(self.yoda.functions.miniRoundOf(*key))[0])
        return self._read.seeds[key]

    def first_commit_deadline(self, job_id: int, round_number: int) -> int | None:
        """The last block to commit in a round's first mini-round; None before that is open."""
        opened = self._logs("Yoda", "MiniRoundOpened", {"jobId": job_id, "round": round_number})
        found = [int(each["commitDeadline"]) for each in opened if each["miniRound"] == 1]
        return found[-1] if found else None

    def verdict(self, job_id: int, round_number: int) -> Verdict:
        """The accepted digest of a round; a zero digest while there is none."""
        return Verdict(*self.chain.call(self.yoda.functions.verdictOf(job_id, round_number)))

    def reveals(self, job_id: int, node: ChecksumAddress) -> list[dict[str, Any]]:
        """Every vote that a node revealed in a job, as event arguments."""
        return self._logs("Yoda", "Revealed", {"jobId": job_id, "node": node})

    def reveals_in_round(self, job_id: int, round_number: int) -> list[dict[str, Any]]:
        """Every vote revealed in a round, in chain order, as event arguments."""
        found = self._logs("Yoda", "Revealed", {"jobId": job_id})
        return [each for each in found if each["round"] == round_number]

    def conduct(self, job_id: int, places: Sequence[Offence]) -> list[Conduct]:
        """How the contract judges what each seat did there, in the order of `places`."""
        conduct_of = self.yoda.functions.conductOf
        found = self.chain.call_many([conduct_of(job_id, *place) for place in places])
        return [Conduct(each) for each in found]

    def unpunished(self, job_id: int, offences: Sequence[Offence]) -> list[Offence]:
        """Those of the offences that nobody has been slashed for, nor is about to be."""
        is_slashed = self.pool.functions.isSlashed
        calls = [is_slashed(job_id, offence) for offence in offences]
        done = self.chain.call_many(calls, block="pending")
        return [offence for offence, slashed in zip(offences, done, strict=True) if not slashed]

    # --- money

    def credits(self, account: ChecksumAddress, tokens: Sequence[str]) -> list[int]:
        """What an account may withdraw of each token, in its smallest unit; ETHER: wei."""
        holdings = self.chain.call(self.lens.functions.holdingsOf(account, list(tokens)))
        return list(holdings[0])

    # --- internal

    def _keys_at(
        self, block: int, contract: str, event: str, name: str, members: Sequence[Any]
    ) -> list[bytes]:
        """What each member's last such event up to `block` says of its key."""
        keys: dict[Any, bytes] = {}
        wanted = set(members)
        for log in self.chain.logs(contract, event, to_block=block):
            if log["args"][name] in wanted:
                keys[log["args"][name]] = bytes(log["args"]["publicKey"])
        return [keys[member] for member in members if member in keys]

    def _logs(self, contract: str, event: str, filters: dict[str, Any]) -> list[dict[str, Any]]:
        found = self.chain.logs(contract, event, argument_filters=filters)
        return [dict(log["args"]) for log in found]

    def _only(self, contract: str, event: str, filters: dict[str, Any]) -> EventData:
        found = self.chain.logs(contract, event, argument_filters=filters)
        if not found:
            raise LookupError(f"{contract} has emitted no {event} for {filters}")
        return found[0]
