from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d2m.data.partition import MINIMUM_PART, Partition, by_label, dirichlet, iid, mislabel

LABELS = np.random.default_rng(0).integers(0, 10, 1500, dtype=np.uint8)
PLANS = ("iid", "dirichlet:0.5", "label:2", "label:10", "quality:0.4")


def same(first, again):
    return all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


@settings(max_examples=60)
@given(st.integers(1, 50), st.sampled_from([0.01, 0.5, 100.0]), st.integers(0, 2**32))
def test_parts_are_disjoint_complete_and_large_enough(parts, alpha, seed):
    split = dirichlet(LABELS, parts, alpha, seed)
    assert len(split) == parts
    assert sorted(np.concatenate(split)) == list(range(len(LABELS)))
    assert min(map(len, split)) >= MINIMUM_PART
    assert all((np.diff(part) > 0).all() for part in split)


def test_one_seed_gives_one_partition():
    first, again = dirichlet(LABELS, 12, 0.5, 3), dirichlet(LABELS, 12, 0.5, 3)
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    other = dirichlet(LABELS, 12, 0.5, 4)
    assert any(len(a) != len(b) or (a != b).any() for a, b in zip(first, other, strict=True))


def test_parts_differ_more_the_smaller_alpha_is():
    def largest_class(alpha):
        split = dirichlet(LABELS, 12, alpha, 1)
        return np.mean([np.bincount(LABELS[part]).max() / len(part) for part in split])

    assert largest_class(0.1) > largest_class(0.5) > largest_class(100.0) + 0.1


def test_parts_that_fit_exactly_are_filled():
    labels = np.zeros(4 * MINIMUM_PART, dtype=np.uint8)
    assert [len(part) for part in dirichlet(labels, 4, 0.05, 0)] == [MINIMUM_PART] * 4


@pytest.mark.parametrize(
    ("parts", "alpha", "message"),
    [(0, 0.5, "at least one part"), (3, 0.0, "alpha"), (100, 0.5, "too few")],
)
def test_a_partition_that_cannot_be_is_refused(parts, alpha, message):
    with pytest.raises(ValueError, match=message):
        dirichlet(LABELS, parts, alpha, 0)


@settings(max_examples=60)
@given(st.sampled_from(PLANS), st.integers(5, 50), st.integers(0, 2**32))
def test_every_plan_splits_the_whole_set_into_parts_large_enough(text, parts, seed):
    split = Partition.parse(text).split(LABELS, parts, seed)
    assert len(split) == parts
    assert sorted(np.concatenate([part.indices for part in split])) == list(range(len(LABELS)))
    assert min(len(part.indices) for part in split) >= MINIMUM_PART
    assert all((np.diff(part.indices) > 0).all() for part in split)
    assert all(part.labels.shape == part.indices.shape for part in split)
    assert all(part.labels.dtype == LABELS.dtype for part in split)
    if not text.startswith("quality"):
        assert all((part.labels == LABELS[part.indices]).all() for part in split)


@pytest.mark.parametrize("text", PLANS)
def test_a_plan_and_a_seed_give_one_partition(text):
    def split(seed):
        parts = Partition.parse(text).split(LABELS, 10, seed)
        return [part.indices for part in parts] + [part.labels for part in parts]

    assert same(split(3), split(3))
    assert not same(split(3), split(4))


@pytest.mark.parametrize("text", PLANS)
def test_a_plan_is_written_as_it_is_read(text):
    assert str(Partition.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "iid:1", "iid:", "dirichlet", "dirichlet:", "dirichlet:0", "dirichlet:inf"),
        *("dirichlet:nan", "label", "label:0", "label:1.5", "label:many", "quality"),
        *("quality:1.1", "quality:-0.1", "sorted:2", "dirichlet:0.5:1"),
    ],
)
def test_an_unknown_plan_is_answered_with_the_known_ones(text):
    with pytest.raises(ValueError, match="iid, dirichlet:ALPHA") as refused:
        Partition.parse(text)
    assert "\n" not in str(refused.value)


def test_iid_parts_are_equal_but_for_one_sample():
    assert {len(part) for part in iid(1500, 7, seed=0)} == {214, 215}


def test_iid_parts_hold_every_class_like_the_whole():
    for part in iid(len(LABELS), 5, seed=0):
        shares = np.bincount(LABELS[part]) / len(part)
        assert np.abs(shares - np.bincount(LABELS) / len(LABELS)).max() < 0.06


@settings(max_examples=60)
@given(st.integers(1, 10), st.integers(1, 20), st.integers(0, 2**32))
def test_each_part_holds_as_many_labels_as_asked_and_each_label_its_fair_number(held, parts, seed):
    if held * parts < 10:
        with pytest.raises(ValueError, match="each label needs a holder"):
            by_label(LABELS, parts, held, seed)
        return
    split = by_label(LABELS, parts, held, seed)
    counts = np.array([np.bincount(LABELS[part], minlength=10) for part in split])
    assert ((counts > 0).sum(axis=1) == held).all()
    assert np.ptp((counts > 0).sum(axis=0)) <= 1
    for label in range(10):
        assert np.ptp(counts[counts[:, label] > 0, label]) <= 1


def test_parts_that_hold_as_many_labels_hold_different_ones():
    split = by_label(LABELS, 20, 2, seed=0)
    assert len({tuple(np.unique(LABELS[part])) for part in split}) > 10


def test_a_label_with_too_few_samples_for_its_holders_is_refused():
    rare = np.repeat(np.array([0, 1], dtype=np.uint8), [300, MINIMUM_PART])
    assert [len(part) for part in by_label(rare, 2, 1, 0)] in ([300, 16], [16, 300])
    with pytest.raises(ValueError, match="below 16"):
        by_label(rare, 4, 1, 0)


def test_more_labels_than_there_are_cannot_be_held():
    with pytest.raises(ValueError, match="from 1 to 10"):
        by_label(LABELS, 5, 11, 0)


def wrong(plan: str) -> np.ndarray:
    split = Partition.parse(plan).split(MANY, 5, seed=2)
    return np.array([np.mean(part.labels != MANY[part.indices]) for part in split])


MANY = np.random.default_rng(1).integers(0, 10, 50_000, dtype=np.uint8)


def test_quality_falls_evenly_from_the_first_seller_to_the_last():
    """10,000 samples a part: five standard deviations are below 0.025."""
    assert wrong("quality:0.8") == pytest.approx([0, 0.2, 0.4, 0.6, 0.8], abs=0.025)
    assert wrong("quality:0.8")[0] == 0
    assert (wrong("quality:0") == 0).all()
    assert wrong("quality:1")[-1] == 1


def test_a_wrong_label_is_any_other_one():
    clean = np.full(9_000, 3, dtype=np.uint8)
    first, last = mislabel([MANY, clean], 1.0, seed=0)
    assert first is MANY or (first == MANY).all()
    counts = np.bincount(last, minlength=10)
    assert counts[3] == 0
    assert counts[counts > 0] == pytest.approx(1000, abs=150)


def test_without_a_second_label_or_a_second_part_nothing_is_mislabelled():
    single = np.full(40, 7, dtype=np.uint16)
    assert all((labels == 7).all() for labels in mislabel([single, single], 1.0, seed=0))
    assert (mislabel([MANY], 1.0, seed=0)[0] == MANY).all()


@pytest.mark.parametrize("text", ["iid", "label:1", "quality:0.1"])
@pytest.mark.parametrize(("parts", "message"), [(0, "at least one part"), (100, "too few")])
def test_every_plan_refuses_too_many_parts_and_none(text, parts, message):
    with pytest.raises(ValueError, match=message):
        Partition.parse(text).split(LABELS, parts, seed=0)
