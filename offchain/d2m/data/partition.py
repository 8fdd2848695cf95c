"""Splitting a data set among sellers, as a plan such as ``dirichlet:0.5`` names it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

IndexVector = npt.NDArray[np.int64]
LabelVector = npt.NDArray[np.unsignedinteger[Any]]

MINIMUM_PART = 16
"""Fewest samples of a part: a seller with less has no batch to train on."""


_NOISE = 1
"""Draws wrong labels apart from the draws of who holds what."""
PLANS = "iid, dirichlet:ALPHA (above 0), label:COUNT (from 1), quality:SHARE (0 to 1)"
"""Forms of a plan."""


@dataclass(frozen=True, eq=False)
class Part:
    """Samples of one seller."""

    indices: IndexVector
    """Indices of its samples, ascending."""
    labels: LabelVector
    """Labels of its samples, as it believes them to be."""


@dataclass(frozen=True)
class Partition:
    """How a data set is split.

    - ``iid``: at random into parts of equal size, give or take one.
    - ``dirichlet:α``: see ``dirichlet``.
    - ``label:c``: see ``by_label``.
    - ``quality:s``: as ``iid``, with wrong labels as ``mislabel`` puts them.

    Raises ValueError, one line, on anything else.
    """

    kind: str
    value: float | None = None

    def __post_init__(self) -> None:
        value = self.value
        known = {
            "iid": value is None,
            "dirichlet": value is not None and 0 < value < math.inf,
            "label": value is not None and value >= 1 and float(value).is_integer(),
            "quality": value is not None and 0 <= value <= 1,
        }
        if not known.get(self.kind, False):
            raise ValueError(f"unknown partition {self}; choose one of {PLANS}")

    def __str__(self) -> str:
        return self.kind if self.value is None else f"{self.kind}:{self.value:g}"

    @classmethod
    def parse(cls, text: str) -> Partition:
        """The plan that a text names, as ``str`` writes it. Raises ValueError."""
        kind, colon, value = text.partition(":")
        try:
            return cls(kind, float(value) if colon else None)
        except ValueError as error:
            raise ValueError(f"unknown partition {text!r}; choose one of {PLANS}") from error

    def split(self, labels: LabelVector, parts: int, seed: int) -> list[Part]:
        """Disjoint parts of at least MINIMUM_PART samples that make up the whole set.

        ``labels`` (n,); everything follows from ``seed``. Raises ValueError where the set cannot
        be split so.
        """
        value = self.value or 0.0
        if self.kind == "dirichlet":
            indices = dirichlet(labels, parts, value, seed)
        elif self.kind == "label":
            indices = by_label(labels, parts, int(value), seed)
        else:
            indices = iid(len(labels), parts, seed)
        held = [labels[part] for part in indices]
        if self.kind == "quality":
            held = mislabel(held, value, seed)
        return [Part(*part) for part in zip(indices, held, strict=True)]


def iid(count: int, parts: int, seed: int) -> list[IndexVector]:
    """Split ``count`` sample indices at random into parts of equal size, give or take one.

    Returns ascending indices by part; ValueError when there are too few samples.
    """
    _check_count(count, parts)
    order = _generator(seed).permutation(count)
    return [np.sort(part) for part in np.array_split(order, parts)]


def by_label(labels: LabelVector, parts: int, held: int, seed: int) -> list[IndexVector]:
    """Split sample indices into parts that hold ``held`` labels each.

    Every part takes the labels with the fewest holders so far, ties at random, so that holders
    per label differ by one at most; a label's samples are dealt equally among its holders.
    Source: quantity-based label imbalance of Li, Diao, Chen, He, ICDE 2022 (arXiv:2102.02079),
    there with labels at random, which may leave some to nobody. Returns ascending indices by part;
    ValueError when a label would have no holder, or a part fewer than MINIMUM_PART samples.
    """
    _check_count(len(labels), parts)
    present = np.unique(labels)
    if not 1 <= held <= len(present) <= held * parts:
        raise ValueError(
            f"{parts} parts of {held} labels cannot share out {len(present)} labels: a part holds "
            f"from 1 to {len(present)}, and each label needs a holder"
        )
    generator = _generator(seed)
    chosen = np.zeros((parts, len(present)), dtype=bool)
    for part in generator.permutation(parts):
        fewest = np.lexsort((generator.random(len(present)), chosen.sum(axis=0)))
        chosen[part, fewest[:held]] = True
    owners = np.empty(len(labels), dtype=np.int64)
    for label, holders in zip(present, chosen.T, strict=True):
        members = generator.permutation(np.flatnonzero(labels == label))
        owners[members] = np.resize(generator.permutation(np.flatnonzero(holders)), len(members))
    smallest = int(np.bincount(owners, minlength=parts).min())
    if smallest < MINIMUM_PART:
        raise ValueError(
            f"a part of {smallest} samples is below {MINIMUM_PART}: fewer parts or more labels "
            "for each are needed"
        )
    return _by_owner(owners, parts)


def mislabel(held: list[LabelVector], share: float, seed: int) -> list[LabelVector]:
    """Labels of parts whose quality falls from the first, which is left as it is, to the last.

    In part i of n a label is wrong with probability share · i/(n − 1): it is replaced by one of the
    others in the set, each as likely (symmetric noise). One part alone is left as it is.
    """
    generator = _generator([seed, _NOISE])
    present = np.unique(np.concatenate(held))
    return [
        _replace(labels, present, chance, generator)
        for labels, chance in zip(held, np.linspace(0, share, len(held)), strict=True)
    ]


def _replace(
    labels: LabelVector, present: LabelVector, chance: float, generator: np.random.Generator
) -> LabelVector:
    others = max(1, len(present) - 1)
    shifts = generator.integers(1, others, len(labels), endpoint=True)
    places = (np.searchsorted(present, labels) + shifts) % len(present)
    return np.where(generator.random(len(labels)) < chance, present[places], labels)


def dirichlet(
    labels: npt.NDArray[np.integer[Any]], parts: int, alpha: float, seed: int
) -> list[IndexVector]:
    """Split sample indices into disjoint, complete, non-IID parts.

    Each class is spread over the parts in proportions drawn from Dirichlet(alpha, …, alpha): the
    smaller alpha, the more the parts differ. A part below MINIMUM_PART then takes samples from the
    largest. Source: Yurochkin et al., ICML 2019 (arXiv:1905.12022). Returns ascending indices by
    part; ValueError when there are too few samples.
    """
    if alpha <= 0:
        raise ValueError("a Dirichlet partition needs an alpha above 0")
    _check_count(len(labels), parts)
    generator = _generator(seed)
    owners = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        ends = np.cumsum(generator.dirichlet([alpha] * parts)) * len(members)
        owners[members] = np.searchsorted(ends, np.arange(len(members)) + 0.5).clip(0, parts - 1)
    _fill(owners, parts, generator)
    return _by_owner(owners, parts)


def _check_count(count: int, parts: int) -> None:
    if parts < 1:
        raise ValueError("a partition needs at least one part")
    if count < parts * MINIMUM_PART:
        raise ValueError(
            f"{count} samples are too few for {parts} parts of at least {MINIMUM_PART}"
        )


def _generator(seed: int | list[int]) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def _by_owner(owners: IndexVector, parts: int) -> list[IndexVector]:
    return [np.flatnonzero(owners == part) for part in range(parts)]


def _fill(owners: IndexVector, parts: int, generator: np.random.Generator) -> None:
    """Move random samples of the largest part to parts below the minimum, in place."""
    sizes = np.bincount(owners, minlength=parts)
    while sizes.min() < MINIMUM_PART:
        smallest, largest = int(sizes.argmin()), int(sizes.argmax())
        count = min(MINIMUM_PART - sizes[smallest], sizes[largest] - MINIMUM_PART)
        moved = generator.choice(np.flatnonzero(owners == largest), count, replace=False)
        owners[moved] = smallest
        sizes = np.bincount(owners, minlength=parts)
