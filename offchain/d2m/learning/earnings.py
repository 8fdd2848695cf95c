"""Sellers' earnings: cumulative integers, exact shares and the Merkle root that pays them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from d2m.learning.copies import copies
from d2m.learning.grid import IntVector, add_update
from d2m.learning.rules.stack import gram, rounded_quotient

SHARES_ONE = 10**18
"""Shares are intervals of [0, SHARES_ONE)."""
NO_ROOT = bytes(32)
"""The contributions root while nobody's update was ever kept."""
MICROSAMPLES = 10**6
"""Contributions count millionths of an evaluation sample, so that parts of one can be shared."""
FIRST_WEIGHT = 2
"""Weight of what an update does alone beside what it does last. Marginal contributions that fall as
1/size would give Σ 1/size² → π²/6; of 1, 1.5 and 2 the last ranked best."""
COPY_WAY = Fraction(1, 2)
"""Copies share one credit from halfway between the round's median pair and equality on."""


class Share(NamedTuple):
    """``seller`` (its index) holds [start, end) of SHARES_ONE.

    Its part of a pot is floor(pot·end/ONE) − floor(pot·start/ONE): over all sellers this telescopes
    to the pot exactly.
    """

    seller: int
    start: int
    end: int


def credit(contributions: Sequence[int], earned: Mapping[int, int]) -> tuple[int, ...]:
    """Contributions after a round in which seller i earned ``earned[i]`` (in MICROSAMPLES).

    Refused updates have no entry and add nothing; a repeated draw is one entry.
    """
    return tuple(c + earned.get(i, 0) for i, c in enumerate(contributions))


def without_each(weights: IntVector, updates: IntVector) -> Iterator[IntVector]:
    """The new model with each kept update taken out again: weights − round(Δ_i/k), int32 (d,).

    ``weights`` (d,) is the model after the round, ``updates`` (k, d) what was kept. A missing
    update counts as one of zeros, so that an update that moves nothing is worth nothing. (Over a
    mean of the others alone, a seller of zeros looks useful: it shortens the others' step.)
    """
    k = len(updates)
    for update in updates:
        yield add_update(weights, -rounded_quotient(update.astype(np.int64), k))


def earnings(
    updates: IntVector, utilities: Sequence[int], losses: Sequence[int], gain: int
) -> list[int]:
    """Earnings of each kept update in a round, in MICROSAMPLES, at least 1.

    The round is a game of the k kept updates: v(S) = correct(w + Σ_{i∈S} Δ_i/k) − correct(w). The
    Shapley value is the mean over coalition sizes of i's average marginal contribution; it is
    estimated from the two sizes that cost k models each (and the first k are known already):

        φ_i = L_i + a_i·(gain/k − mean L + FIRST_WEIGHT·(u_i − mean u)/k)

    ``utilities`` u_i = correct(w + Δ_i) − correct(w), alone; ``losses`` L_i = correct(new) −
    correct(new − Δ_i/k), last; ``gain`` = correct(new) − correct(w). u_i is that of a full step, so
    only its distance from the mean counts. Where every a_i is 1 the φ_i sum to the gain. The
    agreement a_i, 0 to 1, is ⟨Δ_i, Σ_{j≠i} Δ_j⟩ over half its mean, clamped: zeros and noise have
    next to none, and φ_i is then L_i alone.

    Paid is max(0, φ_i)/c_i, c_i the updates that are copies of i's, itself included: who sells the
    same data twice, or copies, shares one credit. The weights were chosen by measurement against
    exact Shapley values: docs/experiments/contributions.md.
    """
    k = len(updates)
    products = [[int(product) for product in row] for row in gram(updates)]
    agreements, alike = _agreements(products), copies(products, COPY_WAY)
    earned = []
    for i, (utility, loss) in enumerate(zip(utilities, losses, strict=True)):
        first = Fraction(FIRST_WEIGHT * (k * utility - sum(utilities)), k * k)
        last = Fraction(gain - sum(losses), k)
        value = max(Fraction(0), loss + agreements[i] * (last + first))
        earned.append(max(1, int(value * MICROSAMPLES / alike[i])))
    return earned


def _agreements(products: list[list[int]]) -> list[Fraction]:
    """Clamped to 0..1: an update's inner product with all others, over half the mean of these."""
    inner = [sum(row) - row[i] for i, row in enumerate(products)]
    total = sum(inner)
    if total <= 0:
        return [Fraction(0)] * len(inner)
    return [min(Fraction(1), max(Fraction(0), Fraction(2 * len(inner) * x, total))) for x in inner]


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
