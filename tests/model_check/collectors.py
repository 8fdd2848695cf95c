"""Everybody collects: deposits, shares of pots, credits, stakes and bonds."""

from __future__ import annotations

from d2m.protocol.types import ETHER, AuctionState, Conduct
from tests.model_check.model.basics import Move
from tests.model_check.model.jobs import Job
from tests.model_check.players import Choice
from tests.model_check.stage import UNBONDING
from tests.model_check.truth import claims
from tests.model_check.workers import Workers


class Collectors(Workers):
    """The choices of those to whom something is owed."""

    def collectors(self) -> list[Choice]:
        found: list[Choice] = []
        for auction_id, auction in self.model.house.all.items():
            if auction.state is not AuctionState.OPEN:
                found += [
                    lambda k=auction_id, who=who: Move(who, "house", "reclaim", (k, who))
                    for who, bid in auction.sealed.items()
                    if not bid.closed
                ]
        for job_id, job in self.model.jobs.all.items():
            if job.state.ended:
                found += self._claims(job_id, job)
            elif self.unpunished(job_id):
                found.append(lambda job_id=job_id: self.slash(job_id))
        for (token, account), amount in self.model.escrow.credits.items():
            if amount:
                found.append(lambda t=token, a=account: self.withdraw(t, a))
        return [*found, *self._leavers()]

    def _leavers(self) -> list[Choice]:
        """Stakes and bonds that nothing binds any more."""
        pool, registry, freed = self.model.pool, self.model.registry, self.model.now - UNBONDING
        stakes = [
            lambda who=who: Move(who, "pool", "withdrawStake", (who,))
            for who, node in pool.nodes.items()
            if 0 < node.exit_block <= freed and not pool.is_frozen(node)
        ]
        bonds = [
            lambda k=offer_id, who=offer.seller: Move(who, "registry", "withdrawBond", (k, who))
            for offer_id, offer in registry.offers.items()
            if 0 < offer.exit_block <= freed and offer.bond
        ]
        return [*stakes, *bonds]

    def _claims(self, job_id: int, job: Job) -> list[Choice]:
        pots, thief = self.model.escrow.pots[job_id], self.cast.thief
        shares = claims(job.root, job_id, job.accepted_rounds, len(job.offers))
        found: list[Choice] = [
            lambda s=share, p=proof: Move(thief, "escrow", "claimSeller", (job_id, *s, p))
            for share, proof in shares
            if share.seller not in pots.paid_sellers
        ]
        for seat, votes in self.unpaid(job_id).items():
            found.append(lambda s=seat, v=votes: self.claim_cone(job_id, s, v))
        return found

    def unpaid(self, job_id: int) -> dict[int, list[tuple[int, int]]]:
        """Round and mini-round of right votes that were not paid, by seat."""
        paid = self.model.escrow.pots[job_id].paid_votes
        poll = self.model.yoda.polls[job_id]
        found: dict[int, list[tuple[int, int]]] = {}
        for number, mini_round, seat in self.judged(poll, lambda c: c is Conduct.RIGHT):
            if (number, mini_round, seat) not in paid:
                found.setdefault(seat, []).append((number, mini_round))
        return found

    def claim_cone(self, job_id: int, seat: int, votes: list[tuple[int, int]]) -> Move:
        shown = tuple(votes[: self.pick([len(votes), 1])]) * self.pick([1, 1, 1, 2])
        return Move(self.cast.thief, "escrow", "claimCone", (job_id, seat, shown))

    def withdraw(self, token: str, account: str) -> Move:
        others = [self.cast.thief, self.cast.nodes[-1], self.model.address("pool")]
        to = self.pick([account, account, account, *others])
        # A token of the model is only followed among the parties.
        to = account if token != ETHER and to == self.model.address("pool") else to
        return Move(account, "escrow", "withdraw", (token, to))
