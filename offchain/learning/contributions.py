"""What sellers earned: cumulative integers, exact shares and the Merkle root that pays them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from eth_abi.abi import encode
from eth_utils.crypto import keccak

SHARES_ONE = 10**18
"""Shares are intervals of [0, SHARES_ONE)."""
NO_ROOT = bytes(32)
"""The contributions root while nobody's update was ever kept."""


class Share(NamedTuple):
    """``seller`` (its index) holds [start, end) of SHARES_ONE.

    Of a pot it is paid floor(pot·end/ONE) − floor(pot·start/ONE): over all sellers this telescopes
    to the pot exactly.
    """

    seller: int
    start: int
    end: int


def credit(contributions: Sequence[int], kept: Mapping[int, int]) -> tuple[int, ...]:
    """Contributions after a round in which the updates of ``kept`` (index -> utility) were kept.

    A kept update adds its utility in evaluation samples, at least one. So refused updates add
    nothing, a repeated draw is not paid twice, and where no utility was ever positive the kept
    updates share equally.
    """
    return tuple(c + (max(1, kept[i]) if i in kept else 0) for i, c in enumerate(contributions))


def shares(contributions: Sequence[int]) -> list[Share]:
    """The non-empty intervals in index order; they cover SHARES_ONE. Empty when all are zero."""
    total = sum(contributions)
    if not total:
        return []
    result, before = [], 0
    for index, contribution in enumerate(contributions):
        start = SHARES_ONE * before // total
        before += contribution
        end = SHARES_ONE * before // total
        if end > start:
            result.append(Share(index, start, end))
    return result


def leaf(share: Share) -> bytes:
    """keccak256(keccak256(abi.encode(index, start, end))): OpenZeppelin's StandardMerkleTree leaf.

    The double hash keeps a leaf from being read as an inner node.
    """
    return keccak(keccak(encode(["uint256"] * 3, list(share))))


def contributions_root(contributions: Sequence[int]) -> bytes:
    """Merkle root of the shares, 32 bytes; NO_ROOT when there is none."""
    held = shares(contributions)
    return _tree(held)[0] if held else NO_ROOT


def contribution_proof(contributions: Sequence[int], seller: int) -> tuple[Share, list[bytes]]:
    """A seller's share and the proof that OpenZeppelin's ``MerkleProof`` verifies.

    Raises KeyError when the seller has no share.
    """
    held = shares(contributions)
    position = next((k for k, share in enumerate(held) if share.seller == seller), None)
    if position is None:
        raise KeyError(f"seller {seller} has no share")
    tree = _tree(held)
    node, proof = len(tree) - 1 - position, []
    while node:
        proof.append(tree[node - 1 if node % 2 == 0 else node + 1])
        node = (node - 1) // 2
    return held[position], proof


def _tree(held: Sequence[Share]) -> list[bytes]:
    """OpenZeppelin's complete binary tree: root first, leaves reversed at the end."""
    leaves = [leaf(share) for share in held]
    tree = [b""] * (len(leaves) - 1) + leaves[::-1]
    for node in range(len(leaves) - 2, -1, -1):
        tree[node] = keccak(b"".join(sorted(tree[2 * node + 1 : 2 * node + 3])))
    return tree
