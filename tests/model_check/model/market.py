"""The whole market: its parts, its clock, and everything that is compared with the contracts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from d2m.protocol import types
from d2m.protocol.types import ETHER, AuctionState, JobState, Phase
from tests.model_check.model.auctions import Auctions
from tests.model_check.model.basics import (
    Books,
    Mood,
    Move,
    Plan,
    Refused,
    demand,
    hashed,
    word,
)
from tests.model_check.model.escrow import Escrow
from tests.model_check.model.jobs import Jobs
from tests.model_check.model.pool import Pool
from tests.model_check.model.registry import Registry
from tests.model_check.model.yoda import Yoda, threshold

ROUNDS = 2
"""Rounds of a job that are compared (`Auditor.ROUNDS`)."""
SEED_MEMORY = 12
"""Blocks for which a seed can be read (`ForgetfulRandomness.MEMORY`)."""
PRIVILEGED = {
    ("escrow", "deposit"): "OnlyAuctionHouse()",
    ("escrow", "refund"): "OnlyAuctionHouse()",
    ("escrow", "fund"): "OnlyAuctionHouse()",
    ("escrow", "addSlashed"): "OnlyPool()",
    ("escrow", "settle"): "OnlyJobs()",
    ("pool", "freezePool"): "OnlyJobs()",
    ("pool", "releasePool"): "OnlyJobs()",
    ("yoda", "begin"): "OnlyJobs()",
    ("yoda", "advance"): "OnlyJobs()",
    ("yoda", "judge"): "OnlyJobs()",
    ("jobs", "create"): "OnlyAuctionHouse()",
}
"""What only the market's own contracts may call."""


@dataclass
class Setting:
    """What is fixed when the market is deployed."""

    chain_id: int
    addresses: Mapping[str, str]
    """Contracts by their short names."""
    accounts: Sequence[str]
    tags: Sequence[bytes]
    token: str
    false_token: str
    fee_token: str
    stake_unit: int
    bond_unit: int
    unbonding: int


@dataclass
class Market:
    """The model. `now` is the block in which the next transaction comes."""

    setting: Setting
    now: int
    plans: dict[str, Plan]
    """Parties that are contracts, and what they do when they are paid."""
    seen: Counter[str] = field(default_factory=Counter)
    """How often what happened."""

    def __post_init__(self) -> None:
        self.books = Books(self.plans)
        self.registry = Registry(self, self.setting.bond_unit)
        self.pool = Pool(self, self.setting.stake_unit)
        self.yoda = Yoda(self)
        self.escrow = Escrow(self)
        self.house = Auctions(self)
        self.jobs = Jobs(self)

    @property
    def chain_id(self) -> int:
        return self.setting.chain_id

    @property
    def unbonding(self) -> int:
        return self.setting.unbonding

    @property
    def currencies(self) -> set[str]:
        setting = self.setting
        return {ETHER, setting.token, setting.false_token, setting.fee_token}

    def address(self, contract: str) -> str:
        return self.setting.addresses[contract]

    def note(self, event: str, times: int = 1) -> None:
        self.seen[event] += times

    # Moves

    def apply(self, move: Move) -> None:
        """Carry a move out. Raises Refused where the contracts revert; then nothing has changed."""
        forbidden = PRIVILEGED.get((move.contract, move.function))
        if forbidden:
            raise Refused(forbidden)
        if move.contract == "chameleon":
            mood, planned = move.args
            self.plans[move.sender] = Plan(Mood(mood), planned)
            return
        method = getattr(getattr(self, move.contract), _snake(move.function))
        payable = (move.contract, move.function) in PAYABLE
        method(move.sender, *move.args, **({"value": move.value} if payable else {}))

    def seed(self, block: int, purpose: bytes) -> bytes | None:
        """None when it has expired."""
        return None if self.now > block + SEED_MEMORY else hashed(purpose, block)

    def check_token(self, token: str, amount: int) -> None:
        """Refuse tokens that say no, or that deliver less than was sent."""
        error = "SafeERC20FailedOperation(address)"
        demand(token != self.setting.false_token, error, token)
        if token == self.setting.fee_token and amount >= 100:
            error = "UnfaithfulToken(address,uint256,uint256)"
            raise Refused(error, token, amount, amount - amount // 100)

    def refuses(self, to: str) -> bool:
        """Whether an address takes no ether: the market's contracts, and chameleons at times."""
        plan = self.plans.get(to)
        if plan is not None:
            return plan.mood is Mood.REFUSES
        return to in self.setting.addresses.values()

    def send_ether(self, contract: str, owner: str, to: str, amount: int) -> None:
        """Pay `owner` at `to`, which does not refuse but may call back."""
        self.books.pay_out(ETHER, contract, owner, to, amount)
        plan = self.plans.get(to)
        if plan is None or plan.mood is not Mood.CALLS_BACK:
            return
        self.plans[to] = Plan()
        assert plan.move is not None
        try:
            self.apply(plan.move)
            self.note("re-entered, to no avail")
        except Refused:
            self.note("re-entered and refused")

    # What is compared

    def audit(self) -> list[tuple[str, list[Any]]]:
        """Named rows, as `Auditor.look` answers them."""
        auctions = self.house.all.items()
        jobs, polls = self.jobs.all.items(), self.yoda.polls
        accounts = self.setting.accounts
        return [
            ("totals", self._totals()),
            ("auctions", [each.row() for _, each in auctions]),
            ("purses", [x for k, each in auctions for x in (self.escrow.purses[k], each.minimum)]),
            ("sealed bids", [each.sealed_row(who) for _, each in auctions for who in accounts]),
            ("offers", self._offers()),
            ("lists", self._lists()),
            ("nodes", [self.pool.node(account).row() for account in accounts]),
            ("seats", list(self.pool.seats)),
            ("money", [each for account in accounts for each in self._money(account)]),
            ("jobs", [job.row() for _, job in jobs]),
            ("polls", [polls[job_id].row() for job_id, _ in jobs]),
            ("frozen", [self._frozen(job_id) for job_id, _ in jobs]),
            ("votes", [each for job_id, _ in jobs for each in self._votes(job_id)]),
            ("mini-rounds", [self._mini_round(job_id) for job_id, _ in jobs]),
            (
                "verdicts",
                [self._verdict(job_id, r) for job_id, _ in jobs for r in range(1, ROUNDS + 1)],
            ),
            ("pots", [self.escrow.pots[job_id].row() for job_id, _ in jobs]),
            ("frozen parties", [each for job_id, _ in jobs for each in self._parties(job_id)]),
            ("due", [each for job_id, _ in jobs for each in self._due(job_id)]),
        ]

    def _totals(self) -> list[int]:
        """Counts, and every contract's balance as the sum of what it owes."""
        running = self.pool.running
        counts = [len(self.house.all), len(self.registry.offers), len(self.jobs.all)]
        ether = [self.owed_by_escrow(ETHER), self.stakes(), self.bonds(), 0, 0, 0]
        oldest = running[0] if running else 0
        return [*counts, oldest, *ether, self.owed_by_escrow(self.setting.token)]

    def owed_by_escrow(self, token: str) -> int:
        """Credits, purses and pots in one token."""
        owed = sum(amount for (unit, _), amount in self.escrow.credits.items() if unit == token)
        for auction_id, auction in self.house.all.items():
            owed += self.escrow.purses[auction_id] * (auction.terms.token == token)
        for pots in self.escrow.pots.values():
            owed += pots.held * (pots.token == token)
            owed += (pots.slash_pot - pots.slash_paid) * (token == ETHER)
        return owed

    def stakes(self) -> int:
        return sum(node.stake for node in self.pool.nodes.values())

    def bonds(self) -> int:
        return sum(offer.bond for offer in self.registry.offers.values())

    def _offers(self) -> list[Any]:
        offers = self.registry.offers.values()
        return [x for o in offers for x in (o.seller, o.listed, o.exit_block, o.bond)]

    def _lists(self) -> list[int]:
        lists = [self.registry.lists.of(tag) for tag in self.setting.tags]
        return [each for ids in lists for each in (len(ids), *ids)]

    def _money(self, account: str) -> Iterable[int]:
        for token in (ETHER, self.setting.token):
            yield self.books.balances[token, account]
            yield self.escrow.credits[token, account]

    def _frozen(self, job_id: int) -> types.Frozen:
        poll = self.yoda.polls[job_id]
        rules = poll.rules
        return types.Frozen(
            poll.freeze_block,
            len(poll.seats),
            poll.pool.byzantine,
            rules.base,
            rules.commit_blocks,
            rules.reveal_blocks,
            threshold(rules.error_ppm),
        )

    def _votes(self, job_id: int) -> list[Any]:
        poll = self.yoda.polls[job_id]
        return [poll.leader, self.yoda.is_committing(job_id), self.yoda.is_revealing(job_id)]

    def _mini_round(self, job_id: int) -> types.MiniRound:
        mini = self.yoda.polls[job_id].mini
        return mini.row() if mini else types.MiniRound(bytes(32), 0, bytes(32), bytes(32))

    def _verdict(self, job_id: int, round_number: int) -> types.Verdict:
        verdict = self.yoda.polls[job_id].verdicts.get(round_number)
        return verdict.row() if verdict else types.Verdict(bytes(32), bytes(32), 0, 0, 0, 0)

    def _parties(self, job_id: int) -> list[Any]:
        job = self.jobs.all[job_id]
        return [*job.seats, *(() if job.state is JobState.SEEDING else job.offers)]

    def _due(self, job_id: int) -> list[int]:
        due = self.jobs.is_due(job_id)
        running = self.pool.running
        later = running[running.index(job_id) + 1 :] if job_id in running else []
        punished = len(self.pool.punished.get(job_id, ()))
        return [due, due, punished, later[0] if later else 0]

    # Laws that hold whatever happens

    def check_laws(self) -> None:
        """No stuck job, no money from nowhere, nobody richer than it has earned."""
        self._check_liveness()
        self._check_balances()
        self._check_gains()

    def _check_liveness(self) -> None:
        for job_id, job in self.jobs.all.items():
            if job.state.ended:
                continue
            last = job.deadline
            if job.state is JobState.DECIDING:
                poll = self.yoda.polls[job_id]
                last = poll.seed_block if poll.phase is Phase.SEEDING else poll.reveal_deadline
            assert self.now <= last or self.jobs.is_due(job_id), f"job {job_id} is stuck"

    def _check_balances(self) -> None:
        balances = self.books.balances
        assert balances[ETHER, "escrow"] == self.owed_by_escrow(ETHER)
        assert balances[self.setting.token, "escrow"] == self.owed_by_escrow(self.setting.token)
        assert balances[ETHER, "pool"] == self.stakes()
        assert balances[ETHER, "registry"] == self.bonds()

    def _check_gains(self) -> None:
        books = self.books
        for key in {*books.paid_out, *self.escrow.credits}:
            gain = books.paid_out[key] + self.escrow.credits[key] - books.paid_in[key]
            assert gain <= books.earned[key], f"{key} gained {gain}, earned {books.earned[key]}"

    def is_quiet(self) -> bool:
        """Whether every job has ended and every auction is over."""
        over = all(each.state is not AuctionState.OPEN for each in self.house.all.values())
        return over and not self.pool.running


PAYABLE = {("house", "bid"), ("house", "sealBid"), ("registry", "offer"), ("pool", "join")}


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])[A-Z]", lambda found: f"_{found.group().lower()}", name)


def words(rows: Iterable[Any]) -> list[int]:
    """The ABI words of rows: static values, and structs of them."""
    flat: list[int] = []
    for row in rows:
        if isinstance(row, tuple):
            flat.extend(words(row))
        else:
            flat.append(word(row))
    return flat
