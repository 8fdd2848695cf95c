"""A small market in one process: real chain, real store, real training, parties stepped by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from pathlib import Path

from eth_account import Account
from eth_utils.crypto import keccak

from offchain.adversaries.cone import VOTING
from offchain.adversaries.sellers import TRAINING
from offchain.chain.anvil import Anvil, start_anvil
from offchain.chain.artifacts import load_artifacts
from offchain.chain.client import Chain
from offchain.chain.deployment import Deployment
from offchain.chain.records import Job, Rules, Terms
from offchain.chain.signer import KeySigner
from offchain.data.datasets import load
from offchain.data.partition import dirichlet
from offchain.learning.defaults import SPECS
from offchain.learning.models import ModelSpec
from offchain.learning.spec import JobSpec
from offchain.learning.updates import EvaluationSet
from offchain.market.deploy import deploy
from offchain.parties.buyer import Buyer, make_request, open_auction
from offchain.parties.cone import ConeNode
from offchain.parties.keys import encryption_key, salt_secret
from offchain.parties.ledger import Ledger
from offchain.parties.party import Party
from offchain.parties.seller import Samples, Seller
from offchain.store.local import LocalStore

BLOCK_SECONDS = 0.05
STAKE = 10**18
TAG = "digits"
MOST_LOOKS = 1500
"""Looks before a test gives up: a market that stands still must fail, not hang."""

SELLERS = ("honest", "honest", "honest", "sign_flip")
NODES = ("honest", "honest", "honest", "honest", "random", "copier")
RULES = Rules(
    target_bps=10_000,
    rounds=2,
    sample_size=6,
    byzantine_bps=3400,
    base=2,
    error_ppm=1000,
    update_blocks=200,
    commit_blocks=200,
    reveal_blocks=200,
    open_blocks=200,
)
TERMS = Terms(window_blocks=20, increment_bps=1000, reserve=STAKE)


artifacts = cache(load_artifacts)


def small_spec() -> JobSpec:
    """A perceptron without hidden layer: trains in milliseconds."""
    spec = SPECS["digits"](keccak(text="small"))
    training = replace(spec.training, epochs=3, learning_rate=Decimal("0.01"))
    model = ModelSpec("logistic", (1, 8, 8), 10)
    return replace(spec, model=model, training=training, sample_size=RULES.sample_size)


@dataclass
class World:
    """A deployed market and its parties, by role and number."""

    anvil: Anvil
    folder: Path
    deployment: Deployment
    samples: list[Samples]
    evaluation: EvaluationSet
    auction_id: int = 0
    parties: dict[str, Party] = field(default_factory=dict)

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

    @property
    def store(self) -> LocalStore:
        """The content store that all share."""
        return LocalStore(self.folder / "store")

    @property
    def ledger(self) -> Ledger:
        """Fresh reads."""
        return Ledger(self.chain(0))

    def job(self) -> Job:
        """The record of the one job."""
        return self.ledger.situation(1).job

    def seller(self, number: int) -> Seller:
        """A new seller object; it remembers nothing."""
        training = TRAINING[SELLERS[number]]
        chain = self.chain(10 + number)
        return Seller(chain, self.store, self.samples[number], training=training, patience_blocks=2)

    def node(self, number: int) -> ConeNode:
        """A new CONE node object; it remembers nothing."""
        chain, signer = self.chain(20 + number), self.signer(20 + number)
        secret = salt_secret(signer, self.anvil.chain_id, self.deployment.contracts["Yoda"])
        voting = VOTING[NODES[number]]
        return ConeNode(chain, self.store, secret, voting=voting, patience_blocks=2)

    def buyer(self, number: int) -> Buyer:
        """A new buyer object; the second one bids higher."""
        return Buyer(
            self.chain(1 + number),
            self.store,
            auction_id=self.auction_id,
            limit=(2 + number) * STAKE,
            folder=self.folder / f"delivered-{number}",
            patience_blocks=0,
        )

    def register(self) -> None:
        """All sellers and nodes register, in order."""
        for number in range(len(SELLERS)):
            seller = self.seller(number)
            key = bytes(encryption_key(self.signer(10 + number)).public_key)
            seller.register([TAG], b"digits of one writer", key)
        for number in range(len(NODES)):
            key = bytes(encryption_key(self.signer(20 + number)).public_key)
            self.node(number).join(key)

    def open(self, rules: Rules = RULES, **changes: bytes) -> None:
        """The first buyer opens the auction, with `changes` to fields of an honest request."""
        chain = self.chain(1)
        request = make_request(self.store, TAG, small_spec(), self.evaluation, rules)
        self.auction_id = open_auction(chain, request._replace(**changes), TERMS)

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
        makers = {name: make for name, make in self.makers().items() if not names or name in names}
        self.parties = {name: make() for name, make in makers.items()}
        for _look in range(MOST_LOOKS):
            for name, make in makers.items():
                if reborn:
                    self.parties[name] = make()
                self.parties[name].look(self.parties[name].chain.block_number())
            if self._is_over():
                return
            time.sleep(BLOCK_SECONDS / 2)
        raise AssertionError("the market stood still")

    def _is_over(self) -> bool:
        ledger = self.ledger
        if not ledger.job_count() or not ledger.situation(1).job.state.ended:
            return False
        accounts = [*range(1, 3), *range(10, 10 + len(SELLERS)), *range(20, 20 + len(NODES))]
        played = [self.signer(account).address for account in accounts]
        contracts = (ledger.escrow, ledger.auctions)
        return not any(ledger.credit(c, address) for c in contracts for address in played) and bool(
            ledger.chain.logs("Escrow", "Withdrawn")
        )


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """A deployed market on a chain of its own."""
    data = load("digits")
    parts = dirichlet(data.train_labels, len(SELLERS), 0.5, 1)
    samples = [Samples(data.train_inputs[part], data.train_labels[part]) for part in parts]
    evaluation = EvaluationSet(data.evaluation_inputs, data.evaluation_labels)
    with start_anvil(accounts=30, seed=1, block_seconds=BLOCK_SECONDS) as anvil:
        signer = KeySigner(Account.from_key(anvil.keys[0]))
        deployment = deploy(
            anvil.url,
            anvil.chain_id,
            artifacts(),
            signer,
            stake_unit=STAKE,
            random_seed=keccak(text="one"),
        )
        yield World(anvil, folder, deployment, samples, evaluation)
