"""CONE nodes vote; copycats try others' commitments."""

from __future__ import annotations

from dataclasses import replace

from d2m.protocol.ballots import audit_word
from tests.model_check.model.basics import Move, hashed
from tests.model_check.model.yoda import Poll
from tests.model_check.players import Choice, Players, Secret
from tests.model_check.truth import Temper


class Voters(Players):
    """The choices of nodes, honest and not."""

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
        words = (secret.result, secret.audit, secret.salt)
        return Move(secret.node, "yoda", "reveal", (poll.job_id, secret.position, *words))

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
        """The commitment of somebody else who is asked."""
        seat = self.pick(self.undecided(poll))
        others = [each for each in self.asked(poll) if each != seat]
        if not others:
            return None
        own, original = self.vote(poll, seat), self.vote(poll, self.pick(others))
        commitment = self.commitment(poll, original)
        key = (poll.job_id, poll.round, poll.mini_round, own.position)
        self.copies.append((key, original))
        return Move(own.node, "yoda", "commit", (poll.job_id, seat, commitment))

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
        return Move(name, "yoda", "reveal", (poll.job_id, position, *words))

    def _on(self, poll: Poll, position: int) -> str:
        """The node at a position of the present execution set; a thief where there is none."""
        for seat, node in enumerate(poll.seats):
            if self.model.yoda.position(poll, seat) == position:
                return node
        return self.cast.thief
