"""A job on geth that is re-organised in every phase, and its parties, turn by turn."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from eth_account import Account

from d2m.chain.contracts.market import Market
from d2m.chain.errors import NodeRefused
from d2m.clients.binaries import ClientFailed
from d2m.clients.geth import Geth
from d2m.parties.buyer.requester import AuctionParty
from d2m.parties.cone.node import ConeNode, vote_honestly
from d2m.parties.daemon import Party, _passes
from d2m.parties.health import kind_of
from d2m.protocol.types import ETHER, AuctionState, JobState, JobView, Phase
from tests.support.world import RULES, TERMS, World

NODES, SELLERS = 5, 2
WINDOW_BLOCKS = 60
"""Blocks come with transactions and turns, not with time: a window is about so many of both."""
SHORT = RULES._replace(
    rounds=1,
    base=NODES - 1,
    update_blocks=WINDOW_BLOCKS,
    commit_blocks=WINDOW_BLOCKS,
    reveal_blocks=WINDOW_BLOCKS,
    open_blocks=WINDOW_BLOCKS,
    judge_blocks=WINDOW_BLOCKS,
)
SHORT_AUCTION = TERMS._replace(window_blocks=WINDOW_BLOCKS)
MOST_TURNS = 600
"""Of each party, before a test gives up."""
POLL_SECONDS = 0.005
INDEX_SECONDS = 0.5
"""Between two questions to a geth that makes its index of logs anew."""


class GethWorld(World):
    """A market on geth."""

    anvil: Geth  # type: ignore[assignment]

    def mine_to(self, number: int) -> None:
        """Block after block."""
        self.anvil.mine(max(0, number - self.chain(0).block_number()))

    def node(self, number: int) -> ConeNode:
        """An honest one."""
        node = super().node(number)
        node._voting = vote_honestly
        return node


@contextmanager
def mined_at_once(geth: Geth) -> Iterator[None]:
    """A block as soon as a transaction waits for one: no window depends on how fast a test is."""
    stopped = threading.Event()

    def make() -> None:
        while not stopped.wait(POLL_SECONDS):
            with geth._making:
                if int(geth.control("txpool_status")["pending"], 16):
                    geth.mine()

    thread = threading.Thread(target=make)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


# --- how a chain is re-organised


def put_back(geth: Geth, depth: int) -> None:
    """Empty blocks in the place of the last ones; what those held waits in the pool again."""
    geth.reorganise(depth)


def drop(geth: Geth, depth: int) -> None:
    """The last blocks are lost with all that they held, as with a node that was killed."""
    geth.forget(depth)
    geth.mine()
    for _ in range(MOST_TURNS):  # what parties do meanwhile is another test's
        try:
            geth.control("eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest"})
            return
        except ClientFailed as error:
            if not is_indexing(error):
                raise
            time.sleep(10 * POLL_SECONDS)


def shuffle(geth: Geth, depth: int) -> None:
    """What the last blocks held in one block, in another order; each account's order is kept."""
    with geth._making:
        head = int(geth.head()["number"], 16)
        lost = [
            raw
            for number in range(head - depth + 1, head + 1)
            for raw in geth.raw_transactions(number)
        ]
        geth.reorganise(depth, [shuffled(lost), *([[]] * depth)])


def shuffled(transactions: list[str]) -> list[str]:
    """In a random order that keeps each sender's own."""
    senders = [str(Account.recover_transaction(raw)) for raw in transactions]
    queues: dict[str, list[str]] = {sender: [] for sender in senders}
    for sender, raw in zip(senders, transactions, strict=True):
        queues[sender].append(raw)
    random.Random(len(transactions)).shuffle(senders)
    return [queues[sender].pop(0) for sender in senders]


# --- the walk


def phases_of(market: World) -> Iterator[str]:
    """What the chain says has happened, in order."""
    auction = market.auction()
    if auction.state == AuctionState.NONE:
        return
    yield "opened"
    if not auction.highest_bid:
        return
    yield "bid"
    if not market.contracts.jobs.count():
        return
    yield "seeding"
    view = market.contracts.situation(1)
    if view.job.state == JobState.SEEDING:
        return
    yield "collecting"
    yield from phases_of_job(market, view)


def phases_of_job(market: World, view: JobView) -> Iterator[str]:
    """From the first sample on."""
    contracts, state = market.contracts, view.job.state
    if contracts.key_rings.rings(1):
        yield "key handed out"
    if view.job.posted or state > JobState.COLLECTING:
        yield "posted"
    if state < JobState.DECIDING:
        return
    yield "deciding"
    is_past = state > JobState.DECIDING or view.poll.phase == Phase.ACCEPTED
    if view.mini_round.committed or is_past:
        yield "committed"
    if view.mini_round.revealed or is_past:
        yield "revealed"
    if state > JobState.DECIDING:
        yield "opening"
    if state.ended:
        yield "ended"
        if contracts.chain.logs("Escrow", "ConePaid"):
            yield "claimed"


ALL = (
    "registered",
    "opened",
    "bid",
    "seeding",
    "collecting",
    "key handed out",
    "posted",
    "deciding",
    "committed",
    "revealed",
    "opening",
    "ended",
    "claimed",
)
"""Phases, each re-organised once."""


@dataclass
class Walk:
    """One job, its parties, and what is done to its chain."""

    market: GethWorld
    reorganise: Callable[[Geth, int], None] = put_back
    depth: int = 0
    phases: tuple[str, ...] = ()
    """In which the chain is re-organised, once each."""
    parties: list[Party] = field(default_factory=list)
    visited: list[str] = field(default_factory=list)

    def play(self) -> None:
        """Until the phases have been visited and everybody has what it is owed."""
        self.register()
        self.go_on(self._is_over)

    def register(self) -> None:
        """Have the sellers and nodes in the market, and its auction open."""
        self.parties = [
            *(self.market.seller(number) for number in range(SELLERS)),
            *(self.market.node(number) for number in range(NODES)),
        ]
        for node in self.nodes:
            node.join()
        self._turns()
        if "registered" in self.phases:
            self._visit("registered")
            self._turns()
        self._open()
        self.parties += [self.market.buyer(0), self.market.buyer(1)]

    def go_on(self, done: Callable[[], bool]) -> None:
        """Take turns until `done()`."""
        for _turn in range(MOST_TURNS):
            try:
                if self._step(done):
                    return
            except NodeRefused as error:
                if not is_indexing(error):
                    raise
                time.sleep(INDEX_SECONDS)
        raise AssertionError(f"the market stands still after {self.visited}")

    def _step(self, done: Callable[[], bool]) -> bool:
        """Everybody's turn, and what the test and its users do; whether it is `done()` since.

        Just after a re-organisation it is not: nobody has had a turn to notice it.
        """
        self._turns()
        self._open()
        reached = phases_of(self.market)
        new = [each for each in reached if each in self.phases and each not in self.visited]
        if new:
            self._visit(new[0])
            return False
        self._close()
        return done()

    @property
    def nodes(self) -> list[ConeNode]:
        """The CONE nodes."""
        return [each for each in self.parties if isinstance(each, ConeNode)]

    def _visit(self, phase: str) -> None:
        self.visited.append(phase)
        self.reorganise(self.market.anvil, self.depth)

    def _turns(self) -> None:
        """A turn of every party, as `Party.serve` takes it; a process that is done ends."""
        for party in tuple(self.parties):
            if take_turn(party):
                self.parties.remove(party)
        self.market.anvil.mine()

    def _open(self) -> None:
        """Open the auction, as its user does who finds that it is gone for good."""
        contracts = Market(self.market.chain(1))
        contracts.chain.settle_earlier()
        if not contracts.auctions.opened_by(contracts.chain.address):
            self.market.open(SHORT, terms=SHORT_AUCTION)

    def _close(self) -> None:
        """Let the window of an auction pass in which there is a bid."""
        auction = self.market.auction()
        if auction.state == AuctionState.OPEN and auction.highest_bid:
            self.market.mine_to(auction.last_block + 1)

    def _is_over(self) -> bool:
        if len(self.visited) < len(self.phases) or not self.market.job().state.ended:
            return False
        contracts = self.market.contracts
        working = [each for each in self.parties if not isinstance(each, AuctionParty)]
        owed = [contracts.lens.credits(each.chain.address, [ETHER]) for each in working]
        return all(each.jobs_ended for each in working) and not any(map(sum, owed))

    def withdraw(self) -> None:
        """What users whose process has ended do: `buyer withdraw`."""
        for account in (1, 2):
            contracts = Market(self.market.chain(account))
            if any(contracts.lens.credits(contracts.chain.address, [ETHER])):
                contracts.escrow.withdraw(ETHER)


def take_turn(party: Party) -> bool:
    """As `Party.serve` does; whether the process ends."""
    try:
        return party._turn(lambda: is_done(party))
    except Exception as error:
        if not _passes(error):
            raise
        party.health.report(kind_of(error), error)
        party._next_look = 0
        if is_indexing(error):
            time.sleep(INDEX_SECONDS)  # so that no window passes of which nothing is known
        return False


def once_indexed(check: Callable[[], None]) -> None:
    """Check what geth's logs say, as soon as it tells of them."""
    for _ in range(MOST_TURNS):
        try:
            return check()
        except NodeRefused as error:
            if not is_indexing(error):
                raise
            time.sleep(INDEX_SECONDS)
    raise AssertionError("geth's index of logs does not come to an end")


def is_indexing(error: Exception) -> bool:
    """Whether geth makes its index of logs anew, as it does when it has lost blocks."""
    return any(words in str(error) for words in ("log index", "beyond current head"))


def is_done(party: Party) -> bool:
    """Whether a process ends after this look, as its command says."""
    if isinstance(party, AuctionParty):
        return party.memory.is_done or party.jobs_ended > 0
    return False
