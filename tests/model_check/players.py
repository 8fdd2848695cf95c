"""What every kind of party needs: a view of the market, and choices to draw."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import strategies as st

from d2m.protocol.ballots import RoundResult
from d2m.protocol.types import AuctionState, Conduct, Offence
from tests.model_check.chain import Chain
from tests.model_check.model.auctions import Auction
from tests.model_check.model.basics import Move
from tests.model_check.model.jobs import Job
from tests.model_check.model.market import Market
from tests.model_check.model.yoda import Poll
from tests.model_check.stage import Cast
from tests.model_check.truth import Temper, lie, true_result

Choice = Callable[[], Move | None]


class Secret(NamedTuple):
    """A vote that was committed."""

    node: str
    seat: int
    position: int
    result: bytes
    audit: bytes
    salt: bytes


class Players:
    """The parties' common knowledge. Each kind lists its choices as functions that draw a move."""

    data: Any
    """Hypothesis' source of draws, of the rule that runs."""
    model: Market
    chain: Chain
    cast: Cast

    def __init__(self) -> None:
        super().__init__()
        self.secrets: dict[tuple[int, int, int, int], Secret] = {}
        """By job, round, mini-round and position."""
        self.copies: list[tuple[tuple[int, int, int, int], Secret]] = []
        """Where a commitment was copied to, and the vote that it is a copy of."""
        self.bids: dict[tuple[int, str], tuple[int, bytes]] = {}
        """Amount and salt of sealed bids."""
        self.spoiled: set[int] = set()
        """Auctions in a token that was found to be bad."""
        self.tempers: dict[str, Temper] = {}

    def pick(self, items: Any) -> Any:
        return self.data.draw(st.sampled_from(list(items)))

    def chance(self, one_in: int) -> bool:
        """The simplest draw says no."""
        return bool(self.data.draw(st.integers(0, one_in - 1)) == one_in - 1)

    def auctions(self) -> dict[int, Auction]:
        """Those under way."""
        house = self.model.house.all
        return {k: each for k, each in house.items() if each.state is AuctionState.OPEN}

    def running(self) -> dict[int, Job]:
        return {k: job for k, job in self.model.jobs.all.items() if not job.state.ended}

    def results(self, job_id: int) -> list[RoundResult]:
        """The true one and the lie."""
        job = self.model.jobs.all[job_id]
        size = job.request.rules.sample_size
        return [
            true_result(job_id, job.round, len(job.offers), size),
            lie(job_id, job.round),
        ]

    def unpunished(self, job_id: int) -> list[Offence]:
        poll = self.model.yoda.polls[job_id]
        punished = self.model.pool.punished.get(job_id, set())
        found = [Offence(*each) for each in self.judged(poll, lambda c: c.is_offence)]
        return [each for each in found if each not in punished]

    def judged(self, poll: Poll, wanted: Callable[[Conduct], bool]) -> list[tuple[int, int, int]]:
        """Round, mini-round and seat of votes in opened rounds, by how they were judged."""
        yoda = self.model.yoda
        return [
            (number, mini_round, seat)
            for number, verdict in poll.verdicts.items()
            for mini_round in range(1, verdict.last + 1)
            for seat in range(len(poll.seats))
            if wanted(yoda.conduct(poll.job_id, number, mini_round, seat))
        ]

    @property
    def token(self) -> str:
        return self.model.setting.token
