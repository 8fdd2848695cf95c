from __future__ import annotations

import itertools

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from offchain.learning.contributions import (
    NO_ROOT,
    SHARES_ONE,
    contribution_proof,
    contributions_root,
    credit,
    leaf,
    shares,
)

CONTRIBUTIONS = st.lists(st.integers(0, 10**6), min_size=1, max_size=40)


def verify(proof, root, node):
    """OpenZeppelin's MerkleProof.verify."""
    for sibling in proof:
        node = keccak(min(node, sibling) + max(node, sibling))
    return node == root


def test_a_kept_update_earns_its_utility_and_at_least_one_sample():
    assert credit((5, 5, 5, 5), {0: 7, 1: 0, 2: -30}) == (12, 6, 6, 5)


def test_where_nothing_helps_the_kept_updates_share_equally():
    earned = credit((0, 0, 0), {0: -4, 2: -90})
    assert [(s.seller, s.end - s.start) for s in shares(earned)] == [
        (0, SHARES_ONE // 2),
        (2, SHARES_ONE // 2),
    ]


@given(CONTRIBUTIONS, st.integers(0, 10**24))
def test_shares_cover_one_and_pay_a_pot_to_the_wei(contributions, pot):
    held = shares(contributions)
    if not any(contributions):
        assert held == []
        return
    assert held[0].start == 0
    assert held[-1].end == SHARES_ONE
    assert all(a.end == b.start for a, b in itertools.pairwise(held))
    assert all(share.start < share.end for share in held)
    assert [share.seller for share in held] == [i for i, c in enumerate(contributions) if c]
    paid = [pot * s.end // SHARES_ONE - pot * s.start // SHARES_ONE for s in held]
    assert sum(paid) == pot
    total = sum(contributions)
    for share, wei in zip(held, paid, strict=True):
        fair = pot * contributions[share.seller] / total
        assert abs(wei - fair) <= 2 + pot / SHARES_ONE + fair * 1e-9


def test_a_contribution_too_small_for_an_interval_gets_none():
    assert [share.seller for share in shares([1, 10**40])] == [1]


@given(CONTRIBUTIONS)
def test_every_share_has_a_proof_that_openzeppelin_accepts(contributions):
    root = contributions_root(contributions)
    for index, contribution in enumerate(contributions):
        if not contribution:
            with pytest.raises(KeyError, match=f"seller {index}"):
                contribution_proof(contributions, index)
            continue
        share, proof = contribution_proof(contributions, index)
        assert share.seller == index
        assert verify(proof, root, leaf(share))
        assert not verify(proof, root, leaf(share._replace(end=share.end + 1)))
        assert not verify(proof, root, leaf(share._replace(seller=index + 1)))


def test_a_leaf_is_the_double_hash_of_the_encoding():
    share = shares([1])[0]
    assert leaf(share) == keccak(keccak(encode(["uint256"] * 3, [0, 0, SHARES_ONE])))
    assert contributions_root([1]) == leaf(share)


def test_the_tree_is_the_one_of_openzeppelins_library():
    """Three leaves: the library puts the last two under one node and the first beside it."""
    first, second, third = (leaf(share) for share in shares([1, 2, 3]))

    def pair(a, b):
        return keccak(min(a, b) + max(a, b))

    assert contributions_root([1, 2, 3]) == pair(pair(first, second), third)


def test_there_is_no_root_while_nobody_was_kept():
    assert contributions_root([0, 0]) == NO_ROOT == bytes(32)
