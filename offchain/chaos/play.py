"""The chaos run itself: jobs are played while a controller disturbs everybody."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import cycle
from pathlib import Path

from eth_utils.crypto import keccak

from offchain.chain.artifacts import load_artifacts
from offchain.chain.client import Chain
from offchain.chain.records import tag_of
from offchain.chaos.chain_node import ChainNode
from offchain.chaos.checks import Ending, endings, faults, unpaid
from offchain.chaos.namespaces import Namespace
from offchain.chaos.options import (
    BOND_UNIT,
    LIMIT,
    PATIENCE_BLOCKS,
    RULES,
    STAKE_UNIT,
    TERMS,
    ChaosOptions,
    small_spec,
)
from offchain.chaos.processes import STOP_SECONDS, Supervised
from offchain.chaos.proxy import Proxy, Weather
from offchain.chaos.schedule import Disturbance, Kind, disturbances
from offchain.chaos.sites import Site, sites
from offchain.data.files import read_samples
from offchain.learning.updates import EvaluationSet
from offchain.market.deploy import deploy
from offchain.market.genesis import Parameters
from offchain.market.options import DemoOptions
from offchain.market.stage import Member, Stage, accounts_needed, set_stage, signer_of
from offchain.parties.commands import Session, open_for
from offchain.parties.ledger import Ledger
from offchain.store.choice import open_store

TAG = "digits"
STEP_SECONDS = 0.2
LOOK_SECONDS = 2.0
"""Between two looks of the controller at the market."""
WORST_STORM = 0.1
"""Chance of each piece to be lost; half of all pieces are late meanwhile."""
DELAY_SECONDS = 1.0
SETTLE_SECONDS = 600
"""After the last job ended, in calm: for all parties to be started again and paid."""

START_LIMIT = 900
"""Seconds for two dozen processes to start and register on two busy cores."""
JOB_LIMIT = 900
"""Seconds for a job on average: a dozen times what one takes in calm."""

Tell = Callable[[str], None]


class Stalled(RuntimeError):
    """The market did not come to its end."""


@dataclass
class Outcome:
    """What a run came to."""

    seed: int
    has_ipfs: bool = False
    has_namespaces: bool = False
    endings: list[Ending] = field(default_factory=list)
    disturbances: Counter[str] = field(default_factory=Counter)
    void: int = 0
    """Auctions that nobody had bid in when they closed, as their buyer was away: opened again."""
    pieces_lost: int = 0
    starts: int = 0
    seconds: float = 0.0
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
        self._node = node
        self._ledger = Ledger(chain)
        self._sites = places
        self._tell = tell
        self._logs = stage.folder / "logs"
        self._logs.mkdir()
        self._turns = cycle(places)
        self._serving: list[Supervised] = []
        self._buyers: dict[int, tuple[int, Supervised]] = {}
        self._past_buyers: list[Supervised] = []
        self._opened = 0
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._chain_is_away = False
        self._parted: set[Namespace] = set()
        self._next_look = 0.0
        self.outcome = Outcome(
            options.seed, has_ipfs=options.ipfs is not None, has_namespaces=options.namespaces
        )

    def run(self) -> Outcome:
        """Play all jobs; the processes are stopped however it ends."""
        started = time.monotonic()
        try:
            self._staff()
            self._play_jobs()
            self._calm_down()
        finally:
            self._stop()
        texts = {each.name: each.log_text() for each in self._everybody()}
        deliveries = self._stage.folder / "delivered"
        self.outcome.faults = faults(self._ledger, self._options.jobs, deliveries, texts)
        self.outcome.endings = endings(self._ledger)
        self.outcome.void = len(self._ledger.chain.logs("AuctionHouse", "AuctionVoid"))
        self.outcome.pieces_lost = sum(proxy.lost for proxy in self._proxies())
        self.outcome.starts = sum(each.starts for each in self._everybody())
        self.outcome.seconds = time.monotonic() - started
        return self.outcome

    # --- phases

    def _staff(self) -> None:
        """Start sellers and nodes, and wait until all have registered."""
        stage = self._stage
        for seller in stage.sellers:
            data = ["--data", str(stage.data_file(seller)), "--tag", TAG]
            self._serving.append(self._party("seller", seller, [*data, *self._patience()], True))
        for node in stage.nodes:
            self._serving.append(self._party("cone", node, self._patience(), True))
        self._until(self._is_staffed, START_LIMIT, "the parties to register")
        self._tell(f"{len(stage.sellers)} sellers and {len(stage.nodes)} nodes have registered")

    def _play_jobs(self) -> None:
        """Open auctions, a few jobs at once, and disturb everybody until the last has ended."""
        outcome = self.outcome
        coming = disturbances(
            outcome.seed, has_ipfs=outcome.has_ipfs, has_namespaces=outcome.has_namespaces
        )
        following = next(coming)
        due = time.monotonic() + following.after_seconds
        deadline = time.monotonic() + JOB_LIMIT * self._options.jobs
        while not self._is_played():
            now = time.monotonic()
            if now > deadline:
                raise Stalled(f"not all jobs ended in {JOB_LIMIT} s each, see {self._logs}")
            if now >= due:
                self._disturb(following, now)
                following = next(coming)
                due = now + following.after_seconds
            self._tend(now)
            if now >= self._next_look and not self._chain_is_away:
                self._next_look = now + LOOK_SECONDS
                self._look()
            time.sleep(STEP_SECONDS)

    def _calm_down(self) -> None:
        """Everything works again: whoever is owed something must come by it."""
        for _when, undo in self._later:
            undo()
        self._later.clear()
        members = [*self._stage.buyers, *self._stage.sellers, *self._stage.nodes]
        accounts = [member.address for member in members]
        self._tell("all jobs have ended; waiting, in calm, until everybody is paid")
        self._until(
            lambda: not unpaid(self._ledger, accounts) and all(self._is_claimed()),
            SETTLE_SECONDS,
            "everybody to be paid",
        )

    def _stop(self) -> None:
        everybody = self._everybody()
        for each in everybody:
            each.end()
        deadline = time.monotonic() + STOP_SECONDS
        for each in everybody:
            each.wait(deadline)

    # --- the market

    def _look(self) -> None:
        """Replace buyers that are done, and tell of jobs that have ended."""
        known, self.outcome.endings = self.outcome.endings, endings(self._ledger)
        done = f"{len(self.outcome.endings)}/{self._options.jobs}"
        for ending in [each for each in self.outcome.endings if each not in known]:
            what = f"job {ending.job} is {ending.state}: {ending.rounds} rounds"
            self._tell(f"{done}  {what} in {ending.blocks} blocks")
        for place in range(self._options.at_once):
            _auction, buyer = self._buyers.get(place, (0, None))
            if buyer is not None and not buyer.is_done:
                continue
            if buyer is not None:
                self._past_buyers.append(self._buyers.pop(place)[1])
            void = len(self._ledger.chain.logs("AuctionHouse", "AuctionVoid"))
            if self._opened - void < self._options.jobs:
                self._open(place)

    def _open(self, place: int) -> None:
        """Open an auction for a buyer that is free, then start it: it hands out the job's key."""
        stage = self._stage
        samples = EvaluationSet(*read_samples(stage.evaluation_file))
        signer, known = signer_of(stage.buyers[place]), self._ledger.chain.deployment
        chain = Chain(self._node.url, known, load_artifacts(), signer)
        ipfs = self._options.ipfs
        session = Session(chain, lambda: open_store(None if ipfs else stage.store, ipfs), signer)
        auction = open_for(session, TAG, stage.spec, samples, RULES, TERMS)
        self._opened += 1
        folder = stage.folder / "delivered" / str(auction)
        bid = ["--auction", str(auction), "--limit", f"{LIMIT} wei", "--folder", str(folder)]
        buyer = self._party("buyer", stage.buyers[place], bid, False, f"-{auction}")
        self._buyers[place] = (auction, buyer)

    def _is_played(self) -> bool:
        ended = len(self.outcome.endings) >= self._options.jobs
        return ended and all(buyer.is_done for _auction, buyer in self._buyers.values())

    def _is_staffed(self) -> bool:
        chain, ledger = self._ledger.chain, self._ledger
        block = chain.block_number()
        counts = [
            ledger.registry.functions.countAt(tag_of(TAG), block),
            ledger.pool.functions.seatsAt(block),
        ]
        return chain.call_many(counts) == [len(self._stage.sellers), len(self._stage.nodes)]

    def _is_claimed(self) -> Iterator[bool]:
        """By job: whether sellers and nodes have claimed all that it earned."""
        for ending in self.outcome.endings:
            pots = self._ledger.situation(ending.job).pots
            yield pots.seller_paid == pots.seller_pot and pots.paid_votes == pots.right_votes

    # --- processes

    def _party(
        self, role: str, member: Member, more: list[str], is_lasting: bool, suffix: str = ""
    ) -> Supervised:
        stage, site = self._stage, next(self._turns)
        store = ["--store", str(stage.store)]
        if site.store is not None:
            store = ["--ipfs", f"/ip4/{site.store.host}/tcp/{site.store.port}"]
        place = ["--deployment", str(stage.deployment), *store]
        common = [role, "--rpc", site.chain.url, "--key", str(member.key), *place, *more]
        name = f"{member.name}{suffix}"
        return Supervised(name, common, self._logs, site.prefix, is_lasting=is_lasting)

    def _proxies(self) -> list[Proxy]:
        """Those before the chain's node and those before the IPFS node."""
        found = (proxy for site in self._sites for proxy in (site.chain, site.store))
        return [proxy for proxy in found if proxy is not None]

    @staticmethod
    def _patience() -> list[str]:
        return ["--patience", str(PATIENCE_BLOCKS)]

    def _present(self) -> list[Supervised]:
        return [*self._serving, *(buyer for _auction, buyer in self._buyers.values())]

    def _everybody(self) -> list[Supervised]:
        return [*self._present(), *self._past_buyers]

    def _tend(self, now: float) -> None:
        for each in self._present():
            each.tend(now)
        for when, undo in list(self._later):
            if now >= when:
                self._later.remove((when, undo))
                undo()

    def _until(self, done: Callable[[], bool], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                raise Stalled(f"waited {seconds} s for {what}, see {self._logs}")
            self._tend(time.monotonic())
            time.sleep(LOOK_SECONDS)

    # --- disturbances

    def _disturb(self, what: Disturbance, now: float) -> None:
        until = now + what.seconds
        if what.kind in (Kind.KILL, Kind.PAUSE):
            running = [each for each in self._present() if each.is_running]
            if not running:
                return
            victim = running[int(what.target * len(running))]
            (victim.kill if what.kind is Kind.KILL else victim.pause)(until)
            whom = victim.name
        elif what.kind is Kind.CUT:
            site = self._site(what)
            self._change([site.chain], Weather(is_down=True), until)
            whom = f"all of site {site.number}"
        elif what.kind is Kind.STORE_CUT:
            stores = [site.store for site in self._sites if site.store is not None]
            self._change(stores, Weather(is_down=True), until)
            whom = "all parties' store"
        elif what.kind is Kind.PARTITION:
            site = self._site(what)
            if site.namespace is None or site.namespace in self._parted:
                return
            self._part(site.namespace, until)
            whom = f"site {site.number} from all others"
        elif what.kind is Kind.STORM:
            lost = what.severity * WORST_STORM
            self._change(self._proxies(), Weather(lost, 0.5, DELAY_SECONDS), until)
            whom = f"{lost:.1%} of all pieces"
        elif self._chain_is_away:
            return
        else:
            self._take_chain_away(what.kind, until)
            whom = "anvil"
        self.outcome.disturbances[what.kind.text] += 1
        self._tell(f"#{what.number} {what.kind.text}: {whom}, {what.seconds:.1f} s")

    def _change(self, proxies: list[Proxy], weather: Weather, until: float) -> None:
        for proxy in proxies:
            proxy.weather = weather

        def undo() -> None:
            for proxy in proxies:
                if proxy.weather is weather:
                    proxy.weather = Weather()

        self._later.append((until, undo))

    def _site(self, what: Disturbance) -> Site:
        return self._sites[int(what.target * len(self._sites))]

    def _part(self, namespace: Namespace, until: float) -> None:
        namespace.part()
        self._parted.add(namespace)

        def undo() -> None:
            namespace.join()
            self._parted.remove(namespace)

        self._later.append((until, undo))

    def _take_chain_away(self, kind: Kind, until: float) -> None:
        stops = kind is Kind.CHAIN_STOP
        (self._node.stop if stops else self._node.pause)()
        self._chain_is_away = True

        def undo() -> None:
            (self._node.start if stops else self._node.resume)()
            self._chain_is_away = False

        self._later.append((until, undo))


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
        state = folder.with_name(f"{folder.name}-chain.json")
        state.unlink(missing_ok=True)
        node = life.enter_context(ChainNode(accounts_needed(sizes), options.seed, state))
        assert node.anvil is not None
        stage = replace(
            set_stage(sizes, folder, node.anvil.keys),
            spec=small_spec(keccak(text=f"chaos {options.seed}")),
        )
        signer = signer_of(stage.deployer)
        record = deploy(
            node.url,
            node.anvil.chain_id,
            load_artifacts(),
            signer,
            Parameters(STAKE_UNIT, BOND_UNIT, keccak(text=f"chaos draws {options.seed}")),
        )
        record.write(stage.deployment)
        tell(f"deployed {len(record.contracts)} contracts at {node.url}")
        chain = Chain(node.url, record.deployment, load_artifacts(), signer)
        places = life.enter_context(sites(options, node.url))
        yield Play(options, stage, node, chain, places, tell)
