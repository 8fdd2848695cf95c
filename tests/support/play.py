"""The market deployed, its people, and one job played to any state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import ape
from eth_utils.crypto import keccak
from web3.utils import get_create_address

from d2m.learning.earnings import contribution_proof, contributions_root
from d2m.protocol.ballots import Ballot, RoundResult, audit_word
from d2m.protocol.constants import RESULT_VERSION
from d2m.protocol.sortition import execution_set, permute
from d2m.protocol.types import (
    ETHER,
    Auction,
    AuctionKind,
    Conduct,
    Frozen,
    Job,
    MiniRound,
    Offence,
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
from tests.support.evm import Receipt, deploy, event, look, mine_past, rpc, send

STAKE = 10**18
BOND = 10**17
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
    judge_blocks=10,
)
"""With 12 nodes up to 3 may lie, so the 5 honest votes of the first mini-round are certain."""
TERMS = Terms(
    AuctionKind.OPEN,
    ETHER,
    window_blocks=5,
    reveal_blocks=0,
    increment_bps=500,
    reserve=1000,
)
PREDICTIONS = keccak(b"predictions")
"""What every result of these tests names as the hash of its predictions."""


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
    lens: Any
    key_rings: Any


def deploy_market(deployer: Any, randomness: str = "SeededRandomness") -> Market:
    """All nine contracts; four of them learn the job contract's address before it is there."""
    p = ape.project
    nonce = int(rpc("eth_getTransactionCount", deployer.address, "latest"), 16)
    foretold = get_create_address(deployer.address, nonce + 6)
    registry = deploy(p.SellerRegistry, BOND, sender=deployer)
    seed = [keccak(b"seed")] if randomness == "SeededRandomness" else []
    source = deploy(getattr(p, randomness), *seed, sender=deployer)
    pool = deploy(p.ConePool, foretold, STAKE, sender=deployer)
    yoda = deploy(p.Yoda, foretold, pool, source, sender=deployer)
    escrow = deploy(p.Escrow, foretold, yoda, sender=deployer)
    house = deploy(p.AuctionHouse, foretold, escrow, sender=deployer)
    jobs = deploy(p.Jobs, registry, source, pool, yoda, escrow, house, sender=deployer)
    assert jobs.address == foretold
    lens = deploy(p.Lens, jobs, sender=deployer)
    key_rings = deploy(p.KeyRings, sender=deployer)
    return Market(registry, source, pool, yoda, escrow, house, jobs, lens, key_rings)


def register_sellers(market: Market, sellers: Iterable[Any], tag: bytes = TAG) -> None:
    for seller in sellers:
        send(market.registry.offer, [tag], CID, KEY, sender=seller, value=BOND)


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
    return Auction.from_abi(look(market.auction_house.auctionOf, auction_id))


def win(
    market: Market,
    people: People,
    *,
    rules: Rules = RULES,
    price: int = PRICE,
    buyer: int = 0,
    token: str = ETHER,
) -> Play:
    """A job that a buyer has won without competition. A token was approved to the escrow."""
    bidder, wanted = people.buyers[buyer], request(rules)
    terms = TERMS._replace(reserve=1, token=token)
    auction_id, _ = open_auction(market, wanted, sender=bidder, terms=terms)
    value = price if token == ETHER else 0
    send(market.auction_house.bid, auction_id, price, sender=bidder, value=value)
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
    """A vote that was revealed, by the voter's seat at the freeze."""

    seat: int
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

    @property
    def mini(self) -> MiniRound:
        """What is kept of the present mini-round."""
        poll = self.poll
        return self.mini_round_of(poll.round, poll.mini_round)

    def mini_round_of(self, round_number: int, mini_round: int) -> MiniRound:
        args = (self.job_id, round_number, mini_round)
        return MiniRound(*look(self.market.yoda.miniRoundOf, *args))

    @property
    def draw_seed(self) -> bytes:
        """Ranks the pool in the present draw."""
        poll = self.poll
        return self.mini_round_of(poll.round, poll.first_mini_round).seed

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
        return execution_set(seats, poll.asked_before, poll.asked, self.draw_seed)

    def seats_not_asked(self) -> list[int]:
        return sorted(set(range(self.frozen.seats)) - set(self.seats_asked()))

    def node(self, seat: int) -> str:
        return str(look(self.market.pool.nodeAt, seat, self.frozen.freeze_block))

    def ballot(self, node: str) -> Ballot:
        poll = self.poll
        chain_id = ape.networks.provider.chain_id
        yoda = self.market.yoda.address
        return Ballot(chain_id, yoda, node, self.job_id, poll.round, poll.mini_round)

    def position(self, seat: int) -> int:
        """The position of an asked seat in the present execution set, from the Python model."""
        poll = self.poll
        return permute(seat, self.frozen.seats, self.draw_seed) - poll.asked_before

    def vote_for(self, result: bytes, predictions_hash: bytes = PREDICTIONS) -> Vote:
        """An honest vote for `result` in the present mini-round."""
        return Vote(result, audit_word(self.mini.seed, predictions_hash))

    def commit(self, seat: int, vote: Vote) -> Receipt:
        node = self.node(seat)
        commitment = self.ballot(node).commitment(*vote)
        return send(self.market.yoda.commit, self.job_id, seat, commitment, sender=node)

    def reveal(self, seat: int, vote: Vote) -> Receipt:
        node, poll = self.node(seat), self.poll
        args = (self.job_id, self.position(seat), *vote)
        receipt = send(self.market.yoda.reveal, *args, sender=node)
        self.cast.append(Cast(seat, poll.round, poll.mini_round, vote.result, vote.audit))
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
            "predictions_hash": PREDICTIONS,
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

    def conduct(self, round_number: int, mini_round: int, seat: int) -> Conduct:
        """How the contract judges what a seat did in a mini-round."""
        args = (self.job_id, round_number, mini_round, seat)
        return Conduct(look(self.market.yoda.conductOf, *args))

    def offences(self) -> list[Offence]:
        """Every offence in the opened rounds, found seat by seat."""
        return [
            Offence(number, mini_round, seat)
            for number in range(1, self.job.accepted_rounds + 1)
            for mini_round in range(1, self.verdict(number).last_mini_round + 1)
            for seat in range(self.frozen.seats)
            if self.conduct(number, mini_round, seat).is_offence
        ]

    def slash(self, *offences: Offence, sender: Any = None) -> Receipt:
        caller = self.people.stranger if sender is None else sender
        return send(self.market.pool.slash, self.job_id, list(offences), sender=caller)

    def right_votes(self, seat: int) -> list[tuple[int, int]]:
        """What `claimCone` is shown for a seat: round and mini-round of its right votes."""
        return [
            (each.round, each.mini_round)
            for each in self.cast
            if each.seat == seat
            and self.conduct(each.round, each.mini_round, seat) is Conduct.RIGHT
        ]

    def voters(self) -> list[int]:
        """Seats of everybody who revealed, in the order of the first reveals."""
        return list(dict.fromkeys(each.seat for each in self.cast))

    def claim_cone(self, seat: int, votes: list[tuple[int, int]] | None = None) -> Receipt:
        shown = self.right_votes(seat) if votes is None else votes
        args = (self.job_id, seat, shown)
        return send(self.market.escrow.claimCone, *args, sender=self.people.stranger)


CONTRIBUTIONS = (5, 0, 7, 1, 0, 0, 3, 1)
"""By seller index: some earned nothing, the sum does not divide 10**18."""
