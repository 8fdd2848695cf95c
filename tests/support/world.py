"""A small market in one process: real chain, real store, real training, parties stepped by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_utils.crypto import keccak
from nacl.public import PrivateKey
from web3.contract import Contract

from d2m.adversaries.cone import VOTERS
from d2m.adversaries.sellers.training import TRAINERS
from d2m.chain.artifacts import load_artifacts
from d2m.chain.client import Chain
from d2m.chain.contracts.auctions import AuctionHouse
from d2m.chain.contracts.market import Market
from d2m.chain.deployment.deploy import deploy
from d2m.chain.deployment.genesis import BLOCK_HASHES, Parameters
from d2m.chain.deployment.record import Deployment, Record
from d2m.chain.signer import KeySigner
from d2m.clients.anvil import Anvil, start_anvil
from d2m.clients.geth import Geth
from d2m.data.datasets import load
from d2m.data.partition import dirichlet
from d2m.jobs.inputs import JobInputs
from d2m.jobs.keys import JobKeys
from d2m.jobs.rounds import RoundComputer
from d2m.learning.spec import JobSpec
from d2m.learning.updates import EvaluationSet
from d2m.parties.buyer.buyer import DELIVERY_FILE, Bid, Buyer
from d2m.parties.buyer.requester import make_request
from d2m.parties.cone.node import ConeNode
from d2m.parties.daemon import Party
from d2m.parties.secrets import bid_secret, encryption_key, request_secret, salt_secret
from d2m.parties.seller.offers import ensure_offered
from d2m.parties.seller.seller import Samples, Seller, Trainer
from d2m.protocol.types import (
    ETHER,
    Auction,
    AuctionKind,
    AuctionState,
    Job,
    Request,
    Rules,
    Terms,
)
from d2m.sealing.keys import JobKey
from d2m.store.ahead import ReadAhead
from d2m.store.ipfs import IpfsStore
from d2m.store.local import LocalStore, Store
from tests.support.evm import helper
from tools.chaos import options as chaos

BLOCK_SECONDS = 0.05
STAKE = 10**18
BOND = 10**17
TAG = "digits"
WINDOW_BLOCKS = 1000
"""Longer than any machine needs: windows end early when all have acted."""
MINED_AT_ONCE = 500
"""Blocks that a busy machine makes within a request's time."""
MOST_LOOKS = 1500
"""Looks before a test gives up: a market that stands still must fail, not hang."""

SELLERS = ("honest", "honest", "honest", "sign_flip")
ACCOUNTS = 30
BUYERS = ("buyer 0", "buyer 1")
NODES = ("honest", "honest", "honest", "honest", "random", "copier")
RANDOM_SEED = keccak(text="caught")
"""One that asks the liar in the first mini-round of each round, the copier in the second."""
REQUEST_ID = keccak(text="request")
"""Drawn by a real opener; here the same, so that runs can be compared."""
RULES = Rules(
    target_bps=10_000,
    rounds=2,
    sample_size=6,
    byzantine_bps=3400,
    base=2,
    error_ppm=1000,
    update_blocks=WINDOW_BLOCKS,
    commit_blocks=WINDOW_BLOCKS,
    reveal_blocks=WINDOW_BLOCKS,
    open_blocks=WINDOW_BLOCKS,
    judge_blocks=WINDOW_BLOCKS,
)
TERMS = Terms(
    AuctionKind.OPEN,
    ETHER,
    window_blocks=WINDOW_BLOCKS,
    reveal_blocks=0,
    increment_bps=1000,
    reserve=STAKE,
)


artifacts = cache(load_artifacts)


def small_spec() -> JobSpec:
    """That of the chaos run, with momentum: the model before the last one matters too."""
    return replace(chaos.small_spec(keccak(text="small")), server_momentum=3000)


@dataclass
class World:
    """A deployed market and its parties, by role and number."""

    anvil: Anvil | Geth
    folder: Path
    record: Record
    samples: list[Samples]
    evaluation: EvaluationSet
    auction_id: int = 0
    parties: dict[str, Party] = field(default_factory=dict)
    tokens: dict[str, Contract] = field(default_factory=dict)
    trainings: dict[int, Trainer] = field(default_factory=dict)
    """By seller number, where it is not that of SELLERS."""
    ipfs: Sequence[IpfsStore] = ()
    """IPFS nodes that the accounts use in turns; without any, all share a folder."""

    @property
    def deployment(self) -> Deployment:
        """What parties know of the record."""
        return self.record.deployment

    def chain(self, account: int) -> Chain:
        """The connection of one account."""
        return Chain(
            self.anvil.url,
            self.deployment,
            artifacts(),
            self.signer(account),
            poll_seconds=BLOCK_SECONDS / 2,
        )

    def signer(self, account: int) -> KeySigner:
        """The signer of one account."""
        return KeySigner(Account.from_key(self.anvil.keys[account]))

    def key(self, account: int) -> PrivateKey:
        """What is sealed to an account opens with it."""
        return encryption_key(self.signer(account))

    def request_secret(self, account: int) -> bytes:
        """The keys of an account's requests follow from it."""
        house = self.deployment.contracts["AuctionHouse"]
        return request_secret(self.signer(account), self.anvil.chain_id, house)

    def rounds(self, account: int) -> RoundComputer:
        """The rounds that an account computes, by inputs that it may read."""
        contracts, secret = self.contracts, self.request_secret(account)
        store = ReadAhead(self.store)
        keys = JobKeys(contracts, store, self.key(account), secret)
        return RoundComputer(JobInputs(contracts, store, keys))

    @property
    def store(self) -> LocalStore:
        """The content store that all share."""
        return LocalStore(self.folder / "store")

    def store_of(self, account: int) -> Store:
        """The content store of one account."""
        return self.ipfs[account % len(self.ipfs)] if self.ipfs else self.store

    @property
    def contracts(self) -> Market:
        """Fresh reads."""
        return Market(self.chain(0))

    def auction(self) -> Auction:
        """The record of the auction that was opened last."""
        return self.contracts.auctions.auction(self.auction_id)

    def job(self) -> Job:
        """The record of the one job."""
        return self.contracts.situation(1).job

    def seller(self, number: int) -> Seller:
        """A new seller object; it remembers nothing, and finds its offer again."""
        seller = Seller(
            self.chain(10 + number),
            self.store_of(10 + number),
            self.key(10 + number),
            self.samples[number],
            offer_id=self.offer(number),
            training=self.trainings.get(number, TRAINERS[SELLERS[number]]),
            patience_blocks=2,
        )
        seller.tokens = frozenset(self.tokens)
        seller.least_withdrawal = 1
        return seller

    def offer(self, number: int) -> int:
        """Have a seller's data offered; the offer's id."""
        contracts, key = Market(self.chain(10 + number)), self.key(10 + number).public_key
        return ensure_offered(
            contracts, self.store_of(10 + number), [TAG], b"one writer's digits", bytes(key)
        )

    def node(self, number: int) -> ConeNode:
        """A new CONE node object; it remembers nothing."""
        chain, signer = self.chain(20 + number), self.signer(20 + number)
        secret = salt_secret(signer, self.anvil.chain_id, self.deployment.contracts["Yoda"])
        key, voting = self.key(20 + number), VOTERS[NODES[number]]
        store = self.store_of(20 + number)
        node = ConeNode(chain, store, key, secret, voting=voting, patience_blocks=2)
        node.tokens = frozenset(self.tokens)
        node.least_withdrawal = 1
        return node

    def buyer(self, number: int, **changes: Any) -> Buyer:
        """A new buyer object; the second one bids higher. `changes` to its bid."""
        house = self.deployment.contracts["AuctionHouse"]
        secret = bid_secret(self.signer(1 + number), self.anvil.chain_id, house)
        buyer = Buyer(
            self.chain(1 + number),
            self.store_of(1 + number),
            self.key(1 + number),
            self.request_secret(1 + number),
            auction_id=self.auction_id,
            bid=replace(Bid((2 + number) * STAKE, secret), **changes),
            folder=self.folder / f"delivered-{number}",
            patience_blocks=0,
        )
        buyer.least_withdrawal = 1
        return buyer

    def seal(self, *, reborn: bool = False) -> None:
        """Both buyers make their sealed bids, and the time to make them passes."""
        self.look_until(lambda: self.auction().sealed_bids == 2, BUYERS, reborn=reborn)
        self.mine_to(self.auction().close_block)

    def register(self) -> None:
        """All sellers and nodes register, in order."""
        for number in range(len(SELLERS)):
            self.offer(number)
        for number in range(len(NODES)):
            self.node(number).join()

    def open(self, rules: Rules = RULES, *, terms: Terms = TERMS, **changes: bytes) -> None:
        """The first buyer opens the auction, with `changes` to fields of an honest request."""
        request = self.request(rules)._replace(**changes)
        self.auction_id = AuctionHouse(self.chain(1)).open(request, terms)

    def request(self, rules: Rules = RULES) -> Request:
        """An honest request of the first buyer's; its content is in the store."""
        asked = (TAG, small_spec(), self.evaluation, rules)
        key = JobKey.made_by(self.request_secret(1), REQUEST_ID)
        return make_request(Market(self.chain(1)), self.store_of(1), key, REQUEST_ID, *asked)

    def holdings(self, token: str, account: int) -> int:
        """What an account has of a test token."""
        function = self.tokens[token].functions.balanceOf(self.signer(account).address)
        return int(self.chain(0).call(function))

    def makers(self) -> dict[str, Callable[[], Party]]:
        """How to make each party, by name."""
        makers: dict[str, Callable[[], Party]] = {}
        for kind, count in (("buyer", 2), ("seller", len(SELLERS)), ("node", len(NODES))):
            for number in range(count):
                makers[f"{kind} {number}"] = lambda k=kind, n=number: getattr(self, k)(n)
        return makers

    def play(self, names: Sequence[str] = (), *, reborn: bool = False) -> None:
        """Let the named parties (all by default) look at the chain in turns until all are done.

        With `reborn` every look is a new object's, as after kill -9 and restart.
        """
        self.look_until(self.is_over, names, reborn=reborn)

    def look_until(
        self, done: Callable[[], bool], names: Sequence[str] = (), *, reborn: bool = False
    ) -> None:
        """As `play`, until `done()`."""
        makers = {name: make for name, make in self.makers().items() if not names or name in names}
        self.parties = {name: make() for name, make in makers.items()}
        before = None
        for _look in range(MOST_LOOKS):
            for name, make in makers.items():
                if reborn:
                    self.parties[name] = make()
                self.parties[name].poll_jobs(self.parties[name].chain.block_number())
            if done():
                return
            before = self._close_once_quiet(before)
            time.sleep(BLOCK_SECONDS / 2)
        raise AssertionError("the market stood still")

    def _close_once_quiet(self, before: Auction | None) -> Auction:
        """Let an open auction's window pass once a look brings no new bid, however long it took."""
        auction = self.auction()
        is_open = (auction.state, auction.kind) == (AuctionState.OPEN, AuctionKind.OPEN)
        if is_open and auction.highest_bid and auction == before:
            self.mine_to(auction.last_block + 1)
        return auction

    def mine_to(self, number: int) -> None:
        """Have all blocks up to one mined at once."""
        missing = number - self.chain(0).block_number()
        for start in range(0, missing, MINED_AT_ONCE):
            self.anvil.mine(min(MINED_AT_ONCE, missing - start))

    def token(self, name: str, holders: Sequence[int] = (), amount: int = 10 * STAKE) -> str:
        """A test token of which each holder has `amount`; its address."""
        container, chain = helper(name), self.chain(0)
        abi = [each.model_dump(mode="json", by_alias=True) for each in container.contract_type.abi]
        code = container.contract_type.deployment_bytecode.bytecode
        factory = chain.w3.eth.contract(abi=abi, bytecode=code)
        receipt = chain.send(factory.constructor())
        token = chain.w3.eth.contract(address=receipt.raw["contractAddress"], abi=abi)
        for holder in holders:
            chain.send(token.functions.mint(self.signer(holder).address, amount))
        self.tokens[token.address] = token
        return str(token.address)

    def is_over(self) -> bool:
        """Whether the job has ended, its model is delivered, and nobody is owed anything."""
        contracts = self.contracts
        if not contracts.jobs.count() or not contracts.situation(1).job.state.ended:
            return False
        delivered = any(self.folder.glob(f"delivered-*/{DELIVERY_FILE}"))
        if self.job().accepted_rounds and not delivered:
            return False
        accounts = [*range(1, 3), *range(10, 10 + len(SELLERS)), *range(20, 20 + len(NODES))]
        played = [self.signer(account).address for account in accounts]
        tokens = {ETHER, contracts.situation(1).pots.token}
        owed = sum(sum(contracts.lens.credits(address, sorted(tokens))) for address in played)
        return owed == 0 and bool(contracts.chain.logs("Escrow", "Withdrawn"))


@contextmanager
def world(folder: Path, random_seed: bytes = RANDOM_SEED) -> Iterator[World]:
    """A deployed market on a chain of its own; with `BLOCK_HASHES` it draws by those."""
    with start_anvil(accounts=ACCOUNTS, seed=1, block_seconds=BLOCK_SECONDS) as anvil:
        yield world_on(anvil, folder, random_seed)


def world_on(
    node: Anvil | Geth,
    folder: Path,
    random_seed: bytes = BLOCK_HASHES,
    kind: type[World] = World,
    parameters: Parameters | None = None,
) -> World:
    """A market deployed through a node that runs already."""
    data = load("digits")
    parts = dirichlet(data.train_labels, len(SELLERS), 0.5, 1)
    record = deploy(
        node.url,
        node.chain_id,
        artifacts(),
        KeySigner(Account.from_key(node.keys[0])),
        parameters or Parameters(STAKE, BOND, random_seed),
    )
    samples = [Samples(data.train_inputs[part], data.train_labels[part]) for part in parts]
    evaluation = EvaluationSet(data.evaluation_inputs, data.evaluation_labels)
    return kind(node, folder, record, samples, evaluation)
