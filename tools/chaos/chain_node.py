"""The chain's node as a service that is paused, stopped, killed and started with its chain."""

from __future__ import annotations

import random
import signal
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from eth_account import Account

from d2m.clients.anvil import start_anvil
from d2m.clients.geth import Geth, start_geth
from d2m.clients.geth import Rules as ChainRules

BLOCK_SECONDS = 1.0
UNWRITTEN = 8
"""Blocks that a durable geth has lost by itself when it is killed, at most; six were seen."""


class Fate(Enum):
    """Fate of the transactions of replaced blocks."""

    PUT_BACK = "put back"
    """They wait in the node's pool, and are mined in its order."""
    DROPPED = "dropped"
    """Nobody mines them, unless they are sent again."""
    SHUFFLED = "shuffled"
    """They are mined in another order, each account's own being kept."""


@dataclass(frozen=True)
class Replaced:
    """Blocks that were taken off the chain, by number; the last was the head."""

    first: int
    last: int


class ChainNode:
    """A node at the same address in every life."""

    def __init__(self, folder: Path, accounts: int, seed: int) -> None:
        """`folder` keeps its chain; so many `accounts` have ether."""
        self._folder = folder
        self._accounts = accounts
        self._seed = seed
        self._life = ExitStack()
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.chain_id = 0
        self.keys: tuple[bytes, ...] = ()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Begin a life, with the chain of the one before."""
        raise NotImplementedError

    def stop(self) -> None:
        """End the life; what was mined is kept."""
        self._life.close()
        self._process = None

    def end(self) -> None:
        """End the life of one that may be paused."""
        self.resume()
        self.stop()

    def pause(self) -> None:
        """It answers nobody, and mines nothing."""
        if self._process:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on."""
        if self._process:
            self._process.send_signal(signal.SIGCONT)


class AnvilNode(ChainNode):
    """The development chain, which replaces no block and loses none."""

    def start(self) -> None:
        """Begin a life, with the chain of the one before."""
        anvil = self._life.enter_context(
            start_anvil(
                accounts=self._accounts,
                seed=self._seed,
                block_seconds=BLOCK_SECONDS,
                port=self._port,
                state=self._folder.with_suffix(".json"),
            )
        )
        self._process, self.chain_id, self.keys = anvil.process, anvil.chain_id, anvil.keys
        self._port = int(anvil.url.rpartition(":")[2])


class GethNode(ChainNode):
    """Real geth, whose blocks this process makes, replaces and takes away."""

    def __init__(self, folder: Path, accounts: int, seed: int, rules: ChainRules) -> None:
        super().__init__(folder, accounts, seed)
        self._rules = rules
        self._mining = ExitStack()
        self._geth: Geth | None = None
        self._lost = 0
        self.floor = 0
        """The last block that no death takes away: whoever set the market up does it once."""

    def start(self) -> None:
        """Begin a life, with the chain of the one before but for the blocks lost with it."""
        geth = self._life.enter_context(
            start_geth(
                self._rules,
                accounts=self._accounts,
                folder=self._folder,
                port=self._port,
                is_durable=True,
            )
        )
        self._geth, self._process = geth, geth.process
        self.chain_id, self.keys = geth.chain_id, geth.keys
        self._port = int(geth.url.rpartition(":")[2])
        lost = min(self._lost, self._head() - self.floor)
        if lost > 0:
            geth.forget(lost)
        self._lost = 0
        if not self._head():
            geth.mine()  # before its first block it tells nothing of transactions
        self._mine()

    def stop(self) -> None:
        """End the life; what was mined is kept."""
        self._mining.close()
        super().stop()
        self._geth = None

    def kill(self, blocks_lost: int) -> Replaced:
        """Kill -9; the next life lacks the last blocks, and nobody holds what they held."""
        assert self._process is not None
        self._mining.close()
        head = self._head()
        self._process.kill()
        self._process.wait()
        self._lost = blocks_lost
        self.stop()
        return Replaced(max(self.floor, head - blocks_lost - UNWRITTEN) + 1, head)

    def reorganise(self, depth: int, fate: Fate, chance: random.Random) -> Replaced:
        """Replace the last blocks by one more than they were."""
        assert self._geth is not None
        self._mining.close()
        head = self._head()
        if fate is Fate.PUT_BACK:
            self._geth.reorganise(depth)
        elif fate is Fate.DROPPED:
            self._geth.forget(depth)
            self._geth.mine(depth + 1)
        else:
            blocks = [self._geth.raw_transactions(head - back) for back in reversed(range(depth))]
            lost = [each for block in blocks for each in block]
            self._geth.reorganise(depth, spread(shuffled(lost, chance), depth + 1))
        self._mine()
        return Replaced(head - depth + 1, head)

    def _head(self) -> int:
        assert self._geth is not None
        return int(self._geth.head()["number"], 16)

    def _mine(self) -> None:
        assert self._geth is not None
        self._mining.enter_context(self._geth.keep_mining(BLOCK_SECONDS))


def shuffled(transactions: list[str], chance: random.Random) -> list[str]:
    """Raw transactions in another order, in which each account's own keep theirs."""
    senders = [Account.recover_transaction(each) for each in transactions]
    own: dict[str, list[str]] = {sender: [] for sender in senders}
    for sender, transaction in zip(senders, transactions, strict=True):
        own[sender].append(transaction)
    chance.shuffle(senders)
    return [own[sender].pop(0) for sender in senders]


def spread(transactions: list[str], blocks: int) -> list[list[str]]:
    """The transactions over so many blocks, in order."""
    size = -(-len(transactions) // blocks)
    return [transactions[each * size : (each + 1) * size] for each in range(blocks)]
