"""The chaos run itself: jobs are played while everybody is disturbed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from eth_utils.crypto import keccak

from d2m.chain.artifacts import load_artifacts
from d2m.chain.client import Chain
from d2m.chain.contracts.market import Market
from d2m.chain.deployment.deploy import deploy
from d2m.chain.deployment.genesis import BLOCK_HASHES, Parameters
from d2m.demo.options import DemoOptions
from d2m.demo.stage import Stage, accounts_needed, set_stage, signer_of
from d2m.errors import UserError
from d2m.protocol.types import tag_of
from tools.chaos.buyers import Auctions, Buyer
from tools.chaos.chain_node import AnvilNode, ChainNode, GethNode
from tools.chaos.checks import Ending, Evidence, endings, find_faults, is_claimed, unpaid
from tools.chaos.options import BOND_UNIT, CHAINS, STAKE_UNIT, TAG, ChaosOptions, small_spec
from tools.chaos.processes import STOP_SECONDS, Supervised
from tools.chaos.schedule import disturbances
from tools.chaos.sites import Site, sites
from tools.chaos.staff import Staff
from tools.chaos.trouble import Tell, Trouble

STEP_SECONDS = 0.2
LOOK_SECONDS = 2.0
"""Between two looks of the controller at the market."""
SETTLE_SECONDS = 600
"""After the last job ended, in calm: for all parties to be started again and paid."""
START_LIMIT = 900
"""Seconds for two dozen processes to start and register on two busy cores."""
JOB_LIMIT = 900
"""Seconds for a job on average: a dozen times what one takes in calm."""


class Stalled(RuntimeError):
    """The market did not come to its end."""


@dataclass
class Outcome:
    """Outcome of a run."""

    options: ChaosOptions
    endings: list[Ending] = field(default_factory=list)
    disturbances: Counter[str] = field(default_factory=Counter)
    void: int = 0
    """Auctions that nobody had bid in when they closed, as their buyer was away: opened again."""
    pieces_lost: int = 0
    starts: int = 0
    seconds: float = 0.0
    inherent: list[str] = field(default_factory=list)
    """Harm that the contracts do to honest parties in such trouble, whatever their processes do."""
    faults: list[str] = field(default_factory=list)


class Play:
    """A run in progress."""

    def __init__(
        self,
        options: ChaosOptions,
        stage: Stage,
        node: ChainNode,
        chain: Chain,
        places: list[Site],
        tell: Tell,
    ) -> None:
        self._options = options
        self._stage = stage
        self._market = Market(chain)
        self._sites = places
        self._tell = tell
        self._logs = stage.folder / "logs"
        self._logs.mkdir()
        self._staff = Staff(stage, self._logs)
        self._serving = [
            *(self._staff.seller(each, self._site(n)) for n, each in enumerate(stage.sellers)),
            *(self._staff.node(each, self._site(n)) for n, each in enumerate(stage.nodes)),
        ]
        self._buyers = [
            Buyer(n, self._site(n), self._staff, self._market, node.url)
            for n in range(options.at_once)
        ]
        coming = disturbances(options.seed, options.there)
        self._trouble = Trouble(coming, node, places, self._present, tell)
        self._next_look = 0.0
        self._is_over = False
        self.outcome = Outcome(options)

    def run(self) -> Outcome:
        """Play all jobs; the processes are stopped however it ends."""
        started = time.monotonic()
        try:
            self._until(self._is_staffed, START_LIMIT, "the parties to register")
            self._tell(f"{len(self._serving)} sellers and nodes have registered")
            self._play_jobs()
            self._calm_down()
        finally:
            self._stop()
        self._judge()
        self.outcome.seconds = time.monotonic() - started
        return self.outcome

    # --- phases

    def _play_jobs(self) -> None:
        """Open auctions, a few jobs at once, and disturb everybody until the last has ended."""
        deadline = time.monotonic() + JOB_LIMIT * self._options.jobs
        while not self._is_over:
            now = time.monotonic()
            if now > deadline:
                raise Stalled(f"not all jobs ended in {JOB_LIMIT} s each, see {self._logs}")
            self._trouble.tend(now)
            self._tend(now)
            if now >= self._next_look and not self._trouble.chain_is_away:
                self._next_look = now + LOOK_SECONDS
                self._look(now)
            time.sleep(STEP_SECONDS)

    def _calm_down(self) -> None:
        """Everything works again: whoever is owed something must come by it."""
        self._trouble.end()
        members = [*self._stage.buyers, *self._stage.sellers, *self._stage.nodes]
        accounts = [member.address for member in members]
        self._tell("all jobs have ended; waiting, in calm, until everybody is paid")
        self._until(
            lambda: not unpaid(self._market, accounts) and is_claimed(self._market),
            SETTLE_SECONDS,
            "everybody to be paid",
        )

    def _judge(self) -> None:
        """Read from the chain and the logs what the run came to."""
        self._market.forget()
        outcome, market = self.outcome, self._market
        evidence = Evidence(
            self._options.jobs,
            self._staff.deliveries,
            {each.name: each.log_text() for each in self._everyone()},
            self._trouble.replaced,
        )
        outcome.faults, outcome.inherent = find_faults(market, evidence)
        outcome.endings = endings(market)
        outcome.disturbances = self._trouble.counts
        outcome.void = Auctions(market, set()).void
        outcome.pieces_lost = sum(site.chain.lost for site in self._sites)
        outcome.starts = sum(each.starts for each in self._everyone())

    def _stop(self) -> None:
        everyone = self._everyone()
        for each in everyone:
            each.end()
        deadline = time.monotonic() + STOP_SECONDS
        for each in everyone:
            each.wait(deadline)

    # --- the market

    def _look(self, now: float) -> None:
        """See what has become of the market; a node that cannot tell now is asked again."""
        try:
            self._market.forget()
            ended = endings(self._market)
            self._tell_of(ended)
            auctions = Auctions(self._market, {each.job for each in ended})
            for buyer in self._buyers:
                buyer.look(auctions, now)
            self._open_next(auctions)
        except UserError as error:
            self._tell(f"the controller looks again: {error}")
            return
        is_enough = len(ended) >= self._options.jobs
        self._is_over = is_enough and all(buyer.is_free for buyer in self._buyers)

    def _tell_of(self, ended: list[Ending]) -> None:
        known, self.outcome.endings = self.outcome.endings, ended
        done = f"{len(ended)}/{self._options.jobs}"
        for ending in [each for each in ended if each not in known]:
            what = f"job {ending.job} is {ending.state}: {ending.rounds} rounds"
            self._tell(f"{done}  {what} in {ending.blocks} blocks")

    def _open_next(self, auctions: Auctions) -> None:
        """Have one buyer open an auction, where one is free and its IPFS node answers."""
        if auctions.promising >= self._options.jobs:
            return
        unreachable = self._trouble.stores_away | self._trouble.parted
        for buyer in self._buyers:
            if buyer.is_free and buyer.site.number not in unreachable:
                buyer.open()
                return

    def _is_staffed(self) -> bool:
        wanted = (len(self._stage.sellers), len(self._stage.nodes))
        return self._market.registered(tag_of(TAG)) == wanted

    # --- processes

    def _site(self, turn: int) -> Site:
        return self._sites[turn % len(self._sites)]

    def _present(self) -> list[Supervised]:
        return [*self._serving, *(each for buyer in self._buyers for each in buyer.working)]

    def _everyone(self) -> list[Supervised]:
        return [*self._serving, *(each for buyer in self._buyers for each in buyer.everyone)]

    def _tend(self, now: float) -> None:
        for each in self._present():
            each.tend(now)

    def _until(self, done: Callable[[], bool], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not self._holds(done):
            if time.monotonic() > deadline:
                raise Stalled(f"waited {seconds} s for {what}, see {self._logs}")
            self._tend(time.monotonic())
            time.sleep(LOOK_SECONDS)

    def _holds(self, done: Callable[[], bool]) -> bool:
        """Whether it is so; not where the chain's node cannot tell just now."""
        try:
            self._market.forget()
            return done()
        except UserError as error:
            self._tell(f"the controller looks again: {error}")
            return False


@contextmanager
def staged(options: ChaosOptions, folder: Path, tell: Tell) -> Iterator[Play]:
    """A deployed market with nobody in it yet."""
    sizes = DemoOptions(
        sellers=options.sellers,
        nodes=options.nodes,
        byzantine_nodes=0.0,
        byzantine_sellers=0.0,
        dataset=TAG,
        seed=options.seed,
    )
    with ExitStack() as life:
        node = _chain_node(options, folder.with_name("chain"), accounts_needed(sizes))
        life.callback(node.end)
        node.start()
        spec = small_spec(keccak(text=f"chaos {options.seed}"))
        stage = replace(set_stage(sizes, folder, node.keys), spec=spec)
        signer = signer_of(stage.deployer)
        parameters = Parameters(STAKE_UNIT, BOND_UNIT, _draws(options))
        record = deploy(node.url, node.chain_id, load_artifacts(), signer, parameters)
        record.write(stage.deployment)
        chain = Chain(node.url, record.deployment, load_artifacts(), signer)
        if isinstance(node, GethNode):
            node.floor = chain.block_number()
        tell(f"deployed {len(record.contracts)} contracts at {node.url}")
        places = life.enter_context(sites(options, node.url, folder.with_name("ipfs")))
        yield Play(options, stage, node, chain, places, tell)


def _chain_node(options: ChaosOptions, folder: Path, accounts: int) -> ChainNode:
    rules = CHAINS[options.chain]
    if rules is None:
        return AnvilNode(folder, accounts, options.seed)
    return GethNode(folder, accounts, options.seed, rules)


def _draws(options: ChaosOptions) -> bytes:
    """Where draws come from: block hashes, as on a real network, or the seed on anvil."""
    return BLOCK_HASHES if CHAINS[options.chain] else keccak(text=f"chaos draws {options.seed}")
