"""A seller that keeps its update back and gives it when that hurts most, on four real Kubo nodes.

Bitswap tells each peer what a node wants, and when it gives up. Three nodes of the swarm are those
of the market; the fourth is the seller's, connected with all of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from d2m.clients.anvil import start_anvil
from d2m.clients.kubo import Kubo, kubo_swarm
from d2m.jobs.pins import place_of
from d2m.protocol.types import JobState
from d2m.store import Cid, IpfsStore, Store
from d2m.store.ipfs_node import Patience
from d2m.store.local import OWN_NAME
from tests.support.kubo import store_on
from tests.support.world import ACCOUNTS, BLOCK_SECONDS, NODES, RANDOM_SEED, RULES, World, world_on

pytestmark = [pytest.mark.ipfs, pytest.mark.slow]

ATTACKER = 3
HONEST = [number for number, kind in enumerate(NODES) if kind == "honest"]
ONE_ROUND = RULES._replace(rounds=1)
"""The deadline to read is half a window, half a minute and more, after the vote has begun."""
SOON, PATIENT = Patience(find=2.0, deaf=0.5), Patience(find=60.0, deaf=0.5)
"""Searches of some nodes end while that of another goes on: they began at different times."""


@dataclass
class Withholding:
    """The store of a seller that keeps its updates to itself until it says otherwise."""

    node: Kubo
    market: World
    kept_back: list[bytes] = field(default_factory=list)

    def put(self, data: bytes, *, name: str = OWN_NAME) -> Cid:
        place = place_of(self.market.contracts.id, name)
        if place is None or not place.number:
            return self._store.put(data, name=name)
        self.kept_back.append(data)
        return Cid.of(data)

    def get(self, cid: Cid, *, limit: int, name: str = OWN_NAME) -> bytes:
        return self._store.get(cid, limit=limit, name=name)

    def kept(self, cid: Cid, *, limit: int, name: str = OWN_NAME) -> bytes:
        return self._store.kept(cid, limit=limit, name=name)

    def named(self, prefix: str) -> dict[Cid, str]:
        return {}

    def unpin(self, cid: Cid) -> None:
        pass

    @property
    def _store(self) -> IpfsStore:
        return store_on(self.node)

    def give(self) -> None:
        for data in self.kept_back:
            self._store.put(data)

    def is_wanted(self) -> bool:
        """Whether a peer wants a kept back update, as Bitswap tells."""
        cids = {str(Cid.of(data)) for data in self.kept_back}
        for peer in self.node.peers():
            keys = self.node.ask("bitswap/wantlist", peer=peer).json()["Keys"] or []
            if cids & {key["/"] for key in keys}:
                return True
        return False


class Attacked(World):
    """A market in which one seller has a store of its own kind."""

    attack: Withholding

    def store_of(self, account: int) -> Store:
        return self.attack if account == 10 + ATTACKER else super().store_of(account)


@contextmanager
def attacked(folder: Path) -> Iterator[Attacked]:
    """A market that is about to close its auction."""
    with (
        kubo_swarm(folder / "ipfs", 4) as nodes,
        start_anvil(accounts=ACCOUNTS, seed=1, block_seconds=BLOCK_SECONDS) as anvil,
    ):
        market = world_on(anvil, folder, RANDOM_SEED, Attacked)
        assert isinstance(market, Attacked)
        patience = (SOON, PATIENT, SOON)
        market.ipfs = [store_on(node, each) for node, each in zip(nodes, patience, strict=False)]
        market.attack = Withholding(nodes[3], market)
        market.register()
        market.open(ONE_ROUND)
        yield market


@contextmanager
def giving(market: Attacked, moment: Callable[[], bool]) -> Iterator[threading.Event]:
    """Give what is kept back as soon as it is the moment, whatever the parties do meanwhile."""
    is_over, is_given = threading.Event(), threading.Event()

    def watch() -> None:
        while not is_over.wait(0.05):
            if market.attack.kept_back and moment():
                market.attack.give()
                is_given.set()
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield is_given
    finally:
        is_over.set()
        thread.join()


def honest_nodes(market: Attacked) -> set[str]:
    return {market.signer(20 + number).address for number in HONEST}


def check_that_nobody_paid(market: Attacked) -> None:
    """All honest nodes voted alike, and the job was settled."""
    assert market.job().state == JobState.SETTLED
    honest = honest_nodes(market)
    reveals = market.contracts.yoda.reveals_in_round(1, 1)
    votes = {each["result"] for each in reveals if each["node"] in honest}
    assert votes == {market.contracts.yoda.verdict(1, 1).digest}
    slashed = market.contracts.chain.logs("ConePool", "NodeSlashed")
    assert honest.isdisjoint(log["args"]["node"] for log in slashed)


def test_giving_it_when_the_first_searches_are_over_splits_no_vote(tmp_path: Path) -> None:
    with attacked(tmp_path) as market:
        first_wanted: list[float] = []

        def somebody_gave_up() -> bool:
            if not first_wanted and market.attack.is_wanted():
                first_wanted.append(time.monotonic())
            return bool(first_wanted) and time.monotonic() > first_wanted[0] + 2 * SOON.find

        with giving(market, somebody_gave_up) as is_given:
            market.play()
        assert is_given.is_set(), "nobody wanted it"
        check_that_nobody_paid(market)
        contents = {update.cid for update in market.contracts.jobs.updates(1, 1).values()}
        assert {Cid.of(data).binary for data in market.attack.kept_back} <= contents


def test_giving_it_when_the_first_node_has_committed_splits_no_vote(tmp_path: Path) -> None:
    """To its result without the update: those asked in the second mini-round have it by then."""
    with attacked(tmp_path) as market:
        honest = honest_nodes(market)

        def somebody_committed() -> bool:
            commits = market.contracts.chain.logs("Yoda", "Committed")
            return any(log["args"]["node"] in honest for log in commits)

        with giving(market, somebody_committed) as is_given:
            market.play()
        assert is_given.is_set()
        check_that_nobody_paid(market)
