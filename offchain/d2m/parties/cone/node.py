"""A CONE node: computes the round when it is asked, commits, reveals, opens, slashes, collects."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from nacl.public import PrivateKey

from d2m import metrics
from d2m.chain.client import Chain
from d2m.chain.errors import Reverted
from d2m.errors import NotRegistered
from d2m.jobs.deliveries import chosen_answer
from d2m.jobs.rings import mend
from d2m.jobs.rounds import RoundComputer
from d2m.parties.cone.offences import find_offences, last_draw
from d2m.parties.daemon import Memory, Party
from d2m.protocol.amounts import shown_amount
from d2m.protocol.ballots import Ballot, RoundResult, audit_word
from d2m.protocol.sortition import permute
from d2m.protocol.types import (
    ETHER,
    Conduct,
    Job,
    JobState,
    JobView,
    Offence,
    Phase,
    Poll,
    Verdict,
)
from d2m.sealing.errors import SealError
from d2m.store.errors import StoreError
from d2m.store.local import Store

OFFENCES_AT_ONCE = 60
"""Offences in one transaction: below 2²⁴ gas by mainnet's rules, a third of a block by
Sepolia's."""
SEED_CONFIRMATIONS = 2
"""Blocks on top of the one that seeds a mini-round before a node commits: a commitment cannot be
taken back, and with another seed its audit word is wrong, which costs a quarter of the stake.
Re-organisations of Ethereum are one block deep, with few exceptions."""
VOTES_AT_ONCE = 100
"""Claimed in one transaction: a third of 2²⁴ gas by mainnet's rules, a quarter of a block by
Sepolia's."""


@dataclass(frozen=True)
class Vote:
    """The two words of a vote, and the result behind them where the node has one."""

    result_word: bytes
    audit: bytes
    result: RoundResult | None


class Voting(Protocol):
    """How a node comes to its vote in the present mini-round."""

    def __call__(self, rounds: RoundComputer, job_id: int, poll: Poll, /) -> Vote | None:
        """The vote; asked again for the same mini-round it gives the same words. None: silence."""
        ...


def vote_honestly(rounds: RoundComputer, job_id: int, poll: Poll) -> Vote:
    """Compute the round from its public inputs and pin the result."""
    answers = rounds.answers(job_id, poll.round)
    if len(answers) > 1:
        reveals = rounds.inputs.market.yoda.reveals_in_round(job_id, poll.round)
        node = rounds.inputs.market.chain.address
        answers = [chosen_answer(answers, reveals, node, poll.mini_round)]
    result = answers[0].result
    seed = rounds.inputs.market.yoda.seed(job_id, poll.round, poll.mini_round)
    return Vote(result.digest, audit_word(seed, result.predictions_hash), result)


@dataclass
class ConeMemory(Memory):
    """Memory of a node."""

    is_seated: bool = False
    """Whether the seat was found on this branch of the chain."""
    votes: dict[tuple[int, int, int], Vote | None] = field(default_factory=dict)
    """By job, round and mini-round."""
    silenced: set[tuple[int, int, int]] = field(default_factory=set)
    """Where the node has committed to a vote that another seed has made wrong."""
    rings_seen: set[int] = field(default_factory=set)
    """Jobs whose members all have their key."""
    offences: dict[tuple[int, int], list[Offence]] = field(default_factory=dict)
    """By job and round."""


class ConeNode(Party):
    """One node with one seat in the pool."""

    watches = ("Jobs", "Yoda", "ConePool", "KeyRings")
    memory: ConeMemory
    new_memory = ConeMemory

    def __init__(
        self,
        chain: Chain,
        store: Store,
        key: PrivateKey,
        secret: bytes,
        *,
        voting: Voting = vote_honestly,
        patience_blocks: int,
    ) -> None:
        super().__init__(chain, store, key, patience_blocks=patience_blocks)
        self._secret = secret
        self._voting = voting
        self._was_seated = False

    def join(self) -> None:
        """Take a seat unless the node has one, topping up a stake that slashing has shortened."""
        node = self.market.pool.node(self.chain.address)
        if node.stake and not node.exit_block:
            return
        missing = self.market.pool.stake_unit() - node.stake
        self.market.pool.join(bytes(self.key.public_key), missing)
        self.log.info("staked", wei=missing)

    def keep_registered(self, block: int) -> None:
        """Take the seat again that a re-organisation has taken away, for the same stake.

        A stake that slashing has shortened is topped up only when the node starts: that is more
        money than its owner has agreed to. A node that has left has wanted to.
        """
        node = self.market.pool.node(self.chain.address)
        if not node.stake and self._was_seated and not self.memory.is_seated:
            self.log.warning("the seat is gone, the chain was re-organised: taken again")
            self.join()
            node = self.market.pool.node(self.chain.address)
        self._was_seated = self.memory.is_seated = bool(node.stake and not node.exit_block)
        missing = self.market.pool.stake_unit() - node.stake
        if missing and not self._was_seated:
            raise NotRegistered(
                f"the node has no seat, {shown_amount(missing)} of its stake are missing: start"
                " `cone serve` again, which brings them, or end it when its jobs have ended"
            )

    def involves(self, job_id: int, job: Job) -> bool:
        """Whether the job froze the node's seat."""
        return self.chain.address in self.market.nodes(job_id)

    def act(self, job_id: int, view: JobView) -> None:
        """See to the key ring; vote when asked; open a result of its own; slash who failed."""
        self._mend_ring(job_id, view.job)
        if view.job.state in (JobState.COLLECTING, JobState.DECIDING):
            self.inputs.read_ahead(job_id, view.job.round)
        if view.job.state == JobState.DECIDING and view.poll.phase == Phase.VOTING:
            self._take_part(job_id, view)
        elif view.job.state == JobState.OPENING:
            self._open(job_id, view)
        if view.slashed < view.job.offences:
            self._punish(job_id, view.job)

    def finish(self, job_id: int, view: JobView) -> None:
        """Claim for the votes that were right, and withdraw price and slashed stakes."""
        seat, votes = self._seat(job_id), self._right_votes(job_id)
        for start in range(0, len(votes), VOTES_AT_ONCE):
            part = votes[start : start + VOTES_AT_ONCE]
            try:
                self.market.escrow.claim_cone(job_id, seat, part)
            except Reverted as refused:
                # Anybody may have claimed for this node before.
                self.log.info("votes not claimed", job=job_id, why=str(refused))
        self.withdraw(view.pots.token, ETHER)

    # --- the job's key

    def _mend_ring(self, job_id: int, job: Job) -> None:
        """See once that every member has its key."""
        if job_id in self.memory.rings_seen or job.state == JobState.SEEDING:
            return
        with suppress(SealError, StoreError):  # said where the node needs the key itself
            if mend(self.inputs, job_id, self._seat(job_id)):
                self.memory.rings_seen.add(job_id)

    # --- voting

    def _take_part(self, job_id: int, view: JobView) -> None:
        poll, yoda = view.poll, self.market.yoda
        rank = self._rank(job_id, poll.round, poll.first_mini_round)
        if not poll.asked_before <= rank < poll.asked:
            return
        position = rank - poll.asked_before
        committed = view.mini_round.has_committed(position)
        if not committed and yoda.is_committing(job_id):
            self._commit(job_id, poll)
        elif not committed:
            self.missed("committed", job=job_id, round=poll.round, mini_round=poll.mini_round)
        pending = committed and not view.mini_round.has_revealed(position)
        if pending and yoda.is_revealing(job_id):
            self._reveal(job_id, poll, position)
        elif pending and self.chain.block_number() > poll.reveal_deadline:
            self.missed("revealed", job=job_id, round=poll.round, mini_round=poll.mini_round)

    def _commit(self, job_id: int, poll: Poll) -> None:
        """Commit once the seed is settled, to a vote whose inputs have all been read again."""
        self._vote(job_id, poll)  # computed while the seed settles
        settled = poll.seed_block + SEED_CONFIRMATIONS
        if self.chain.block_number() < settled:
            self.wake_at(settled)
            return
        self.inputs.forget()
        memory = self.memory
        del memory.votes[job_id, poll.round, poll.mini_round]
        vote, salt = self._vote(job_id, poll), self._salt(job_id, poll)
        self._follow()
        if vote is None or self.memory is not memory:
            return  # re-organised meanwhile: the seed may have been none when it was read
        commitment = self._ballot(job_id, poll).commitment(vote.result_word, vote.audit, salt)
        commit = partial(self.market.yoda.commit, job_id, self._seat(job_id), commitment)
        self._send("committed", job_id, poll, commit)

    def _reveal(self, job_id: int, poll: Poll, position: int) -> None:
        """Reveal the vote, unless what the node has committed to is another one.

        That is so where a re-organisation changed the seed and kept the commitment. The vote that
        fits it is wrong now, which costs a quarter of the stake or half; silence costs 2 %.
        """
        place = (job_id, poll.round, poll.mini_round)
        if place in self.memory.silenced:
            return
        vote, salt = self._vote(job_id, poll), self._salt(job_id, poll)
        if vote is None:
            return
        words = (vote.result_word, vote.audit, salt)
        reveal = partial(self.market.yoda.reveal, job_id, position, *words)
        if self._send("revealed", job_id, poll, reveal) == "CommitmentMismatch":
            self.memory.silenced.add(place)
            self.log.error(
                "silent: the vote is another one now than what was committed, which is wrong or"
                " forgotten; silence costs 2 % of the stake, a wrong vote 25 or 50 %",
                **dict(zip(("job", "round", "mini_round"), place, strict=True)),
            )

    def _vote(self, job_id: int, poll: Poll) -> Vote | None:
        key = (job_id, poll.round, poll.mini_round)
        if key not in self.memory.votes:
            self.memory.votes[key] = self._voting(self.rounds, job_id, poll)
        return self.memory.votes[key]

    def _ballot(self, job_id: int, poll: Poll) -> Ballot:
        return Ballot(
            chain_id=self.chain.deployment.chain_id,
            yoda=self.market.yoda.address,
            node=self.chain.address,
            job_id=job_id,
            round=poll.round,
            mini_round=poll.mini_round,
        )

    def _salt(self, job_id: int, poll: Poll) -> bytes:
        return self._ballot(job_id, poll).salt(self._secret)

    def _send(self, done: str, job_id: int, poll: Poll, send: Callable[[], object]) -> str:
        """Send a vote's transaction; the name of the refusal, if any: it is looked at again."""
        place = {"job": job_id, "round": poll.round, "mini_round": poll.mini_round}
        try:
            send()
            metrics.DONE.labels(done).inc()
            self.log.info(done, **place)
        except Reverted as refused:
            self.log.warning(f"not {done}", why=str(refused), **place)
            self.wake_at(self.chain.block_number() + 1)
            return refused.name
        return ""

    # --- opening and slashing: in turns by rank, so that only one node pays for it

    def _open(self, job_id: int, view: JobView) -> None:
        """Open the accepted digest, if the node voted for it."""
        job, poll, digest = view.job, view.poll, view.verdict.digest
        result = self._result_behind(job_id, poll, digest)
        first_turn = job.deadline - job.rules.open_blocks
        if result is None or not self._has_turn(job_id, poll.round, view.verdict, first_turn):
            return
        try:
            self.market.jobs.open(job_id, result)
            metrics.DONE.labels("opened").inc()
            self.log.info("opened", job=job_id, round=job.round, digest=digest.hex())
        except Reverted as refused:
            self.log.debug("opening not needed", job=job_id, why=str(refused))

    def _punish(self, job_id: int, job: Job) -> None:
        """Slash for the job's offences, if the node is among those who share what is slashed."""
        if not self._right_votes(job_id):
            return
        last = job.accepted_rounds
        first_turn = self.market.jobs.opened(job_id, last).block
        verdict = self.market.yoda.verdict(job_id, last)
        if not self._has_turn(job_id, last, verdict, first_turn):
            return
        known = [each for r in range(1, last + 1) for each in self._offences_in(job_id, r)]
        offences = self.market.pool.unpunished(job_id, known)
        for start in range(0, len(offences), OFFENCES_AT_ONCE):
            part = offences[start : start + OFFENCES_AT_ONCE]
            try:
                self.market.pool.slash(job_id, part)
                self.log.info("slashed", job=job_id, offences=len(part))
            except Reverted as refused:
                self.log.debug("slashing not needed", job=job_id, why=str(refused))

    def _offences_in(self, job_id: int, round_number: int) -> list[Offence]:
        key = (job_id, round_number)
        if key not in self.memory.offences:
            self.memory.offences[key] = find_offences(self.market, job_id, round_number)
        return self.memory.offences[key]

    def _has_turn(self, job_id: int, round_number: int, verdict: Verdict, first_turn: int) -> bool:
        """Whether the node's turn has come, one block after that of the rank before it."""
        turn = first_turn + self._rank(job_id, round_number, last_draw(verdict))
        if self.chain.block_number() >= turn:
            return True
        self.wake_at(turn)
        return False

    def _result_behind(self, job_id: int, poll: Poll, digest: bytes) -> RoundResult | None:
        """The result with this digest, if the node voted for it."""
        for vote in self._votes_of(job_id, poll):
            if vote and vote.result is not None and vote.result_word == digest:
                return vote.result
        return None

    def _votes_of(self, job_id: int, poll: Poll) -> list[Vote | None]:
        """The node's votes of a round, those of an earlier life of the process included."""
        known = [vote for key, vote in self.memory.votes.items() if key[:2] == (job_id, poll.round)]
        if known or all(each["round"] != poll.round for each in self._reveals(job_id)):
            return known
        return [self._voting(self.rounds, job_id, poll)]

    def _right_votes(self, job_id: int) -> list[tuple[int, int]]:
        """(round, mini-round) of the node's votes that were judged right."""
        seat = self._seat(job_id)
        places = [Offence(each["round"], each["miniRound"], seat) for each in self._reveals(job_id)]
        judged = zip(places, self.market.yoda.conduct(job_id, places), strict=True)
        return [(at.round, at.mini_round) for at, conduct in judged if conduct == Conduct.RIGHT]

    def _reveals(self, job_id: int) -> list[dict[str, Any]]:
        return self.market.yoda.reveals(job_id, self.chain.address)

    def _seat(self, job_id: int) -> int:
        return self.market.nodes(job_id).index(self.chain.address)

    def _rank(self, job_id: int, round_number: int, first_mini_round: int) -> int:
        """The node's rank in the draw that began with `first_mini_round`."""
        seed = self.market.yoda.seed(job_id, round_number, first_mini_round)
        return permute(self._seat(job_id), len(self.market.nodes(job_id)), seed)
