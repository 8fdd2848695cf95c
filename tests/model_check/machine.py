"""The market as a state machine: parties of every kind act, model and contracts must agree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from d2m.protocol.types import ETHER, JobState, Phase
from tests.model_check.audit import compare
from tests.model_check.changes import Changes
from tests.model_check.collectors import Collectors
from tests.model_check.model.basics import Mood, Move
from tests.model_check.players import Choice
from tests.model_check.stage import UNBONDING, Cast, Stage, step
from tests.model_check.thieves import Thieves
from tests.model_check.truth import Temper, claims
from tests.model_check.voters import Voters


class MarketMachine(Voters, Collectors, Changes, Thieves, RuleBasedStateMachine):
    """A rule is one move: what a party of some kind can do now, or whatever can be done now."""

    stage: Stage

    def __init__(self) -> None:
        super().__init__()
        self.model = self.stage.rewind()
        self.chain = self.stage.chain
        self.cast = Cast.of(self.chain)
        self.settle_up = False
        self.failed = False

    # Rules

    @initialize(data=st.data())
    def deal(self, data: Any) -> None:
        """Draw everybody's temper: mostly a minority of each bad kind, sometimes a majority."""
        self.data = data
        kinds = [Temper.HONEST] * self.pick([24, 12, 5, 2]) + list(Temper)
        self.tempers = {each: self.pick(kinds) for each in self.model.setting.accounts}
        self.settle_up = self.pick([True, False, False])

    @rule(data=st.data())
    def anything_that_is_due(self, data: Any) -> None:
        self.play(data, [])

    @rule(data=st.data())
    def buyers_act(self, data: Any) -> None:
        self.play(data, self.buyers())

    @rule(data=st.data())
    def workers_act(self, data: Any) -> None:
        self.play(data, [*self.sellers(), *self.nodes()])

    @rule(data=st.data())
    def parties_collect(self, data: Any) -> None:
        self.play(data, self.collectors())

    @rule(data=st.data())
    def stakes_and_offers_change(self, data: Any) -> None:
        self.play(data, [self.change_stake, self.change_stake, self.change_offer])

    @rule(data=st.data())
    def contracts_change_their_mood(self, data: Any) -> None:
        self.play(data, self.moods())

    @rule(data=st.data())
    def copycats_act(self, data: Any) -> None:
        self.play(data, self.copycats())

    @rule(data=st.data())
    def thieves_act(self, data: Any) -> None:
        self.play(data, [self.theft])

    @rule(data=st.data())
    def time_passes(self, data: Any) -> None:
        self.data = data
        deadlines = [each for each in self.deadlines() if each >= self.model.now]
        wait = self.pick([1, 2, 3, UNBONDING])
        if deadlines and wait > 1:
            wait = max(1, self.pick(deadlines) - self.model.now + self.pick([0, 1, 2]))
        self.wait(wait)

    def teardown(self) -> None:
        self.stage.seen.update(self.model.seen)
        if self.settle_up and not self.failed:
            self.close_down()
        for name in ("settled", "failed: undecided", "failed: not_opened", "failed: no_updates"):
            event(name, self.model.seen[name])

    # Playing

    def play(self, data: Any, choices: list[Choice]) -> None:
        """One of the choices; without any, something that is due somewhere; else time passes."""
        self.data = data
        due = choices or self.everybody()
        if not due and not list(self.deadlines()):
            due = [self.change_stake, self.change_offer, self.change_mood, self.theft]
        move = self.pick(due)() if due else None
        if move is not None:
            self.do(move)
        else:
            self.wait_for_the_next_deadline()

    def do(self, move: Move) -> bool:
        try:
            return step(self.stage, self.model, move)
        except BaseException:
            self.failed = True
            raise

    def wait(self, blocks: int) -> None:
        self.stage.steps += 1
        self.chain.mine(blocks)
        self.model.now += blocks
        self.model.note("waits")
        try:
            compare(self.chain, self.model)
            self.model.check_laws()
        except BaseException:
            self.failed = True
            raise

    def wait_for_the_next_deadline(self) -> None:
        coming = [each for each in self.deadlines() if each >= self.model.now]
        self.wait(min(coming, default=self.model.now) - self.model.now + 1)

    def deadlines(self) -> Iterator[int]:
        for auction in self.auctions().values():
            yield from (auction.close_block, auction.latest_block)
        for job_id, job in self.running().items():
            if job.state is not JobState.DECIDING:
                yield job.deadline
                continue
            poll = self.model.yoda.polls[job_id]
            if poll.phase is Phase.SEEDING:
                yield poll.seed_block
            else:
                yield from (poll.commit_deadline, poll.reveal_deadline)

    def everybody(self) -> list[Choice]:
        """What lets the market move on, without anybody's ill will."""
        due = [*self.sellers(), *self.nodes(), *self.movers()]
        return [*(due or self.collectors()), *self.buyers()]

    # The end

    def close_down(self) -> None:
        """Everybody stops; anybody can still end everything, and everybody gets what is theirs."""
        for _ in range(200):
            if self.model.is_quiet():
                break
            over = [
                self.close(auction_id, auction)
                for auction_id, auction in self.auctions().items()
                if self.model.house.is_over(auction)
            ]
            due = [each for each in self.running() if self.model.jobs.is_due(each)]
            for move in [*over, *(self.advance(job_id) for job_id in due)]:
                assert self.do(move)
            if not over and not due:
                self.wait_for_the_next_deadline()
        assert self.model.is_quiet()
        self._collect_everything()
        self._leave_everything()
        assert self.model.owed_by_escrow(ETHER) == self.model.owed_by_escrow(self.token) == 0
        assert self.model.stakes() == self.model.bonds() == 0
        self.stage.seen["markets emptied to the last wei"] += 1

    def _collect_everything(self) -> None:
        for who in self.chain.chameleons:
            self.do(Move(who, "chameleon", "plan", (Mood.TAKES, None)))
        for auction_id, auction in self.model.house.all.items():
            for who, bid in auction.sealed.items():
                if not bid.closed:
                    self.do(Move(who, "house", "reclaim", (auction_id, who)))
        for job_id, job in self.model.jobs.all.items():
            for share, proof in claims(job.root, job_id, job.accepted_rounds, len(job.offers)):
                args = (job_id, *share, proof)
                self.do(Move(self.cast.thief, "escrow", "claimSeller", args))
            for seat, votes in self.unpaid(job_id).items():
                args = (job_id, seat, tuple(votes))
                self.do(Move(self.cast.thief, "escrow", "claimCone", args))
        for (token, account), amount in list(self.model.escrow.credits.items()):
            if amount:
                self.do(Move(account, "escrow", "withdraw", (token, account)))

    def _leave_everything(self) -> None:
        for node in list(self.model.pool.seats):
            self.do(Move(node, "pool", "leave", ()))
        for offer_id, offer in self.model.registry.offers.items():
            if not offer.exit_block:
                self.do(Move(offer.seller, "registry", "leave", (offer_id,)))
        self.wait(UNBONDING)
        for account, node in list(self.model.pool.nodes.items()):
            if node.exit_block:
                self.do(Move(account, "pool", "withdrawStake", (account,)))
        for offer_id, offer in self.model.registry.offers.items():
            if offer.bond:
                self.do(Move(offer.seller, "registry", "withdrawBond", (offer_id, offer.seller)))
