"""Report of one run of the market: the shape of `build/market/report.json`.

The orchestrator collects the facts from chain events and fills this shape; the terminal and the
HTML rendering read nothing else. Money is in wei, time in seconds, gas in gas units. Addresses and
digests are 0x-prefixed hexadecimal; addresses are kept checksummed. The order of the keys of a
mapping is kept: it is the order in which the parties are named and shown (see `names`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from eth_utils.address import to_checksum_address
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

# One spelling per address, so that the same party is the same key everywhere.
Address: TypeAlias = Annotated[
    str, Field(pattern=r"^0x[0-9a-fA-F]{40}$"), AfterValidator(to_checksum_address)
]
Digest: TypeAlias = Annotated[str, Field(pattern=r"^0x[0-9a-f]{64}$")]
Count: TypeAlias = Annotated[int, Field(ge=0)]
Wei: TypeAlias = Annotated[int, Field(ge=0)]
Seconds: TypeAlias = Annotated[float, Field(ge=0)]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Role: TypeAlias = Literal["seller", "cone"]
Behaviour: TypeAlias = Literal[
    "honest",
    "random",
    "stale",
    "copier",
    "colluding",
    "silent",
    "sign_flip",
    "label_flip",
    "gaussian",
    "lazy",
]
AuctionKind: TypeAlias = Literal["open", "sealed-first", "sealed-second"]
BidOutcome: TypeAlias = Literal["wins", "outbid", "tied, sealed later", "not revealed"]
Conduct: TypeAlias = Literal["right", "lost result", "wrong audit", "silent", "unjudged"]
Option: TypeAlias = str | int | float | bool | None

ESCROW = "Escrow"
"""The contract that holds all money of buyers."""


class _Part(BaseModel):
    """Strict: unknown keys, missing keys, other types, NaN and infinities are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Chain(_Part):
    """The chain that the job ran on."""

    client: str
    chain_id: Count
    block_seconds: Seconds
    blocks: Count


class Bid(_Part):
    """One bid, in the order in which it, or its commitment, reached the chain.

    A sealed bid's deposit is the reserve doubled `tier` times; its `wei` is None where it was never
    revealed. An open bid is its own deposit.
    """

    bidder: Address
    wei: Wei | None
    deposit_wei: Wei
    tier: Count | None
    forfeited_wei: Wei
    block: Count
    outcome: BidOutcome


class Auction(_Part):
    """The auction and the match. `matched` is in the order of the sellers' indices on chain.

    The job is paid `price_wei` by the winner, and `forfeits_wei` of bids that were not revealed.
    """

    kind: AuctionKind
    tag: str
    opener: Address
    winner: Address
    price_wei: Wei
    forfeits_wei: Wei
    bids: list[Bid]
    matched: list[Address]
    unmatched: list[Address]


class Update(_Part):
    """A posted update and what the accepted result says of it; `utility` is u_i, if measured."""

    seller: Address
    index: Count
    behaviour: Behaviour
    kept: bool
    reason: str
    utility: float | None


class Voter(_Part):
    """A node that was asked, and its vote as the contract judges it.

    `digest` is None where it revealed nothing; rounds that were never opened stay unjudged.
    """

    node: Address
    behaviour: Behaviour
    digest: Digest | None
    conduct: Conduct


class MiniRound(_Part):
    """One execution set, `voters` all of it, and the tally after it.

    `votes` are those revealed in this mini-round. `leader_votes`, `runner_up_votes` and `score`
    (ln L_leader - ln L_runner-up) are those of the round so far. `score` is None where no finite
    number exists: no vote is in, or no other digest can be the true one any more.
    """

    mini_round: Annotated[int, Field(ge=1)]
    asked: Count
    committed: Count
    revealed: Count
    votes: dict[Digest, Count]
    voters: list[Voter]
    leader: Digest | None
    leader_votes: Count
    runner_up_votes: Count
    score: float | None
    threshold: float
    certain: bool
    accepted: bool


class Round(_Part):
    """One global round; what only an accepted result brings is None where none was accepted."""

    round: Annotated[int, Field(ge=1)]
    accuracy: Share | None
    numerator: Count | None
    denominator: Count | None
    sampled: list[Address]
    digest: Digest | None
    opened_by: Address | None
    updates: list[Update]
    probabilities: dict[Address, Share]
    mini_rounds: list[MiniRound]


class Slash(_Part):
    """Loss of a node's stake for one offence; `wei` is 0 once nothing of it is left."""

    node: Address
    behaviour: Behaviour
    round: Annotated[int, Field(ge=1)]
    mini_round: Annotated[int, Field(ge=1)]
    conduct: Conduct
    wei: Wei
    sender: Address


class NodeAccount(_Part):
    """Income and costs of a node from the job.

    `pay_wei` of the CONE pot and `slash_share_wei` of the slashed stakes, both for `paid_votes`.
    """

    asked: Count
    right_votes: Count
    paid_votes: Count
    pay_wei: Wei
    slash_share_wei: Wei
    slashed_wei: Wei
    stake_left_wei: Wei

    @property
    def net_wei(self) -> int:
        """Net gain of the node; below zero a loss."""
        return self.pay_wei + self.slash_share_wei - self.slashed_wei


class Payout(_Part):
    """A party's withdrawal, and why it was due, in a few words."""

    role: Role
    behaviour: Behaviour
    wei: Wei
    why: str


class Conservation(_Part):
    """Every wei that transactions sent to the contracts was paid out or is still held."""

    paid_in_wei: Wei
    paid_out_wei: Wei
    held_wei: Wei
    holds: bool

    @model_validator(mode="after")
    def _sums(self) -> Conservation:
        if self.holds != (self.paid_in_wei == self.paid_out_wei + self.held_wei):
            raise ValueError("`holds` contradicts paid_in_wei == paid_out_wei + held_wei")
        return self


class Gas(_Part):
    """Gas of all transactions of one step."""

    count: Count
    mean: Annotated[float, Field(ge=0)]
    max: Count
    total: Count


class Delivery(_Part):
    """The final model as the buyer fetched it."""

    model_cid: str
    model_hash: Digest
    hash_matches: bool


class Report(_Part):
    """One run of the market, from bid to withdrawal."""

    target: Share
    final_accuracy: Share | None
    delivered_accuracy: Share | None
    outcome: str
    seed: int
    options: dict[str, Option]
    chain: Chain
    seconds: Seconds
    seconds_by_phase: dict[str, Seconds]
    auction: Auction
    bids_wei: dict[Address, Wei]
    refunds_wei: dict[Address, Wei]
    rounds: list[Round]
    payouts_wei: dict[Address, Payout]
    offences: Count
    slashes: list[Slash]
    nodes: dict[Address, NodeAccount]
    contract_balances_wei: dict[str, Wei]
    stakes_wei: dict[str, Wei]
    escrow_owes_wei: dict[str, Wei]
    conservation: Conservation
    gas: dict[str, Gas]
    delivery: Delivery | None
    artifacts: dict[str, str]

    def bound_wei(self, contract: str) -> int:
        """Amount that a contract must hold: stakes and bonds, and what the escrow owes."""
        owed = sum(self.escrow_owes_wei.values()) if contract == ESCROW else 0
        return self.stakes_wei.get(contract, 0) + owed

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Read a report; a `ValueError` names every key that is missing, unknown or wrong."""
        return cls.model_validate_json(text)

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Report:
        """Read the orchestrator's plain dictionary, exactly as it would be read back from JSON.

        Raises `TypeError` for a value that JSON does not know (bytes, numpy numbers) and
        `ValueError` as `from_json` does.
        """
        return cls.from_json(json.dumps(facts, allow_nan=False))

    def to_json(self) -> str:
        """The report as indented JSON, in the order of the fields; it ends with a newline."""
        return json.dumps(self.model_dump(mode="json"), indent=2, allow_nan=False) + "\n"
