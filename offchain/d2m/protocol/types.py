"""The contracts' structs and enums, mirrored: same order, same units, Python names."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, NamedTuple

from eth_typing import ChecksumAddress

from d2m.protocol.constants import MAX_SET

ETHER = "0x" + "00" * 20
"""Stands for the chain's own currency where a token is asked for."""
NEVER = 1 << 40
"""A block that never comes: the contracts keep block numbers in 40 bits."""


class JobState(IntEnum):
    """`IJobs.State`."""

    NONE = 0
    SEEDING = 1
    COLLECTING = 2
    DECIDING = 3
    OPENING = 4
    JUDGING = 5
    SETTLED = 6
    FAILED = 7

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to the job but withdrawals."""
        return self >= JobState.SETTLED


class FailureReason(IntEnum):
    """`IJobs.FailureReason`."""

    NONE = 0
    NO_UPDATES = 1
    UNDECIDED = 2
    NOT_OPENED = 3


class Phase(IntEnum):
    """`IYoda.Phase`."""

    NONE = 0
    SEEDING = 1
    VOTING = 2
    ACCEPTED = 3
    UNDECIDED = 4


class Conduct(IntEnum):
    """`IYoda.Conduct`: what a seat did in one mini-round of an opened round."""

    UNJUDGED = 0
    NOT_ASKED = 1
    RIGHT = 2
    LOST_RESULT = 3
    WRONG_AUDIT = 4
    SILENT = 5

    @property
    def is_offence(self) -> bool:
        """Whether the node is slashed for it."""
        return self >= Conduct.LOST_RESULT


class AuctionKind(IntEnum):
    """`IAuctionHouse.Kind`."""

    OPEN = 0
    SEALED_FIRST_PRICE = 1
    SEALED_SECOND_PRICE = 2


class AuctionState(IntEnum):
    """`IAuctionHouse.State`."""

    NONE = 0
    OPEN = 1
    WON = 2
    VOID = 3
    CANCELLED = 4


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
    judge_blocks: int


class Request(NamedTuple):
    """A buyer's request. Hashes are 32 bytes, CIDs binary CIDv1."""

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
    """An auction's terms: blocks, basis points, the token's smallest units."""

    kind: AuctionKind
    token: str
    window_blocks: int
    reveal_blocks: int
    increment_bps: int
    reserve: int


class Auction(NamedTuple):
    """`IAuctionHouse.Auction`. Amounts in the smallest unit of `token`."""

    state: AuctionState
    kind: AuctionKind
    increment_bps: int
    close_block: int
    latest_block: int
    sealed_bids: int
    revealed_bids: int
    leader_place: int
    opener: ChecksumAddress
    token: ChecksumAddress
    leader: ChecksumAddress
    highest_bid: int
    second_bid: int
    reserve: int
    forfeits: int
    request_hash: bytes
    job_id: int

    @classmethod
    def from_abi(cls, values: Any) -> Auction:
        """From web3's tuple."""
        auction = cls(*values)
        return auction._replace(state=AuctionState(auction.state), kind=AuctionKind(auction.kind))

    @property
    def last_block(self) -> int:
        """Last block in which it may still take bids or reveals: it can be closed after it."""
        complete = self.kind == AuctionKind.OPEN or self.revealed_bids == self.sealed_bids
        return self.close_block if complete else self.latest_block


class SealedBid(NamedTuple):
    """`IAuctionHouse.SealedBid`."""

    commitment: bytes
    deposit: int
    place: int
    closed: bool


class Offer(NamedTuple):
    """`ISellerRegistry.Offer`; the bond in wei."""

    seller: ChecksumAddress
    listed: bool
    exit_block: int
    bond: int
    public_key: bytes
    metadata_cid: bytes
    tags: list[bytes]


class Node(NamedTuple):
    """`IConePool.Node`; the stake in wei."""

    stake: int
    seat: int
    since: int
    exit_block: int
    public_key: bytes


class Offence(NamedTuple):
    """`IConePool.Offence`: where a node failed, by its seat at the freeze."""

    round: int
    mini_round: int
    seat: int


class Job(NamedTuple):
    """`IJobs.Job`. `sample` and `posted` are bitmaps by seller index."""

    buyer: ChecksumAddress
    state: JobState
    round: int
    accepted_rounds: int
    sellers: int
    failure: FailureReason
    target_reached: bool
    right_votes: int
    offences: int
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
        return job._replace(
            state=JobState(job.state),
            failure=FailureReason(job.failure),
            rules=Rules(*job.rules),
        )


class Poll(NamedTuple):
    """`IYoda.Poll`: the vote on a job's current round."""

    round: int
    mini_round: int
    first_mini_round: int
    phase: Phase
    asked_before: int
    asked: int
    votes: int
    leader_votes: int
    runner_up_votes: int
    seed_block: int
    commit_deadline: int
    reveal_deadline: int

    @classmethod
    def from_abi(cls, values: Any) -> Poll:
        """From web3's tuple."""
        poll = cls(*values)
        return poll._replace(phase=Phase(poll.phase))


class MiniRound(NamedTuple):
    """`IYoda.MiniRound`; `turnout` as `contracts/yoda/Turnout.sol` packs it."""

    seed: bytes
    turnout: int
    lead: bytes
    lead_result: bytes

    def has_committed(self, position: int) -> bool:
        """Whether the node at a position of the execution set has committed."""
        return bool(self.turnout >> position & 1)

    def has_revealed(self, position: int) -> bool:
        """Whether the node at a position of the execution set has revealed."""
        return bool(self.turnout >> (MAX_SET + position) & 1)

    @property
    def committed(self) -> int:
        """How many have committed."""
        return (self.turnout & (1 << MAX_SET) - 1).bit_count()

    @property
    def revealed(self) -> int:
        """How many have revealed."""
        return (self.turnout >> MAX_SET & (1 << MAX_SET) - 1).bit_count()


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
    """`IYoda.Verdict`: the accepted result of a round; from the opening on, how votes were judged.

    `redrawn_at` is the first mini-round of the second draw, 0 if there was none.
    """

    digest: bytes
    predictions_hash: bytes
    last_mini_round: int
    redrawn_at: int
    right_votes: int
    offences: int


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
    """`IEscrow.Pots`: votes, amounts in `token`'s smallest unit, `slash_pot` in wei."""

    token: ChecksumAddress
    settled: bool
    right_votes: int
    paid_votes: int
    price: int
    seller_pot: int
    seller_paid: int
    cone_pot: int
    slash_pot: int
    contributions_root: bytes


class JobView(NamedTuple):
    """`ILens.JobView`: all that the contracts know of a job.

    Poll, mini-round and verdict are those of the present round; `slashed` counts the offences
    punished so far, and `due` says whether `Jobs.advance` would do something.
    """

    job: Job
    poll: Poll
    mini_round: MiniRound
    frozen: Frozen
    verdict: Verdict
    pots: Pots
    slashed: int
    due: bool

    @property
    def window_end(self) -> int:
        """The last block of the window that is open now; a block that never comes where none is."""
        if self.job.state == JobState.DECIDING and self.poll.phase == Phase.VOTING:
            asked = self.poll.asked - self.poll.asked_before
            is_complete = self.mini_round.committed >= asked
            return self.poll.reveal_deadline if is_complete else self.poll.commit_deadline
        has_window = self.job.state in (JobState.COLLECTING, JobState.OPENING, JobState.JUDGING)
        return self.job.deadline if has_window else NEVER

    @classmethod
    def from_abi(cls, values: Any) -> JobView:
        """From web3's nested tuples."""
        job, poll, mini_round, frozen, verdict, pots, slashed, due = values
        return cls(
            Job.from_abi(job),
            Poll.from_abi(poll),
            MiniRound(*mini_round),
            Frozen(*frozen),
            Verdict(*verdict),
            Pots(*pots),
            slashed,
            due,
        )


def tag_of(text: str) -> bytes:
    """A tag or metric name as the 32 bytes that the contracts hold. Raises ValueError."""
    data = text.encode()
    if not 0 < len(data) <= 32:
        raise ValueError(f"{text!r}: a tag has 1 to 32 bytes, this one has {len(data)}")
    return data.ljust(32, b"\0")


def text_of(tag: bytes) -> str:
    """The readable form of `tag_of`'s result."""
    return tag.rstrip(b"\0").decode(errors="replace")
