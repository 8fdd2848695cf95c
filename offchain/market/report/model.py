"""What one run of the market leaves behind: the shape of `build/market/report.json`.

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
Behaviour: TypeAlias = Literal["honest", "random", "stale", "copier", "sign_flip", "label_flip"]
Option: TypeAlias = str | int | float | bool | None


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
    """One bid, in the order in which it reached the chain."""

    bidder: Address
    wei: Wei
    block: Count


class Auction(_Part):
    """The auction and the match. `matched` is in the order of the sellers' indices on chain."""

    tag: str
    opener: Address
    winner: Address
    price_wei: Wei
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
    """A revealed vote. `right` is None where the round accepted no digest."""

    node: Address
    behaviour: Behaviour
    digest: Digest
    right: bool | None


class MiniRound(_Part):
    """One execution set and the tally after it.

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


class Payout(_Part):
    """What a party withdrew, and why it was due, in a few words."""

    role: Role
    behaviour: Behaviour
    wei: Wei
    why: str


class Conservation(_Part):
    """Every wei that entered the contracts was paid out or is still held."""

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
    contract_balances_wei: dict[str, Wei]
    stakes_wei: dict[str, Wei]
    conservation: Conservation
    gas: dict[str, Gas]
    delivery: Delivery | None
    artifacts: dict[str, str]
    absent: list[str]

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
