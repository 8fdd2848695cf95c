"""Votes that nodes sign and somebody else sends, many in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from eth_account.messages import encode_typed_data

from d2m.protocol.ballots import Ballot
from tests.support.evm import Receipt, event, send, simulate
from tests.support.play import Cast, Play, Vote


class SignedCommit(NamedTuple):
    """`IYoda.SignedCommit`."""

    node: str
    seat: int
    commitment: bytes
    signature: bytes


class Opening(NamedTuple):
    """`IYoda.Opening`."""

    index: int
    node: str
    position: int
    result: bytes
    audit: bytes
    salt: bytes


def message(ballot: Ballot, seat: int, commitment: bytes) -> Any:
    """What a node signs, by the EIP-712 library's reckoning and not the contract's."""
    return encode_typed_data(full_message=ballot.typed_commit(seat, commitment))


def sign(
    play: Play,
    seat: int,
    vote: Vote,
    *,
    signer: Any = None,
    place: Ballot | None = None,
    commitment: bytes | None = None,
) -> SignedCommit:
    """The commitment of the node on `seat`, signed by its key or by `signer`.

    It is signed for `place`, the present mini-round unless another is given.
    """
    node = play.node(seat)
    ballot = play.ballot(node)
    key = account(play, node) if signer is None else signer
    word = ballot.commitment(*vote) if commitment is None else commitment
    signature = key.sign_message(message(place or ballot, seat, word)).encode_rsv()
    return SignedCommit(node, seat, word, bytes(signature))


def account(play: Play, node: str) -> Any:
    """The test account of a node."""
    return next(each for each in play.people.nodes if each.address == node)


@dataclass(frozen=True)
class Batch:
    """A batch that the contract took."""

    play: Play
    taken: Sequence[SignedCommit]
    entries: Sequence[bytes]
    receipt: Receipt

    @classmethod
    def send(cls, play: Play, commits: Sequence[SignedCommit], sender: Any = None) -> Batch:
        """Commits for the nodes that signed; everything must be taken."""
        batch = cls.send_some(play, commits, commits, sender)
        assert len(batch.entries) == len(commits)
        return batch

    @classmethod
    def send_some(
        cls,
        play: Play,
        commits: Sequence[SignedCommit],
        taken: Sequence[SignedCommit],
        sender: Any = None,
    ) -> Batch:
        """Commits where some are unfit: of `commits`, `taken` are left."""
        yoda, caller = play.market.yoda, sender or play.people.stranger
        receipt = send(yoda.commitBatch, play.job_id, list(commits), sender=caller)
        found = event(receipt, yoda.BatchCommitted)["entries"]
        entries = [bytes(each) for each in found]
        assert len(entries) == len(taken)
        return cls(play, taken, entries, receipt)

    def opening(self, seat: int, vote: Vote) -> Opening:
        """Opens the entry of `seat`."""
        index = [each.seat for each in self.taken].index(seat)
        return Opening(index, self.taken[index].node, self.play.position(seat), *vote)

    def reveal(self, votes: dict[int, Vote], sender: Any = None) -> Receipt:
        """Opens the entries of the seats in `votes`, each for the first time."""
        play = self.play
        openings = [self.opening(seat, vote) for seat, vote in votes.items()]
        receipt = self.reveal_raw(openings, sender)
        place = play.poll.round, play.poll.mini_round
        play.cast += [Cast(s, *place, v.result, v.audit) for s, v in votes.items()]
        return receipt

    def reveal_raw(self, openings: Sequence[Opening], sender: Any = None) -> Receipt:
        """One `revealBatch` of any openings, fit or not."""
        args = (self.play.job_id, list(self.entries), list(openings))
        caller = sender or self.play.people.stranger
        return send(self.play.market.yoda.revealBatch, *args, sender=caller)

    def would_take(self, openings: Sequence[Opening]) -> int:
        """How many of the openings the contract would take."""
        args = (self.play.job_id, list(self.entries), list(openings))
        yoda, stranger = self.play.market.yoda, self.play.people.stranger
        return int.from_bytes(simulate(yoda.revealBatch, *args, sender=stranger), "big")
