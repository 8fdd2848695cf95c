"""The data of a cell: who holds what, how it is measured."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from d2m.data.datasets import load
from d2m.data.partition import Partition
from d2m.learning.updates import EvaluationSet
from d2m.parties.seller.seller import Samples
from d2m.protocol.constants import BPS
from experiments.paper.cells import Cell


@dataclass(frozen=True, eq=False)
class World:
    """Everything that exists before the first round."""

    samples: tuple[Samples, ...]
    """By seller."""
    byzantine: frozenset[int]
    """Indices of the sellers that lie."""
    evaluation: EvaluationSet
    """The buyer's, which the rounds see."""
    test: EvaluationSet
    """The published test set, which no round sees; empty where there is none."""
    note: str
    """Remark beside figures made with this copy of the data; mostly empty."""


def world(cell: Cell) -> World:
    """The world of a cell. Cells that differ in method or votes share it."""
    return _world(
        cell.dataset, cell.partition, cell.sellers, cell.byzantine_sellers, cell.integer("data")
    )


@lru_cache(maxsize=1)
def _world(dataset: str, plan: str, sellers: int, byzantine_bps: int, seed: int) -> World:
    data = load(dataset)
    parts = Partition.parse(plan).split(data.train_labels, sellers, seed)
    random = np.random.Generator(np.random.PCG64(seed))
    liars = random.permutation(sellers)[: sellers * byzantine_bps // BPS]
    return World(
        samples=tuple(Samples(data.train_inputs[p.indices], p.labels) for p in parts),
        byzantine=frozenset(liars.tolist()),
        evaluation=EvaluationSet(data.evaluation_inputs, data.evaluation_labels),
        test=EvaluationSet(data.test_inputs, data.test_labels),
        note=data.note,
    )
