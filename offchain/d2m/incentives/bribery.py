"""Whether a seller gains by bribing CONE nodes, in a job of given numbers.

The paper's conditions: a seller is honest if N·b ≥ (q′ − q)·A_n, a CONE node if its expected loss
when it is caught is at least the chance that the lie is accepted times the bribe b. Here:

* The bribe is paid when the lie is accepted, the cheapest promise for a seller. A bribed node
  demands at least b = (votes that it loses)·(pay + slash)/(chance of the lie), all expected, and
  follows the cheaper of two strategies: the lie to the end, or only until it is outnumbered.
  That is for nodes that decide before they know in which order a draw asks. The order is public
  once a draw has its seed: who waits for it, together, lies only where the lie will be accepted,
  and risks nothing. These no stake deters; β bounds their chance, ``waiting_chance``.
* N are the nodes bribed; the chances follow from how many these are, see ``chances.Vote``.
* q′ − q is 1: an accepted lie can name whom it likes as the one seller that helped, so the whole
  sellers' share A_n is to be gained.

Left out is what would make bribing dearer: that shares of slashed stakes are missed, that a job may
fail undecided, that a node may take part only to tell. Amounts are in wei.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf

from d2m.incentives.chances import Chances, Vote
from d2m.protocol.constants import BPS, CONE_BPS, LOST_RESULT_BPS
from d2m.protocol.likelihood import Pool
from d2m.protocol.types import Rules


@dataclass(frozen=True)
class Bribe:
    """Bribe that a seller must promise to a number of nodes, each."""

    nodes: int
    chances: Chances
    each: float
    """The least that a node demands, in wei; infinite where the lie is never accepted."""
    gain: int
    """The most that the seller gets by it, in wei."""

    @property
    def pays(self) -> bool:
        """Whether the seller's gain exceeds what it must promise."""
        return self.nodes * self.each < self.gain


@dataclass(frozen=True)
class JobIncentives:
    """Numbers that decide: the rules, the pool's seats (at least 5), stake unit and price in wei.

    The price is Amt; where it is paid in a token, what that is worth.
    """

    rules: Rules
    seats: int
    stake_unit: int
    price: int

    @property
    def tolerated(self) -> int:
        """⌊f·seats⌋, at least 1: as many may be Byzantine."""
        return self.vote.pool.byzantine

    @property
    def gain(self) -> int:
        """A_n: the sellers' share of the price, the most that a lie can bring."""
        return self.price - self.price * CONE_BPS // BPS

    @property
    def vote_pay(self) -> float:
        """Expected pay of a right vote: the least, as the job may end early."""
        return self.price * self._pay_part

    @property
    def vote_risk(self) -> float:
        """Cost of a lost vote: its pay, and the slash."""
        return self.vote_pay + self.stake_unit * LOST_RESULT_BPS / BPS

    def bribe(self, nodes: int) -> Bribe:
        """The cheapest way to bribe so many nodes, 1 to all. Raises ValueError for more."""
        return min((self._bribe(nodes, chances) for chances in self._ways(nodes)), key=_each)

    def _bribe(self, nodes: int, chances: Chances) -> Bribe:
        lost = chances.lost_votes / nodes * self.vote_risk
        each = lost / chances.wrong if chances.wrong else inf
        return Bribe(nodes, chances, each, self.gain)

    @property
    def weakest(self) -> int | None:
        """The fewest nodes that it pays to bribe, None where no number of them.

        Found by bisection: the more are bribed, the likelier the lie and the fewer lost votes for
        each lie accepted.
        """
        sizes = range(1, self.seats + 1)
        place = bisect_left(sizes, True, key=lambda nodes: self.bribe(nodes).pays)
        return sizes[place] if place < len(sizes) else None

    @property
    def is_honest(self) -> bool:
        """Whether no bribe of up to the tolerated nodes pays: the honest region."""
        return not self.bribe(self.tolerated).pays

    @property
    def waiting_chance(self) -> float:
        """That the tolerated nodes get a lie accepted in some round of the job.

        If they wait for each draw's order, and lie where it suits them.
        """
        wrong = self.vote.against(self.tolerated).wrong
        return 1 - (1 - wrong) ** self.rules.rounds

    @property
    def most_price(self) -> float:
        """The price up to which the job is in the honest region, other things equal, in wei."""
        return min(self._most_price(chances) for chances in self._ways(self.tolerated))

    def _most_price(self, chances: Chances) -> float:
        slash = chances.lost_votes * self.stake_unit * LOST_RESULT_BPS / BPS
        sellers_part = chances.wrong * (BPS - CONE_BPS) / BPS
        excess = sellers_part - chances.lost_votes * self._pay_part
        return slash / excess if excess > 0 else inf

    @property
    def least_stake_unit(self) -> float:
        """The stake unit from which it is in the honest region, other things equal, in wei."""
        ways = self._ways(self.tolerated)
        needed = max(each.wrong * self.gain / each.lost_votes for each in ways) - self.vote_pay
        return max(0.0, needed * BPS / LOST_RESULT_BPS)

    @property
    def most_error_ppm(self) -> int | None:
        """The β, halved from the job's until it is in the honest region; None where none is."""
        error_ppm = self.rules.error_ppm
        while error_ppm and not self._with_error(error_ppm).is_honest:
            error_ppm //= 2
        return error_ppm or None

    def _with_error(self, error_ppm: int) -> JobIncentives:
        return replace(self, rules=self.rules._replace(error_ppm=error_ppm))

    @property
    def _pay_part(self) -> float:
        """Pay of a right vote, as a part of the price."""
        return CONE_BPS / BPS / (self.rules.rounds * self.vote.against(0).votes)

    def _ways(self, nodes: int) -> list[Chances]:
        return [self.vote.against(nodes, joining=joining) for joining in (False, True)]

    @cached_property
    def vote(self) -> Vote:
        """Vote of a round."""
        pool = Pool(self.seats, self.rules.byzantine_bps)
        return Vote(pool, self.rules.base, self.rules.error_ppm)


def _each(bribe: Bribe) -> float:
    return bribe.each
