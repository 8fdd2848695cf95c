"""Splitting a data set among sellers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

IndexVector = npt.NDArray[np.int64]

MINIMUM_PART = 16
"""Fewest samples of a part: a seller with less has no batch to train on."""


def dirichlet(
    labels: npt.NDArray[np.integer[Any]], parts: int, alpha: float, seed: int
) -> list[IndexVector]:
    """Split sample indices into disjoint, complete, non-IID parts.

    Each class is spread over the parts in proportions drawn from Dirichlet(alpha, …, alpha): the
    smaller alpha, the more the parts differ. A part below MINIMUM_PART then takes samples from the
    largest. Returns ascending indices by part; ValueError when there are too few samples.
    """
    if parts < 1 or alpha <= 0:
        raise ValueError("a partition needs at least one part and an alpha above 0")
    if len(labels) < parts * MINIMUM_PART:
        raise ValueError(
            f"{len(labels)} samples are too few for {parts} parts of at least {MINIMUM_PART}"
        )
    generator = np.random.Generator(np.random.PCG64(seed))
    owners = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        ends = np.cumsum(generator.dirichlet([alpha] * parts)) * len(members)
        owners[members] = np.searchsorted(ends, np.arange(len(members)) + 0.5).clip(0, parts - 1)
    _fill(owners, parts, generator)
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
