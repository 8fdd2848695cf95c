"""Sellers post updates; anybody moves jobs on, opens results and has nodes punished."""

from __future__ import annotations

from d2m.protocol.types import JobState
from tests.model_check.model.basics import Move, hashed
from tests.model_check.players import Choice, Players
from tests.model_check.truth import CID, HASH


class Workers(Players):
    """The choices of sellers, and of whoever keeps jobs going."""

    def sellers(self) -> list[Choice]:
        return [
            lambda job_id=job_id, index=index: self.post(job_id, index)
            for job_id, job in self.running().items()
            if job.state is JobState.COLLECTING and self.model.now <= job.deadline
            for index in sorted(job.sample - job.posted)
            # Some sellers never post.
            if hashed(job_id, job.round, index)[0] % 12
        ]

    def post(self, job_id: int, index: int) -> Move:
        seller = self.model.jobs.seller_at(job_id, index)
        args = (job_id, self.model.jobs.all[job_id].round, index, HASH, CID)
        return Move(seller, "jobs", "postUpdate", args)

    def movers(self) -> list[Choice]:
        found: list[Choice] = []
        for job_id, job in self.running().items():
            if self.model.jobs.is_due(job_id):
                found.append(lambda job_id=job_id: self.advance(job_id))
            elif job.state is JobState.OPENING and hashed(job_id, job.round)[1] % 12:
                found.append(lambda job_id=job_id: self.open(job_id))
            elif job.state is JobState.JUDGING and hashed(job_id)[2] % 4:
                found.append(lambda job_id=job_id: self.slash(job_id))
        return found

    def advance(self, job_id: int) -> Move:
        return Move(self.cast.thief, "jobs", "advance", (job_id,))

    def open(self, job_id: int) -> Move | None:
        digest = self.model.yoda.polls[job_id].leader
        known = [each for each in self.results(job_id) if each.digest == digest]
        if not known:
            return None
        return Move(self.cast.thief, "jobs", "open", (job_id, known[0]))

    def slash(self, job_id: int) -> Move | None:
        guilty = self.unpunished(job_id)
        if not guilty:
            return None
        count = self.pick([len(guilty), 1])
        chosen = tuple(guilty[:count]) * self.pick([1, 1, 2])
        return Move(self.cast.thief, "pool", "slash", (job_id, chosen))
