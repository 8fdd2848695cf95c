"""The market deployed, its people, and one job played to any state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import ape
from eth_utils.crypto import keccak
from web3.utils import get_create_address

from offchain.chain.records import (
    Auction,
    Frozen,
    Job,
    Phase,
    Poll,
    Pots,
    Request,
    Rules,
    Tally,
    Terms,
    Verdict,
    tag_of,
)
from offchain.learning.contributions import contribution_proof, contributions_root
from offchain.yoda.sortition import execution_set
from offchain.yoda.votes import RESULT_VERSION, Ballot, RoundResult, audit_word
from tests.contracts.evm import Receipt, deploy, event, look, mine_past, rpc, send

STAKE = 10**18
PRICE = 10**18 + 1  # wei, odd on purpose: it does not divide by rounds, votes or 10,000
TAG = tag_of("digits")
CID = bytes.fromhex("01551220") + keccak(b"content")
KEY = keccak(b"public key")
HASH = keccak(b"content hash")

RULES = Rules(
    target_bps=9000,
    rounds=3,
    sample_size=4,
    byzantine_bps=3000,
    base=4,
    error_ppm=1000,
    update_blocks=10,
    commit_blocks=10,
    reveal_blocks=10,
    open_blocks=10,
)
"""With 12 nodes up to 3 may lie, so the 5 honest votes of the first mini-round are certain."""
TERMS = Terms(window_blocks=5, increment_bps=500, reserve=1000)


@dataclass(frozen=True)
class People:
    """Accounts by role."""

    deployer: Any
    stranger: Any
    buyers: Sequence[Any]
    sellers: Sequence[Any]
    nodes: Sequence[Any]

    @classmethod
    def of(cls, accounts: Sequence[Any]) -> People:
        """Test accounts, always dealt out alike."""
        listed = [accounts[i] for i in range(25)]
        return cls(listed[0], listed[1], listed[2:5], listed[5:13], listed[13:25])


@dataclass(frozen=True)
class Market:
    """Every contract, wired."""

    registry: Any
    randomness: Any
    pool: Any
    yoda: Any
    escrow: Any
    auction_house: Any
    jobs: Any


def deploy_market(deployer: Any, randomness: str = "SeededRandomness") -> Market:
    """All seven contracts; four of them learn the job contract's address before it is there."""
    p = ape.project
    nonce = int(rpc("eth_getTransactionCount", deployer.address, "latest"), 16)
    foretold = get_create_address(deployer.address, nonce + 6)
    registry = deploy(p.SellerRegistry, sender=deployer)
    seed = [keccak(b"seed")] if randomness == "SeededRandomness" else []
    source = deploy(getattr(p, randomness), *seed, sender=deployer)
    pool = deploy(p.ConePool, foretold, STAKE, sender=deployer)
    yoda = deploy(p.Yoda, foretold, pool, source, sender=deployer)
    escrow = deploy(p.Escrow, foretold, yoda, sender=deployer)
    house = deploy(p.AuctionHouse, foretold, sender=deployer)
    jobs = deploy(p.Jobs, registry, source, pool, yoda, escrow, house, sender=deployer)
    assert jobs.address == foretold
    return Market(registry, source, pool, yoda, escrow, house, jobs)


def register_sellers(market: Market, sellers: Iterable[Any], tag: bytes = TAG) -> None:
    for seller in sellers:
        send(market.registry.register, [tag], CID, KEY, sender=seller)


def join_nodes(market: Market, nodes: Iterable[Any]) -> None:
    for node in nodes:
        send(market.pool.join, KEY, sender=node, value=STAKE)


def request(rules: Rules = RULES, tag: bytes = TAG) -> Request:
    return Request(tag, HASH, CID, tag_of("accuracy"), HASH, CID, rules)


def open_auction(
    market: Market, wanted: Request, *, sender: Any, terms: Terms = TERMS
) -> tuple[int, Receipt]:
    receipt = send(market.auction_house.open, wanted, terms, sender=sender)
    return event(receipt, market.auction_house.AuctionOpened)["auctionId"], receipt


def auction_of(market: Market, auction_id: int) -> Auction:
    return Auction(*look(market.auction_house.auctionOf, auction_id))


def win(
    market: Market, people: People, *, rules: Rules = RULES, price: int = PRICE, buyer: int = 0
) -> Play:
    """A job that a buyer has won without competition."""
    bidder, wanted = people.buyers[buyer], request(rules)
    terms = TERMS._replace(reserve=1)
    auction_id, _ = open_auction(market, wanted, sender=bidder, terms=terms)
    send(market.auction_house.bid, auction_id, sender=bidder, value=price)
    mine_past(auction_of(market, auction_id).close_block)
    receipt = send(market.auction_house.close, auction_id, wanted, sender=people.stranger)
    job_id = event(receipt, market.auction_house.AuctionWon)["jobId"]
    return Play(market, people, job_id, receipt)


def tally(receipt: Receipt, yoda: Any) -> Tally:
    """Where the likelihood test stood after the mini-round that `receipt` ended."""
    return Tally(*event(receipt, yoda.Tallied)["tally"])


class Vote(NamedTuple):
    """The words that a node commits to."""

    result: bytes
    audit: bytes
    salt: bytes = keccak(b"salt")


class Cast(NamedTuple):
    """A vote that was revealed."""

    node: str
    round: int
    mini_round: int
    result: bytes
    audit: bytes


@dataclass
class Play:
    """One job and the moves of its parties. A move returns the receipt of its last transaction."""

    market: Market
    people: People
    job_id: int
    created: Receipt | None = None
    cast: list[Cast] = field(default_factory=list)

    @property
    def job(self) -> Job:
        return Job.from_abi(look(self.market.jobs.jobOf, self.job_id))

    @property
    def poll(self) -> Poll:
        return Poll.from_abi(look(self.market.yoda.pollOf, self.job_id))

    @property
    def frozen(self) -> Frozen:
        return Frozen(*look(self.market.yoda.frozenOf, self.job_id))

    @property
    def pots(self) -> Pots:
        return Pots(*look(self.market.escrow.potsOf, self.job_id))

    def verdict(self, round_number: int) -> Verdict:
        return Verdict(*look(self.market.yoda.verdictOf, self.job_id, round_number))

    def advance(self) -> Receipt:
        return send(self.market.jobs.advance, self.job_id, sender=self.people.stranger)

    def start(self) -> Receipt:
        """Seeding → Collecting."""
        mine_past(self.job.deadline)
        return self.advance()

    # Sellers

    def sampled(self) -> list[int]:
        """Indices of the sellers who are asked for an update."""
        sample = self.job.sample
        return [index for index in range(256) if sample >> index & 1]

    def seller(self, index: int) -> str:
        return str(look(self.market.jobs.sellerAt, self.job_id, index))

    def post(self, index: int, cid: bytes = CID) -> Receipt:
        """The update of the seller at `index` for the present round."""
        args = (self.job_id, self.job.round, index, HASH, cid)
        return send(self.market.jobs.postUpdate, *args, sender=self.seller(index))

    def collect(self) -> Receipt:
        """Collecting → Deciding, every sampled seller posting."""
        for index in self.sampled():
            self.post(index)
        return self.advance()

    # CONE nodes

    def begin_mini_round(self) -> Receipt:
        mine_past(self.poll.seed_block)
        return self.advance()

    def seats_asked(self) -> list[int]:
        """Seats of the present execution set, from the Python model."""
        poll, seats = self.poll, self.frozen.seats
        return execution_set(seats, poll.asked_before, poll.asked, poll.draw_seed)

    def seats_not_asked(self) -> list[int]:
        return sorted(set(range(self.frozen.seats)) - set(self.seats_asked()))

    def node(self, seat: int) -> str:
        return str(look(self.market.pool.nodeAt, seat, self.frozen.freeze_block))

    def ballot(self, node: str) -> Ballot:
        poll = self.poll
        chain_id = ape.networks.provider.chain_id
        yoda = self.market.yoda.address
        return Ballot(chain_id, yoda, node, self.job_id, poll.round, poll.mini_round)

    def vote_for(self, result: bytes, predictions: bytes = b"predictions") -> Vote:
        """An honest vote for `result` in the present mini-round."""
        return Vote(result, audit_word(self.poll.mini_round_seed, predictions))

    def commit(self, seat: int, vote: Vote) -> Receipt:
        node = self.node(seat)
        commitment = self.ballot(node).commitment(*vote)
        return send(self.market.yoda.commit, self.job_id, seat, commitment, sender=node)

    def reveal(self, seat: int, vote: Vote) -> Receipt:
        node, poll = self.node(seat), self.poll
        receipt = send(self.market.yoda.reveal, self.job_id, *vote, sender=node)
        self.cast.append(Cast(node, poll.round, poll.mini_round, vote.result, vote.audit))
        return receipt

    def mini_round(self, choose: Callable[[int], bytes | None]) -> Receipt:
        """One mini-round: `choose` maps a seat to the digest it votes for, None to stay silent."""
        self.begin_mini_round()
        chosen = {seat: choose(seat) for seat in self.seats_asked()}
        votes = {seat: self.vote_for(each) for seat, each in chosen.items() if each is not None}
        for seat, vote in votes.items():
            self.commit(seat, vote)
        if len(votes) < len(chosen):
            mine_past(self.poll.commit_deadline)
        for seat, vote in votes.items():
            self.reveal(seat, vote)
        return self.advance()

    def advance_in_silence(self) -> Receipt:
        """The end of a mini-round in which nobody votes."""
        mine_past(self.poll.reveal_deadline)
        return self.advance()

    def decide(self, digest: bytes) -> Receipt:
        """Deciding → Opening, every node voting for `digest`."""
        while True:
            receipt = self.mini_round(lambda seat: digest)
            if self.poll.phase is Phase.ACCEPTED:
                return receipt

    # Results

    def result(self, **changes: Any) -> RoundResult:
        """A result that the job contract takes for the present round."""
        number = changes.get("round", self.job.round)
        fields = {
            "version": RESULT_VERSION,
            "job_id": self.job_id,
            "round": number,
            "model_hash": keccak(b"model" + bytes([number])),
            "model_cid": CID,
            "sampler_hash": keccak(b"sampler"),
            "sampler_cid": CID,
            "metric_numerator": 50,
            "metric_denominator": 100,
            "contributions_root": contributions_root(CONTRIBUTIONS),
            "next_sample": 0b11,
        }
        return RoundResult(**{**fields, **changes})

    def open(self, result: RoundResult) -> Receipt:
        """Opening → the next round, or the end."""
        args = (self.job_id, result.abi_tuple)
        return send(self.market.jobs.open, *args, sender=self.people.stranger)

    def round(self, **changes: Any) -> Receipt:
        """A whole round from Collecting on, accepted and opened."""
        self.collect()
        result = self.result(**changes)
        self.decide(result.digest)
        return self.open(result)

    def settle(self) -> Receipt:
        """From Seeding to Settled in one round that reaches the target."""
        self.start()
        return self.round(metric_numerator=99)

    # Payments

    def claim_seller(self, index: int) -> Receipt:
        share, proof = contribution_proof(CONTRIBUTIONS, index)
        args = (self.job_id, *share, proof)
        return send(self.market.escrow.claimSeller, *args, sender=self.people.stranger)

    def right_votes(self, node: str) -> list[tuple[int, int, bytes]]:
        """What `claimCone` is shown for a node: round, mini-round and audit of its right votes."""
        return [
            (each.round, each.mini_round, each.audit)
            for each in self.cast
            if each.node == node and self._is_right(each)
        ]

    def voters(self) -> list[str]:
        """Everybody who revealed, in the order of the first reveals."""
        return list(dict.fromkeys(each.node for each in self.cast))

    def claim_cone(self, node: str, votes: list[tuple[int, int, bytes]] | None = None) -> Receipt:
        shown = self.right_votes(node) if votes is None else votes
        args = (self.job_id, node, shown)
        return send(self.market.escrow.claimCone, *args, sender=self.people.stranger)

    def _is_right(self, cast: Cast) -> bool:
        verdict = self.verdict(cast.round)
        counts = verdict.first_mini_round <= cast.mini_round <= verdict.last_mini_round
        return counts and cast.result == verdict.digest


CONTRIBUTIONS = (5, 0, 7, 1, 0, 0, 3, 1)
"""By seller index: some earned nothing, the sum does not divide 10**18."""
