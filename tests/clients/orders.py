"""Blocks whose order a test decides: what parties send into one is played in many orders.

Parties talk to geth through a relay that hears what they send. While a block is tried in one order
after the other, the relay lets nobody ask: they see the block that is kept at last.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from eth_account.typed_transactions import TypedTransaction
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from d2m.clients.geth import Geth
from tests.support.relay import Ask, relay

PATIENCE_SECONDS = 300
"""Before a test gives up on parties that neither end nor send."""


class Played(NamedTuple):
    """A transaction in one order of its block; `place` counts from 1."""

    to: str
    selector: bytes
    limit: int
    used: int
    place: int
    of: int
    succeeded: bool


@dataclass
class Orders:
    """geth behind a relay, with what `World` wants of a chain."""

    geth: Geth
    url: str = ""
    shows_waiting: bool = False
    """Whether nobody acts before geth's pending block holds what those before sent: geth makes it
    anew every 2 s, and who estimates sooner sees less."""
    waiting: list[str] = field(default_factory=list)
    """Raw transactions that were sent and are in no block, in the order of their coming."""
    played: list[Played] = field(default_factory=list)
    """Every transaction in every order, the one that was kept included."""
    _gate: threading.Lock = field(default_factory=threading.Lock)

    @property
    def keys(self) -> Sequence[bytes]:
        return self.geth.keys

    @property
    def chain_id(self) -> int:
        return self.geth.chain_id

    def mine(self, blocks: int = 1) -> None:
        """Empty blocks, after one with what waits."""
        with self._gate:
            for _ in range(blocks):
                self.geth.mine(transactions=self._taken())

    def answer(self, ask: Ask, method: str, params: list[Any]) -> dict[str, Any]:
        """What geth says; what it takes is noted."""
        with self._gate:
            answer = ask(method, params)
            if method == "eth_sendRawTransaction" and "result" in answer:
                self.waiting.append(params[0])
            return answer

    def act(self, *acts: Callable[[], Any], is_reversed: bool = True) -> None:
        """Have parties act beside each other until all are done, whatever each sends, in turns.

        Each estimates behind what those before it have sent, as far as geth shows it by then
        (`shows_waiting`). What they wait for is then mined: in
        as many orders as there are transactions, each being first once and last once, and at last
        in the reversed order of their coming, which is kept.
        """
        with ThreadPoolExecutor(len(acts)) as pool:
            running: list[Future[Any]] = []
            for each in acts:
                running.append(pool.submit(each))
                self._until(lambda: self._is_quiet(running))
                if self.shows_waiting:
                    self._until(self._are_pending)
            while not all(each.done() for each in running):
                self._until(lambda: self._is_quiet(running))
                if self.waiting:
                    self._try_orders(is_reversed)
            for each in running:
                each.result()

    def _is_quiet(self, running: Sequence[Future[Any]]) -> bool:
        """Whether everybody who is not done waits for a transaction."""
        busy = sum(not each.done() for each in running)
        return busy == 0 or len(self.waiting) >= busy

    def _are_pending(self) -> bool:
        count = self.geth.control("eth_getBlockTransactionCountByNumber", "pending")
        return int(count, 16) >= len(self.waiting)

    @staticmethod
    def _until(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "the parties neither end nor send"
            time.sleep(0.01)

    def _taken(self) -> list[str]:
        taken, self.waiting = self.waiting, []
        return taken

    def _try_orders(self, is_reversed: bool) -> None:
        with self._gate:
            sent = self._taken()
            for first in range(len(sent)):
                self._play(sent[first:] + sent[:first])
                self.geth.forget(1)
            self._play(sent[::-1] if is_reversed else sent)

    def _play(self, order: Sequence[str]) -> None:
        self.geth.mine(transactions=list(order))
        for place, raw in enumerate(order, start=1):
            fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
            hash_ = "0x" + keccak(hexstr=raw).hex()
            receipt = self.geth.control("eth_getTransactionReceipt", hash_)
            self.played.append(
                Played(
                    to=str(receipt["to"]),
                    selector=bytes(HexBytes(fields["data"])[:4]),
                    limit=int(fields["gas"]),
                    used=int(receipt["gasUsed"], 16),
                    place=place,
                    of=len(order),
                    succeeded=receipt["status"] == "0x1",
                )
            )


@contextmanager
def orders(geth: Geth) -> Iterator[Orders]:
    """`geth` for parties whose blocks a test arranges."""
    found = Orders(geth)
    with relay(geth.url, found.answer) as url:
        found.url = url
        yield found
