from __future__ import annotations

import itertools

import numpy as np
import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from d2m.learning.earnings import (
    MICROSAMPLES,
    NO_ROOT,
    SHARES_ONE,
    contribution_proof,
    contributions_root,
    credit,
    earnings,
    leaf,
    shares,
    without_each,
)
from d2m.learning.grid import WEIGHT_LIMIT, IntVector

CONTRIBUTIONS = st.lists(st.integers(0, 10**6), min_size=1, max_size=40)


def verify(proof, root, node):
    """OpenZeppelin's MerkleProof.verify."""
    for sibling in proof:
        node = keccak(min(node, sibling) + max(node, sibling))
    return node == root


def rows(*updates: list[int]) -> IntVector:
    return np.array(updates, dtype=np.int32)


APART = rows([9, 1, 1], [1, 9, 1], [1, 1, 9])
"""Every pair has the same inner product, above 0 and far from a copy's."""


def test_a_round_adds_what_was_earned_and_refused_updates_earn_nothing():
    assert credit((5, 5, 5), {0: 7, 2: 1}) == (12, 5, 6)


def test_updates_that_agree_share_the_gain():
    earned = earnings(APART, utilities=[20, 20, 20], losses=[4, 4, 4], gain=30)
    assert earned == [10 * MICROSAMPLES] * 3


def test_what_is_missed_most_and_what_helps_most_alone_earns_more():
    """φ = L + gain/3 − mean L + 2·(u − mean u)/3."""
    earned = earnings(APART, utilities=[20, 5, 5], losses=[0, 9, 3], gain=30)
    assert earned == [38 * 10**6 // 3, 35 * 10**6 // 3, 17 * 10**6 // 3]


def test_the_estimates_sum_to_the_gain():
    earned = earnings(APART, utilities=[9, -4, -5], losses=[7, 6, 8], gain=33)
    assert sum(earned) == pytest.approx(33 * MICROSAMPLES, abs=3)


def test_a_kept_update_that_did_harm_earns_the_smallest_share_there_is():
    earned = earnings(APART, utilities=[50, -60, 10], losses=[5, -40, 5], gain=2)
    assert earned[1] == 1
    assert min(earned[0], earned[2]) > MICROSAMPLES


def test_zeros_earn_the_smallest_share_there_is():
    updates = np.vstack([APART, rows([0, 0, 0])])
    earned = earnings(updates, utilities=[-40, -41, -42, 0], losses=[3, 2, 1, 0], gain=60)
    assert earned[3] == 1
    assert min(earned[:3]) >= MICROSAMPLES


def test_an_update_against_the_others_earns_what_it_is_missed_for():
    updates = np.vstack([APART, rows([-1, -1, -1])])
    given = [10, 10, 10, 90], [3, 3, 3, 5]
    assert earnings(updates, *given, gain=20)[3] == 5 * MICROSAMPLES


def test_copies_share_one_credit():
    updates = np.vstack([APART, APART[:1] * 2])
    given = [10] * 4, [10] * 4, 40
    assert earnings(updates, *given) == [part * MICROSAMPLES for part in (5, 10, 10, 5)]


@pytest.mark.parametrize(("third", "shared"), [((400, 300), 2), ((400, 301), 1)])
def test_a_copy_is_nearer_than_halfway_from_the_median_pair(third, shared):
    """Cosines 0, 0.6 and 0.8: halfway from 0.6 to 1 is 0.8."""
    updates = rows([1, 0], [0, 1], [*third])
    earned = earnings(updates, utilities=[0] * 3, losses=[5] * 3, gain=15)
    assert earned == [5 * 10**6 // shared, 5 * 10**6, 5 * 10**6 // shared]


def test_honest_updates_that_are_all_alike_are_no_copies():
    alike = rows([9, 8, 8], [8, 9, 8], [8, 8, 9])
    assert earnings(alike, [0] * 3, [5] * 3, 15) == [5 * MICROSAMPLES] * 3


def test_where_nothing_helps_and_nobody_agrees_the_kept_updates_share_equally():
    earned = earnings(rows([1, 0], [-1, 0]), utilities=[-4, -90], losses=[-3, -3], gain=-6)
    held = shares(credit((0, 0, 0), {0: earned[0], 2: earned[1]}))
    assert [(s.seller, s.end - s.start) for s in held] == [
        (0, SHARES_ONE // 2),
        (2, SHARES_ONE // 2),
    ]


@given(st.permutations(range(4)), st.data())
def test_earnings_follow_the_updates_and_not_their_order(order, data):
    numbers = st.lists(st.integers(-99, 99), min_size=4, max_size=4)
    utilities, losses = data.draw(numbers), data.draw(numbers)
    updates = rows(*(data.draw(numbers) for _ in range(4)))
    earned = earnings(updates, utilities, losses, 7)
    moved = [[values[i] for i in order] for values in (utilities, losses)]
    assert earnings(updates[order], *moved, 7) == [earned[i] for i in order]
    assert min(earned) >= 1


def test_each_update_is_taken_out_by_its_part_rounded_to_the_nearest():
    weights = np.array([100, WEIGHT_LIMIT, 0], dtype=np.int32)
    updates = rows([3, -8, 1], [5, 8, 0])
    assert [model.tolist() for model in without_each(weights, updates)] == [
        [98, WEIGHT_LIMIT, -1],
        [97, WEIGHT_LIMIT - 4, 0],
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
