"""CONE nodes vote by themselves or by relayers; copycats try others' commitments."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eth_utils.crypto import keccak

from d2m.protocol.ballots import audit_word
from tests.model_check.model.basics import Move, hashed
from tests.model_check.model.yoda import Opening, Poll, SignedCommit, commit_hash, entry
from tests.model_check.players import Choice, Players, Secret
from tests.model_check.truth import Temper


class Voters(Players):
    """The choices of nodes, honest and not, and of those who send batches."""

    # Nodes

    def nodes(self) -> list[Choice]:
        found: list[Choice] = []
        for job_id in self.running():
            poll = self.model.yoda.polls[job_id]
            if self.model.yoda.is_committing(job_id):
                found += [lambda p=poll, s=seat: self.commit(p, s) for seat in self.undecided(poll)]
            elif self.model.yoda.is_revealing(job_id):
                found += [
                    lambda p=poll, s=each: self.reveal(p, s) for each in self.unrevealed(poll)
                ]
        return found

    def asked(self, poll: Poll) -> list[int]:
        """Seats of the present execution set."""
        seats = range(len(poll.seats))
        return [each for each in seats if self.model.yoda.position(poll, each) is not None]

    def undecided(self, poll: Poll) -> list[int]:
        """Seats that are asked, have not committed and are not silent."""
        mini = poll.mini
        assert mini is not None
        return [
            seat
            for seat in self.asked(poll)
            if self.model.yoda.position(poll, seat) not in mini.committed
            if self.tempers[poll.seats[seat]] is not Temper.SILENT
        ]

    def unrevealed(self, poll: Poll) -> list[Secret]:
        mini = poll.mini
        assert mini is not None
        place = (poll.job_id, poll.round, poll.mini_round)
        known = [self.secrets.get((*place, position)) for position in mini.committed]
        return [
            each
            for each in known
            if each is not None
            and each.position not in mini.revealed
            and self.tempers[each.node] is not Temper.MUTE
        ]

    def vote(self, poll: Poll, seat: int) -> Secret:
        """What the node on a seat would vote now."""
        mini, node = poll.mini, poll.seats[seat]
        assert mini is not None
        position = self.model.yoda.position(poll, seat)
        assert position is not None
        truth, false = self.results(poll.job_id)
        temper = self.tempers[node]
        result = false if temper is Temper.LIAR else truth
        digest, audit = result.digest, audit_word(mini.seed, result.predictions_hash)
        if temper is Temper.SPLITTER:
            digest = hashed(node)
        if temper is Temper.LAZY:
            audit = hashed(mini.seed)
        salt = hashed(node, poll.job_id, poll.round, poll.mini_round)
        return Secret(node, seat, position, digest, audit, salt)

    def commitment(self, poll: Poll, secret: Secret) -> bytes:
        ballot = self.model.yoda.ballot(poll, secret.node)
        return ballot.commitment(secret.result, secret.audit, secret.salt)

    def keep(self, poll: Poll, secret: Secret) -> None:
        self.secrets[poll.job_id, poll.round, poll.mini_round, secret.position] = secret

    def commit(self, poll: Poll, seat: int) -> Move:
        secret = self.vote(poll, seat)
        self.keep(poll, secret)
        args = (poll.job_id, seat, self.commitment(poll, secret))
        return Move(secret.node, "yoda", "commit", args)

    def reveal(self, poll: Poll, secret: Secret) -> Move:
        if secret.entries:
            return self.reveal_batch(poll, [secret])
        words = (secret.result, secret.audit, secret.salt)
        return Move(secret.node, "yoda", "reveal", (poll.job_id, secret.position, *words))

    # Relayers

    def relayers(self) -> list[Choice]:
        found: list[Choice] = []
        for job_id in self.running():
            poll = self.model.yoda.polls[job_id]
            if self.model.yoda.is_committing(job_id) and self.undecided(poll):
                found.append(lambda p=poll: self.commit_batch(p))
            elif self.model.yoda.is_revealing(job_id):
                batched = [each for each in self.unrevealed(poll) if each.entries]
                if batched:
                    found.append(lambda p=poll, b=batched: self.relay_reveals(p, b))
        return found

    def commit_batch(self, poll: Poll) -> Move:
        """Some of the asked nodes' signed votes, with what does not belong among them."""
        asked = self.undecided(poll)
        seats = asked[: self.pick([len(asked), 1, 2])]
        secrets = [self.vote(poll, seat) for seat in seats]
        signed = [self.signed(poll, each, self.commitment(poll, each)) for each in secrets]
        taken = [
            entry(s.position, s.node, v.commitment) for s, v in zip(secrets, signed, strict=True)
        ]
        for index, secret in enumerate(secrets):
            self.keep(poll, secret._replace(entries=tuple(taken), index=index))
        misfit = self.pick([None, None, self._unsigned, self._again, self._elsewhere])
        if misfit:
            signed.insert(
                self.pick([0, len(signed)]) if misfit is not self._again else 1, misfit(signed)
            )
        return Move(self.cast.thief, "yoda", "commitBatch", (poll.job_id, tuple(signed)))

    def signed(self, poll: Poll, secret: Secret, commitment: bytes) -> SignedCommit:
        place = (poll.job_id, poll.round, poll.mini_round, secret.seat, commitment)
        digest = commit_hash(self.model.chain_id, self.model.address("yoda"), *place)
        signature = self.chain.sign(secret.node, digest)
        self.model.yoda.signed[signature] = (secret.node, *place)
        return SignedCommit(secret.node, secret.seat, commitment, signature)

    def _unsigned(self, signed: list[SignedCommit]) -> SignedCommit:
        return signed[0]._replace(commitment=keccak(b"changed on the way"))

    def _again(self, signed: list[SignedCommit]) -> SignedCommit:
        return signed[0]

    def _elsewhere(self, signed: list[SignedCommit]) -> SignedCommit:
        return signed[0]._replace(seat=signed[0].seat + 1)

    def relay_reveals(self, poll: Poll, batched: list[Secret]) -> Move:
        entries = self.pick(batched).entries
        together = [each for each in batched if each.entries == entries]
        return self.reveal_batch(poll, together[: self.pick([len(together), 1])])

    def reveal_batch(self, poll: Poll, secrets: list[Secret]) -> Move:
        openings = tuple(
            Opening(each.index, each.node, each.position, each.result, each.audit, each.salt)
            for each in secrets
        )
        again = openings * self.pick([1, 1, 2])
        args = (poll.job_id, secrets[0].entries, again)
        return Move(self.cast.thief, "yoda", "revealBatch", args)

    # Copycats

    def copycats(self) -> list[Choice]:
        found: list[Choice] = []
        for job_id in self.running():
            poll = self.model.yoda.polls[job_id]
            place = (job_id, poll.round, poll.mini_round)
            if self.model.yoda.is_committing(job_id) and self.undecided(poll):
                found.append(lambda p=poll: self.copy(p))
                found.append(lambda p=poll: self.commit_early(p))
            elif self.model.yoda.is_revealing(job_id):
                for key, original in self.copies:
                    if key[:3] == place:
                        found.append(lambda p=poll, k=key, o=original: self.reveal_copy(p, k, o))
        return found

    def copy(self, poll: Poll) -> Move | None:
        """The commitment of somebody else who is asked, by an own transaction or in a batch."""
        seat = self.pick(self.undecided(poll))
        others = [each for each in self.asked(poll) if each != seat]
        if not others:
            return None
        own, original = self.vote(poll, seat), self.vote(poll, self.pick(others))
        commitment = self.commitment(poll, original)
        key = (poll.job_id, poll.round, poll.mini_round, own.position)
        entries: tuple[bytes, ...] = ()
        if self.pick([True, False]):
            entries = (entry(own.position, own.node, commitment),)
            args: tuple[Any, ...] = (poll.job_id, (self.signed(poll, own, commitment),))
            move = Move(self.cast.thief, "yoda", "commitBatch", args)
        else:
            move = Move(own.node, "yoda", "commit", (poll.job_id, seat, commitment))
        self.copies.append((key, original._replace(entries=entries, index=0)))
        return move

    def commit_early(self, poll: Poll) -> Move:
        """A commitment for a mini-round to come, to be opened there at the same position."""
        seat = self.pick(self.undecided(poll))
        own = self.vote(poll, seat)
        later = self.pick([(poll.round, poll.mini_round + 1), (poll.round + 1, 1)])
        ballot = self.model.yoda.ballot(poll, own.node)
        ballot = replace(ballot, round=later[0], mini_round=later[1])
        commitment = ballot.commitment(own.result, own.audit, own.salt)
        self.copies.append(((poll.job_id, *later, own.position), own))
        return Move(own.node, "yoda", "commit", (poll.job_id, seat, commitment))

    def reveal_copy(self, poll: Poll, key: tuple[int, int, int, int], original: Secret) -> Move:
        """The words of the original at the copy's position, in either's name."""
        position = key[3]
        name = self.pick([original.node, original.node, self._on(poll, position)])
        words = (original.result, original.audit, original.salt)
        if not original.entries:
            return Move(name, "yoda", "reveal", (poll.job_id, position, *words))
        args = (poll.job_id, original.entries, (Opening(0, name, position, *words),))
        return Move(self.cast.thief, "yoda", "revealBatch", args)

    def _on(self, poll: Poll, position: int) -> str:
        """The node at a position of the present execution set; a thief where there is none."""
        for seat, node in enumerate(poll.seats):
            if self.model.yoda.position(poll, seat) == position:
                return node
        return self.cast.thief
