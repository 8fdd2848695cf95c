"""The bounds that the contracts set, mirrored in one place, and checked before anything is sent.

A contract's refusal says at best which rule it is; here are the least and the most that it takes.
"""

from __future__ import annotations

from typing import NamedTuple

from d2m.protocol.constants import (
    BPS,
    MAX_BYZANTINE_BPS,
    MAX_ERROR_PPM,
    MAX_JOB_BLOCKS,
    MAX_ROUNDS,
    MAX_SELLERS,
    MAX_SET,
    MAX_TAGS,
    MAX_TIER,
    MAX_WINDOW_BLOCKS,
    MIN_BYZANTINE_BPS,
    MIN_STAKE_UNIT,
    MIN_WINDOW_BLOCKS,
)
from d2m.protocol.types import Rules


class Bound(NamedTuple):
    """The least and the most that is allowed, both included."""

    least: int
    most: int


UINT128 = (1 << 128) - 1
UINT256 = (1 << 256) - 1

AUCTION_BLOCKS = Bound(MIN_WINDOW_BLOCKS, MAX_WINDOW_BLOCKS)
"""Windows of bidding, and of revealing sealed bids (`AuctionHouse.MIN_` and
`MAX_WINDOW_BLOCKS`)."""
INCREMENT_BPS = Bound(0, BPS)
RESERVE = Bound(1, UINT128 >> (MAX_TIER + 24))
"""In the smallest unit of the auction's token (`AuctionHouse.MAX_RESERVE`)."""
AMOUNT = Bound(1, UINT128)
"""Amount of a bid, in the smallest unit of its token."""
TAGS = Bound(1, MAX_TAGS)
"""Number of tags of one offer (`SellerRegistry.MAX_TAGS`)."""
TAG_BYTES = Bound(1, 32)
STAKE_UNIT = Bound(MIN_STAKE_UNIT, UINT128)
"""In wei (`ConePool.MIN_STAKE_UNIT`)."""
BOND_UNIT = Bound(1, UINT128)
"""In wei (`SellerRegistry`'s constructor)."""
ID = Bound(1, UINT256)
"""Id of an auction, a job or an offer: the contracts count from one."""

JOB_BLOCKS_RULE = "rounds * windows"
"""The contracts' name for how long all rounds together may last."""
_WINDOW = Bound(MIN_WINDOW_BLOCKS, MAX_WINDOW_BLOCKS)
RULES: dict[str, Bound] = {
    "targetBps": Bound(1, BPS),
    "rounds": Bound(1, MAX_ROUNDS),
    "sampleSize": Bound(1, MAX_SELLERS),
    "byzantineBps": Bound(MIN_BYZANTINE_BPS, MAX_BYZANTINE_BPS),
    "base": Bound(1, MAX_SET - 1),
    "errorPpm": Bound(1, MAX_ERROR_PPM),
    "updateBlocks": _WINDOW,
    "commitBlocks": _WINDOW,
    "revealBlocks": _WINDOW,
    "openBlocks": _WINDOW,
    "judgeBlocks": _WINDOW,
    JOB_BLOCKS_RULE: Bound(1, MAX_JOB_BLOCKS),
}
"""Bounds of a job's rules, by the name that `Jobs` gives them in `RuleOutOfBounds`, in its
order."""


def by_name(rules: Rules) -> dict[str, int]:
    """Rules by the names of `RULES`, with what the contracts make of several of them."""
    values = dict(zip(RULES, rules, strict=False))
    windows = rules.update_blocks + rules.commit_blocks + rules.reveal_blocks + rules.open_blocks
    return {**values, JOB_BLOCKS_RULE: rules.rounds * windows}
