"""The contracts' structs and enums, mirrored: same order, same units, Python names."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, NamedTuple

from eth_typing import ChecksumAddress

BPS = 10_000
"""Basis points in a whole."""
PPM = 1_000_000
"""Parts per million in a whole."""
WAD = 10**18
"""Units in a whole: wei in an ether, and the fixed point of the likelihood score."""


class JobState(IntEnum):
    """`IJobs.State`."""

    NONE = 0
    SEEDING = 1
    COLLECTING = 2
    DECIDING = 3
    OPENING = 4
    SETTLED = 5
    FAILED = 6

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to the job but withdrawals."""
        return self >= JobState.SETTLED


class FailureReason(IntEnum):
    """`IJobs.FailureReason`."""

    NO_UPDATES = 0
    UNDECIDED = 1
    NOT_OPENED = 2


class Phase(IntEnum):
    """`IYoda.Phase`."""

    NONE = 0
    SEEDING = 1
    VOTING = 2
    ACCEPTED = 3
    UNDECIDED = 4


class AuctionState(IntEnum):
    """`IAuctionHouse.State`."""

    NONE = 0
    OPEN = 1
    WON = 2
    VOID = 3


def fields(struct: Any) -> tuple[Any, ...]:
    """A struct's values in order: web3 gives a call's struct as a tuple, an event's by name."""
    return tuple(struct.values() if isinstance(struct, Mapping) else struct)


class Rules(NamedTuple):
    """A job's own numbers: basis points, parts per million, counts, windows in blocks."""

    target_bps: int
    rounds: int
    sample_size: int
    byzantine_bps: int
    base: int
    error_ppm: int
    update_blocks: int
    commit_blocks: int
    reveal_blocks: int
    open_blocks: int


class Request(NamedTuple):
    """What a buyer asks for. Hashes are 32 bytes, CIDs binary CIDv1."""

    tag: bytes
    spec_hash: bytes
    spec_cid: bytes
    metric: bytes
    evaluation_hash: bytes
    evaluation_cid: bytes
    rules: Rules

    @classmethod
    def from_abi(cls, values: Any) -> Request:
        """From web3's form of the struct."""
        request = cls(*fields(values))
        return request._replace(rules=Rules(*fields(request.rules)))


class Terms(NamedTuple):
    """An auction's terms: blocks, basis points, wei."""

    window_blocks: int
    increment_bps: int
    reserve: int


class Auction(NamedTuple):
    """`IAuctionHouse.Auction`."""

    state: int
    increment_bps: int
    close_block: int
    latest_close_block: int
    leader: ChecksumAddress
    highest_bid: int
    reserve: int
    request_hash: bytes
    job_id: int


class Job(NamedTuple):
    """`IJobs.Job`. `sample` and `posted` are bitmaps by seller index."""

    buyer: ChecksumAddress
    state: JobState
    round: int
    accepted_rounds: int
    sellers: int
    right_votes: int
    freeze_block: int
    deadline: int
    listed: int
    rules: Rules
    tag: bytes
    sample_seed: bytes
    sample: int
    posted: int
    contributions_root: bytes
    model_hash: bytes

    @classmethod
    def from_abi(cls, values: Any) -> Job:
        """From web3's nested tuples."""
        job = cls(*values)
        return job._replace(state=JobState(job.state), rules=Rules(*job.rules))


class Poll(NamedTuple):
    """`IYoda.Poll`: the vote on a job's current round."""

    round: int
    mini_round: int
    first_mini_round: int
    draw: int
    phase: Phase
    asked_before: int
    asked: int
    committed: int
    revealed: int
    votes: int
    leader_votes: int
    runner_up_votes: int
    seed_block: int
    commit_deadline: int
    reveal_deadline: int
    draw_seed: bytes
    mini_round_seed: bytes
    leader: bytes

    @classmethod
    def from_abi(cls, values: Any) -> Poll:
        """From web3's tuple."""
        poll = cls(*values)
        return poll._replace(phase=Phase(poll.phase))


class Frozen(NamedTuple):
    """`IYoda.Frozen`: pool and voting rules as a job froze them. `threshold` has 18 decimals."""

    freeze_block: int
    seats: int
    byzantine: int
    base: int
    commit_blocks: int
    reveal_blocks: int
    threshold: int


class Verdict(NamedTuple):
    """`IYoda.Verdict`: the accepted result of a round and the mini-rounds that count."""

    digest: bytes
    first_mini_round: int
    last_mini_round: int
    right_votes: int


class Tally(NamedTuple):
    """`IYoda.Tally`: the likelihood test after a mini-round; scores have 18 decimals."""

    leader: bytes
    leader_votes: int
    runner_up_votes: int
    votes: int
    score: int
    threshold: int
    certain: bool
    accepted: bool


class Pots(NamedTuple):
    """`IEscrow.Pots`, in wei and votes."""

    price: int
    seller_pot: int
    seller_paid: int
    cone_pot: int
    right_votes: int
    paid_votes: int
    accepted_rounds: int
    settled: bool
    contributions_root: bytes


def tag_of(text: str) -> bytes:
    """A tag or metric name as the 32 bytes that the contracts hold. Raises ValueError."""
    data = text.encode()
    if not 0 < len(data) <= 32:
        raise ValueError(f"{text!r}: a tag has 1 to 32 bytes, this one has {len(data)}")
    return data.ljust(32, b"\0")


def text_of(tag: bytes) -> str:
    """The readable form of `tag_of`'s result."""
    return tag.rstrip(b"\0").decode(errors="replace")
