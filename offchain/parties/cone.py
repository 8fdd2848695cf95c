"""A CONE node: computes the round when it is asked, commits, reveals, opens, collects its pay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from web3.contract.contract import ContractFunction

from offchain.chain.client import Chain
from offchain.chain.errors import Reverted
from offchain.chain.records import Job, JobState, Phase, Poll
from offchain.parties.desk import Desk
from offchain.parties.ledger import Situation
from offchain.parties.party import Party
from offchain.store.local import Store
from offchain.yoda.sortition import permute
from offchain.yoda.votes import Ballot, RoundResult, audit_word

NO_VOTE = bytes(32)


@dataclass(frozen=True)
class Vote:
    """The two words of a vote, and the result behind them where the node has one."""

    result_word: bytes
    audit: bytes
    result: RoundResult | None


class Voting(Protocol):
    """How a node comes to its vote in the present mini-round."""

    def __call__(self, desk: Desk, job_id: int, poll: Poll) -> Vote:
        """The vote; asked again for the same mini-round it gives the same words."""
        ...


def vote_honestly(desk: Desk, job_id: int, poll: Poll) -> Vote:
    """Compute the round from its public inputs and pin the result."""
    answer = desk.answer(job_id, poll.round)
    audit = audit_word(poll.mini_round_seed, answer.predictions)
    return Vote(answer.result.digest, audit, answer.result)


def is_commitment(stored: bytes) -> bool:
    """Whether the word that the chain stores of a vote awaits its reveal: its lowest bit is 0."""
    return stored != NO_VOTE and stored[-1] & 1 == 0


class ConeNode(Party):
    """One node with one seat in the pool."""

    watches = ("Jobs", "Yoda")

    def __init__(
        self,
        chain: Chain,
        store: Store,
        secret: bytes,
        *,
        voting: Voting = vote_honestly,
        patience_blocks: int,
    ) -> None:
        super().__init__(chain, store, patience_blocks=patience_blocks)
        self._secret = secret
        self._voting = voting
        self._votes: dict[tuple[int, int, int], Vote] = {}

    def join(self, public_key: bytes) -> None:
        """Stake one unit for a seat, unless the node has one."""
        pool = self.ledger.pool
        stake, exit_block, _key = self.chain.call(pool.functions.nodeOf(self.chain.address))
        if stake and not exit_block:
            return
        unit = self.chain.call(pool.functions.stakeUnit())
        self.chain.send(pool.functions.join(public_key), value=unit)
        self.log.info("staked", wei=unit)

    def concerns(self, job_id: int, job: Job) -> bool:
        """Whether the job froze the node's seat."""
        return self.chain.address in self.ledger.nodes(job_id)

    def act(self, job_id: int, situation: Situation) -> None:
        """Vote when asked; open an accepted result that is the node's own."""
        job, poll, _due = situation
        if job.state == JobState.DECIDING and poll.phase == Phase.VOTING:
            self._take_part(job_id, poll)
        elif job.state == JobState.OPENING:
            self._open(job_id, situation)

    def finish(self, job_id: int, situation: Situation) -> None:
        """Claim for the votes that were right, and withdraw."""
        votes = self._right_votes(job_id, situation.job.accepted_rounds)
        if votes:
            claim = self.ledger.escrow.functions.claimCone
            try:
                self.chain.send(claim(job_id, self.chain.address, votes))
            except Reverted as refused:
                # Anybody may have claimed for this node before.
                self.log.info("votes not claimed", job=job_id, why=str(refused))
        self.withdraw(self.ledger.escrow)

    def _take_part(self, job_id: int, poll: Poll) -> None:
        seat = self.ledger.nodes(job_id).index(self.chain.address)
        if not poll.asked_before <= self._rank(job_id, poll) < poll.asked:
            return
        stored = self.ledger.vote_word(job_id, poll, self.chain.address)
        yoda = self.ledger.yoda.functions
        if stored == NO_VOTE and self._is_open(yoda.isCommitting(job_id)):
            commit = yoda.commit(job_id, seat, self._commitment(job_id, poll))
            self._send("committed", job_id, poll, commit)
            return
        revealing = is_commitment(stored) and self._is_open(yoda.isRevealing(job_id))
        if revealing:
            vote = self._vote(job_id, poll)
            salt = self._ballot(job_id, poll).salt(self._secret)
            reveal = yoda.reveal(job_id, vote.result_word, vote.audit, salt)
            self._send("revealed", job_id, poll, reveal)

    def _open(self, job_id: int, situation: Situation) -> None:
        """Open the accepted digest. Its voters take turns by rank, so that only one pays for it."""
        job, poll, _due = situation
        digest = self.ledger.verdict(job_id, job.round).digest
        result = self._result_behind(job_id, job.round, digest)
        if result is None:
            return
        turn = job.deadline - job.rules.open_blocks + self._rank(job_id, poll)
        if self.chain.block_number() < turn:
            self.look_again(turn)
            return
        try:
            self.chain.send(self.ledger.jobs.functions.open(job_id, result.abi_tuple))
            self.log.info("opened", job=job_id, round=job.round, digest=digest.hex())
        except Reverted as refused:
            self.log.debug("opening not needed", job=job_id, why=str(refused))

    def _result_behind(self, job_id: int, round_number: int, digest: bytes) -> RoundResult | None:
        """The result with this digest, if the node voted for it."""
        for vote in self._votes_of(job_id, round_number):
            if vote.result is not None and vote.result_word == digest:
                return vote.result
        return None

    def _votes_of(self, job_id: int, round_number: int) -> list[Vote]:
        """The node's votes of a round, those of an earlier life of the process included."""
        known = [vote for key, vote in self._votes.items() if key[:2] == (job_id, round_number)]
        if known or not self._revealed(job_id, round_number):
            return known
        return [self._voting(self.desk, job_id, self.ledger.situation(job_id).poll)]

    def _revealed(self, job_id: int, round_number: int) -> bool:
        reveals = self.ledger.reveals(job_id, self.chain.address)
        return any(reveal["round"] == round_number for reveal in reveals)

    def _right_votes(self, job_id: int, accepted_rounds: int) -> list[tuple[int, int, bytes]]:
        """(round, mini-round, audit) of the node's votes for accepted results."""
        found = []
        for reveal in self.ledger.reveals(job_id, self.chain.address):
            if reveal["round"] > accepted_rounds:
                continue
            verdict = self.ledger.verdict(job_id, reveal["round"])
            counts = verdict.first_mini_round <= reveal["miniRound"] <= verdict.last_mini_round
            if counts and reveal["result"] == verdict.digest:
                found.append((reveal["round"], reveal["miniRound"], reveal["audit"]))
        return found

    def _vote(self, job_id: int, poll: Poll) -> Vote:
        key = (job_id, poll.round, poll.mini_round)
        if key not in self._votes:
            self._votes[key] = self._voting(self.desk, job_id, poll)
        return self._votes[key]

    def _ballot(self, job_id: int, poll: Poll) -> Ballot:
        return Ballot(
            chain_id=self.chain.deployment.chain_id,
            yoda=self.ledger.yoda.address,
            node=self.chain.address,
            job_id=job_id,
            round=poll.round,
            mini_round=poll.mini_round,
        )

    def _commitment(self, job_id: int, poll: Poll) -> bytes:
        vote, ballot = self._vote(job_id, poll), self._ballot(job_id, poll)
        return ballot.commitment(vote.result_word, vote.audit, ballot.salt(self._secret))

    def _rank(self, job_id: int, poll: Poll) -> int:
        nodes = self.ledger.nodes(job_id)
        return permute(nodes.index(self.chain.address), len(nodes), poll.draw_seed)

    def _is_open(self, window: ContractFunction) -> bool:
        """Whether a window is open in the block in which a transaction sent now would be mined."""
        return bool(self.chain.call(window, block="pending"))

    def _send(self, done: str, job_id: int, poll: Poll, function: ContractFunction) -> None:
        """Send a vote's transaction; a refusal means that its window has just closed."""
        place = {"job": job_id, "round": poll.round, "mini_round": poll.mini_round}
        try:
            self.chain.send(function)
            self.log.info(done, **place)
        except Reverted as refused:
            self.log.warning(f"not {done}", why=str(refused), **place)
