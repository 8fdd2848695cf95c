"""Sealed bids: their salts, commitments and deposits."""

from __future__ import annotations

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from d2m.errors import PartyError
from d2m.protocol.amounts import shown_amount
from d2m.protocol.constants import MAX_TIER

SEALED_DOMAIN = keccak(text="D2M sealed bid v1")
"""Separates sealed bids from every other hash (`AuctionHouse.SEALED_DOMAIN`)."""


def bid_salt(secret: bytes, auction_id: int) -> bytes:
    """The salt of a bidder with `secret`: recomputable after a crash, different everywhere."""
    return keccak(secret + encode(["uint256"], [auction_id]))


def sealed_commitment(
    chain_id: int, house: str, bidder: str, auction_id: int, amount: int, salt: bytes
) -> bytes:
    """keccak256 over the domain, the place and the bid (`AuctionHouse.sealedCommitment`)."""
    types = ["bytes32", "uint256", "address", "address", "uint256", "uint256", "bytes32"]
    values = [SEALED_DOMAIN, chain_id, house, bidder, auction_id, amount, salt]
    return keccak(encode(types, values))


def tier_for(amount: int, reserve: int, token: str, *, larger: bool = False) -> int:
    """The smallest tier whose deposit, reserve · 2^tier, covers a bid of at least the reserve.

    Both in `token`. With `larger` one tier more, where there is one: then the deposit tells others
    less of the bid.
    Raises PartyError where no deposit is large enough.
    """
    tier = max(0, (-(-amount // reserve) - 1).bit_length())
    if tier > MAX_TIER:
        most = reserve << MAX_TIER
        raise PartyError(f"a sealed bid here is at most {shown_amount(most, token)}: bid less")
    return min(tier + larger, MAX_TIER)
