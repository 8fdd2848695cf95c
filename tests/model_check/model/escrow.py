"""Purses, pots, credits and how a price is split (`Escrow`)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from eth_utils.crypto import keccak

from d2m.learning.earnings import NO_ROOT, SHARES_ONE, Share, leaf
from d2m.protocol import types
from d2m.protocol.constants import BPS
from d2m.protocol.types import ETHER, Conduct
from tests.model_check.model.basics import NOBODY, demand

if TYPE_CHECKING:
    from tests.model_check.model.market import Market

CONE_BPS = 3000
MAX_AMOUNT = 2**128 - 1


@dataclass
class Pots:
    """A job's money, in its token; `slash_pot` in wei."""

    token: str = NOBODY
    settled: bool = False
    right_votes: int = 0
    price: int = 0
    seller_pot: int = 0
    seller_paid: int = 0
    cone_pot: int = 0
    slash_pot: int = 0
    root: bytes = NO_ROOT
    paid_sellers: set[int] = field(default_factory=set)
    paid_votes: set[tuple[int, int, int]] = field(default_factory=set)
    """Round, mini-round and seat."""
    cone_paid: int = 0
    slash_paid: int = 0

    @property
    def held(self) -> int:
        """What the pots still hold of the job's token."""
        if not self.settled:
            return self.price
        return self.seller_pot - self.seller_paid + self.cone_pot - self.cone_paid

    def row(self) -> types.Pots:
        return types.Pots(
            self.token,
            self.settled,
            self.right_votes,
            len(self.paid_votes),
            self.price,
            self.seller_pot,
            self.seller_paid,
            self.cone_pot,
            self.slash_pot,
            self.root,
        )


class Escrow:
    """Holds all buyers' money."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.purses: Counter[int] = Counter()
        self.pots: dict[int, Pots] = {}
        self.credits: Counter[tuple[str, str]] = Counter()
        """By token and account."""

    # Called by the model's other parts

    def deposit(self, auction_id: int, token: str, payer: str, amount: int, value: int) -> None:
        required = amount if token == ETHER else 0
        demand(value == required, "WrongValue(uint256)", required)
        demand(amount <= MAX_AMOUNT, "TooLarge(uint256)", amount)
        if token != ETHER:
            self.market.check_token(token, amount)
        self.market.books.pay_in(token, payer, "escrow", amount)
        self.purses[auction_id] += amount

    def refund(self, auction_id: int, token: str, account: str, amount: int) -> None:
        self.purses[auction_id] -= amount
        self.credits[token, account] += amount

    def fund(self, job_id: int, auction_id: int, token: str, price: int) -> None:
        self.purses[auction_id] -= price
        self.pots[job_id] = Pots(token=token, price=price)

    def add_slashed(self, job_id: int, amount: int) -> None:
        self.market.books.balances[ETHER, "escrow"] += amount
        self.pots[job_id].slash_pot += amount

    def settle(self, job_id: int, buyer: str, rounds: Fraction, right: int, root: bytes) -> None:
        """`rounds`: the share of the price that was earned."""
        pots = self.pots[job_id]
        earned = int(pots.price * rounds)
        cone = earned * CONE_BPS // BPS
        pots.settled, pots.right_votes, pots.root = True, right, root
        pots.cone_pot = cone if right else 0
        pots.seller_pot = earned - cone if root != NO_ROOT else 0
        self.credits[pots.token, buyer] += pots.price - pots.cone_pot - pots.seller_pot
        if not right:
            self.credits[ETHER, buyer] += pots.slash_pot
            self.market.books.earned[ETHER, buyer] += pots.slash_pot
            pots.slash_pot = 0

    # Moves

    def claim_seller(
        self, sender: str, job_id: int, index: int, start: int, end: int, proof: tuple[bytes, ...]
    ) -> None:
        pots = self._settled(job_id)
        proved = merkle_root(leaf(Share(index, start, end)), proof) == pots.root
        demand(proved, "BadProof()")
        demand(index not in pots.paid_sellers, "AlreadyPaid()")
        amount = between(pots.seller_pot, start, end, SHARES_ONE)
        demand(amount <= pots.seller_pot - pots.seller_paid, "PotExceeded()")
        seller = self.market.jobs.seller_at(job_id, index)
        pots.paid_sellers.add(index)
        pots.seller_paid += amount
        self._earn(
            pots.token, seller, amount, Fraction(pots.seller_pot * (end - start), SHARES_ONE)
        )
        self.market.note("paid: seller")

    def claim_cone(
        self, sender: str, job_id: int, seat: int, votes: tuple[tuple[int, int], ...]
    ) -> None:
        pots = self._settled(job_id)
        paid = set(pots.paid_votes)
        for vote in votes:
            right = self.market.yoda.conduct(job_id, *vote, seat) is Conduct.RIGHT
            demand(right, "NotRight(uint16,uint16)", *vote)
            demand((*vote, seat) not in paid, "AlreadyPaid()")
            paid.add((*vote, seat))
        if not votes:
            return
        start, whole = len(pots.paid_votes), pots.right_votes
        pots.paid_votes = paid
        node = self.market.jobs.all[job_id].seats[seat]
        amount = between(pots.cone_pot, start, len(paid), whole)
        slashed = between(pots.slash_pot, start, len(paid), whole)
        pots.cone_paid += amount
        pots.slash_paid += slashed
        share = Fraction(len(votes), whole)
        self._earn(pots.token, node, amount, pots.cone_pot * share)
        self._earn(ETHER, node, slashed, pots.slash_pot * share)
        self.market.note("paid: node")

    def withdraw(self, sender: str, token: str, to: str) -> None:
        amount = self.credits[token, sender]
        demand(amount > 0, "NothingToWithdraw()")
        if token == ETHER:
            demand(not self.market.refuses(to), "PaymentRefused(address)", to)
        self.credits[token, sender] = 0
        self.market.note("withdrawals")
        if token == ETHER:
            self.market.send_ether("escrow", sender, to, amount)
        else:
            self.market.books.pay_out(token, "escrow", sender, to, amount)

    def _settled(self, job_id: int) -> Pots:
        pots = self.pots.get(job_id)
        demand(pots is not None and pots.settled, "NotSettled()")
        assert pots is not None
        return pots

    def _earn(self, token: str, account: str, amount: int, exact: Fraction) -> None:
        """Credit a share of a pot, which differs from the exact one by less than a wei."""
        assert abs(amount - exact) < 1
        self.credits[token, account] += amount
        self.market.books.earned[token, account] += int(exact) + 1


def between(pot: int, start: int, end: int, whole: int) -> int:
    """The part of a pot between two marks of `whole`; neighbouring parts add up without loss."""
    return pot * end // whole - pot * start // whole


def merkle_root(node: bytes, proof: tuple[bytes, ...]) -> bytes:
    """Where a proof leads, with sorted pairs."""
    for sibling in proof:
        node = bytes(keccak(min(node, sibling) + max(node, sibling)))
    return node
