"""Training several sellers at once, where one process plays them all: in experiments.

Their networks are stacked and every step is taken for all together. On small networks most of a
step is overhead, which is then paid once; on large ones a processor is slower for it
(docs/experiments/training.md). Updates are those of ``train`` but for the order in which float32
sums are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from d2m.learning.grid import ByteArray, IntVector
from d2m.learning.network.exact import CPU, Predictions
from d2m.learning.network.model import ModelSpec
from d2m.learning.spec import TrainingSpec
from d2m.learning.training.local import (
    adjustment,
    batches,
    check_training,
    loaded,
    losses,
    optimiser_of,
    train,
    update_of,
)

STACKED_DIMENSION = 5_000
"""Most parameters of a network that a processor trains faster stacked than one after the other."""

Batch = tuple[Tensor, Tensor]


class Work(NamedTuple):
    """One seller's training: ``inputs`` uint8 (n, *input_shape), ``labels`` (n,), batch order."""

    inputs: ByteArray
    labels: Predictions
    seed: int


def train_many(
    spec: ModelSpec,
    weights: IntVector,
    work: Sequence[Work],
    hyper: TrainingSpec,
    round_number: int = 1,
    device: torch.device = CPU,
) -> list[IntVector]:
    """The updates int32 (d,) of several sellers that all start from ``weights``, in their order.

    Stacked on a GPU and for networks up to STACKED_DIMENSION, else one after the other. Raises
    ValueError as ``train`` does.
    """
    if device == CPU and spec.dimension > STACKED_DIMENSION:
        return [train(spec, weights, *each[:2], hyper, each.seed, round_number) for each in work]
    return train_stacked(spec, weights, work, hyper, round_number, device)


def train_stacked(
    spec: ModelSpec,
    weights: IntVector,
    work: Sequence[Work],
    hyper: TrainingSpec,
    round_number: int = 1,
    device: torch.device = CPU,
) -> list[IntVector]:
    """As ``train_many``, always stacked."""
    if not work:
        return []
    for each in work:
        check_training(spec, weights, each.inputs, each.labels)
    model = loaded(spec, weights).to(device)
    stack = {
        name: nn.Parameter(value.detach().expand(len(work), *value.shape).clone())
        for name, value in model.named_parameters()
    }
    optimiser = optimiser_of(stack.values(), hyper, round_number)
    gradients = vmap(grad(_loss_of(model, hyper)))
    added = torch.stack([adjustment(each.labels, spec.classes, hyper) for each in work]).to(device)
    orders = [batches(spec, each.inputs, each.labels, hyper, each.seed) for each in work]
    steps = [_steps(each, hyper) for each in work]
    updates: dict[int, IntVector] = {}
    for number, parts in enumerate(zip_longest(*orders), 1):
        images, labels, shares = _together(parts, spec, hyper.batch_size)
        batch = images.to(device), labels.to(device), shares.to(device)
        found = gradients(stack, added, *batch)
        for name, value in stack.items():
            value.grad = found[name]
        optimiser.step()
        for index in (i for i, last in enumerate(steps) if last == number):
            own = [value.detach()[index].cpu() for value in stack.values()]
            updates[index] = update_of(own, weights)
    return [updates[index] for index in range(len(work))]


def _steps(work: Work, hyper: TrainingSpec) -> int:
    return hyper.epochs * -(-len(work.labels) // hyper.batch_size)


def _loss_of(
    model: nn.Module, hyper: TrainingSpec
) -> Callable[[Mapping[str, Tensor], Tensor, Tensor, Tensor, Tensor], Tensor]:
    def loss(
        parameters: Mapping[str, Tensor],
        added: Tensor,
        images: Tensor,
        labels: Tensor,
        shares: Tensor,
    ) -> Tensor:
        scores: Tensor = functional_call(model, dict(parameters), (images,)) + added
        return (losses(scores, labels, hyper) * shares).sum()

    return loss


def _together(
    parts: Sequence[Batch | None], spec: ModelSpec, size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Batches of several sellers as one, filled up with samples whose share of the loss is 0.

    A seller that has finished has no batch: it goes on with gradients of 0, and nobody looks.
    """
    images = torch.zeros(len(parts), size, *spec.input_shape)
    labels = torch.zeros(len(parts), size, dtype=torch.int64)
    shares = torch.zeros(len(parts), size)
    for index, part in enumerate(parts):
        if part is None:
            continue
        count = len(part[1])
        images[index, :count], labels[index, :count] = part
        shares[index, :count] = 1 / count
    return images, labels, shares
