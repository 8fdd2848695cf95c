"""Votes sent in batches: commitments that nodes signed, and what opens them."""

from __future__ import annotations

from typing import Any, NamedTuple

from eth_abi.abi import encode
from eth_account import Account
from eth_utils.crypto import keccak

from tests.contracts.evm import Receipt, event, look, send
from tests.contracts.play import Play, Vote


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


def sign(play: Play, seat: int, vote: Vote, **elsewhere: Any) -> SignedCommit:
    """The present vote of the node on `seat`, signed; `elsewhere` changes what is signed."""
    poll, node = play.poll, play.node(seat)
    commitment = play.ballot(node).commitment(*vote)
    place = {"job": play.job_id, "round": poll.round, "mini_round": poll.mini_round, "seat": seat}
    place |= elsewhere
    hash_ = look(play.market.yoda.commitHash, *place.values(), commitment)
    return SignedCommit(node, seat, commitment, signature(play, node, bytes(hash_)))


def signature(play: Play, node: str, hash_: bytes) -> bytes:
    """What the node with a key of the test accounts signs."""
    (account,) = (each for each in play.people.nodes if each.address == node)
    return bytes(Account.unsafe_sign_hash(hash_, account.private_key).signature)


def commit_batch(play: Play, votes: list[SignedCommit], sender: Any = None) -> Receipt:
    relayer = play.people.stranger if sender is None else sender
    return send(play.market.yoda.commitBatch, play.job_id, votes, sender=relayer)


def entries_of(play: Play, batch: Receipt) -> list[bytes]:
    """What `revealBatch` must be shown of a batch."""
    return [bytes(each) for each in event(batch, play.market.yoda.BatchCommitted)["entries"]]


def entry(position: int, node: str, commitment: bytes) -> bytes:
    return keccak(encode(["uint256", "address", "bytes32"], [position, node, commitment]))


def opening(play: Play, entries: list[bytes], seat: int, vote: Vote) -> Opening:
    node, position = play.node(seat), play.position(seat)
    index = entries.index(entry(position, node, play.ballot(node).commitment(*vote)))
    return Opening(index, node, position, *vote)


def reveal_batch(play: Play, entries: list[bytes], openings: list[Opening]) -> Receipt:
    relayer = play.people.stranger
    return send(play.market.yoda.revealBatch, play.job_id, entries, openings, sender=relayer)
