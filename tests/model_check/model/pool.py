"""CONE nodes, their stakes and what is taken of them (`ConePool`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from d2m.protocol import types
from d2m.protocol.constants import BPS
from d2m.protocol.types import ETHER, Conduct, Offence
from tests.model_check.model.basics import demand
from tests.model_check.model.registry import swap_out

if TYPE_CHECKING:
    from tests.model_check.model.market import Market

PENALTY_BPS = {Conduct.LOST_RESULT: 5000, Conduct.WRONG_AUDIT: 2500, Conduct.SILENT: 200}


@dataclass
class Node:
    """What the pool knows of an account; the stake in wei."""

    stake: int = 0
    seat: int = 0
    since: int = 0
    exit_block: int = 0
    key: bytes = bytes(32)

    def row(self) -> types.Node:
        return types.Node(self.stake, self.seat, self.since, self.exit_block, self.key)


class Pool:
    """The staked pool, the jobs that froze it and the offences punished in them."""

    def __init__(self, market: Market, stake_unit: int) -> None:
        self.market = market
        self.stake_unit = stake_unit
        self.nodes: dict[str, Node] = {}
        self.seats: list[str] = []
        self.running: list[int] = []
        """Jobs that froze the pool and run, the oldest first."""
        self.punished: dict[int, set[Offence]] = {}

    def node(self, account: str) -> Node:
        return self.nodes.setdefault(account, Node())

    def join(self, sender: str, key: bytes, *, value: int) -> None:
        demand(sender not in self.seats, "AlreadySeated()")
        node = self.node(sender)
        required = self.stake_unit - node.stake
        demand(value == required, "WrongStake(uint256)", required)
        self.market.books.pay_in(ETHER, sender, "pool", value)
        node.stake, node.exit_block, node.key = self.stake_unit, 0, key
        self.seats.append(sender)
        self._sit(sender)

    def _sit(self, account: str) -> None:
        node = self.node(account)
        node.seat, node.since = self.seats.index(account), self.market.now

    def leave(self, sender: str) -> None:
        demand(sender in self.seats, "NotSeated()")
        self._unseat(sender)

    def _unseat(self, account: str) -> None:
        gap = self.seats.index(account)
        swap_out(self.seats, account)
        if gap < len(self.seats):
            self._sit(self.seats[gap])
        self.node(account).exit_block = self.market.now

    def is_frozen(self, node: Node) -> bool:
        """Whether a running job may have the node on one of its seats."""
        freezes = [self.market.jobs.all[job_id].freeze_block for job_id in self.running]
        return any(freeze_block < node.exit_block for freeze_block in freezes)

    def withdraw_stake(self, sender: str, to: str) -> None:
        node = self.node(sender)
        demand(node.exit_block != 0, "NotLeaving()")
        unlock = node.exit_block + self.market.unbonding
        free = self.market.now >= unlock and not self.is_frozen(node)
        demand(free, "StakeBound(uint256)", unlock)
        demand(not self.market.refuses(to), "PaymentRefused(address)", to)
        self.nodes[sender] = Node()
        self.market.send_ether("pool", sender, to, node.stake)

    def slash(self, sender: str, job_id: int, offences: tuple[Offence, ...]) -> None:
        demand(job_id in self.running, "NotRunning()")
        for offence in offences:
            conduct = self.market.yoda.conduct(job_id, *offence)
            error = "NoOffence(uint256,uint8)"
            demand(conduct in PENALTY_BPS, error, offence.seat, int(conduct))
        taken = sum(self._slash(job_id, offence) for offence in offences)
        self.market.books.balances[ETHER, "pool"] -= taken
        self.market.escrow.add_slashed(job_id, taken)

    def _slash(self, job_id: int, offence: Offence) -> int:
        """Wei taken for an offence that was not punished before."""
        punished = self.punished.setdefault(job_id, set())
        if offence in punished:
            return 0
        punished.add(offence)
        account = self.market.jobs.all[job_id].seats[offence.seat]
        node = self.node(account)
        conduct = self.market.yoda.conduct(job_id, *offence)
        amount = min(node.stake, self.stake_unit * PENALTY_BPS[conduct] // BPS)
        node.stake -= amount
        if account in self.seats:
            self._unseat(account)
        self.market.note(f"slashed: {conduct.name.lower()}")
        return amount
