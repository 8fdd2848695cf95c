"""A seller's local training in float32: deterministic on one machine, given a seed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from d2m.learning.grid import UPDATE_LIMIT, ByteArray, IntVector, from_grid, to_grid
from d2m.learning.network.exact import Predictions, check_inputs
from d2m.learning.network.model import INPUT_FRACTION_BITS, ModelSpec, check_weights, to_tensors
from d2m.learning.network.operators import Step
from d2m.learning.spec import BASIS_POINTS, TrainingSpec

SHIFT = 1
"""Pixels by which augmentation moves an image at most, its border repeated."""


def network(spec: ModelSpec) -> nn.Module:
    """The float32 network of a specification; its inputs are those of ``network_inputs``.

    Parameter names and order are those of ``spec.parameters``.
    """
    return nn.Sequential(OrderedDict((step.name, _module(step)) for step in spec.steps))


def _module(step: Step) -> nn.Module:
    operator = step.operator
    side, stride = operator.side, operator.stride
    if operator.kind == "convolution":
        return nn.Conv2d(step.shape[0], step.outputs, side, stride, operator.padding)
    if operator.kind == "dense":
        return nn.Linear(step.fan_in, step.outputs)
    if operator.kind == "max_pool":
        return nn.MaxPool2d(side, stride)
    if operator.kind == "average_pool":
        return nn.AvgPool2d(side, stride)
    return nn.ReLU() if operator.kind == "relu" else nn.Flatten()


def network_inputs(spec: ModelSpec, inputs: ByteArray) -> Tensor:
    """Convert uint8 inputs for the network: (u − input_centre)/256 in float32, exact."""
    centred = inputs.astype(np.float32) - spec.input_centre
    return torch.from_numpy(centred / (1 << INPUT_FRACTION_BITS))


def train(
    spec: ModelSpec,
    weights: IntVector,
    inputs: ByteArray,
    labels: Predictions,
    hyper: TrainingSpec,
    seed: int,
    round_number: int = 1,
) -> IntVector:
    """Train from ``weights`` on one seller's data and return the update int32 (d,).

    ``inputs`` uint8 (n, *input_shape), ``labels`` (n,) below ``spec.classes``; ``seed`` orders the
    batches, ``round_number`` (from 1) sets the step. The update is clipped to ±UPDATE_LIMIT. The
    thread count is the caller's. Raises ValueError on data that does not fit, or when training
    diverges to values that are not finite.
    """
    check_training(spec, weights, inputs, labels)
    model = loaded(spec, weights)
    optimiser = optimiser_of(model.parameters(), hyper, round_number)
    added = adjustment(labels, spec.classes, hyper)
    for images, targets in batches(spec, inputs, labels, hyper, seed):
        optimiser.zero_grad(set_to_none=True)
        scores = model(channels_last(images)) + added
        torch.autograd.backward(losses(scores, targets, hyper).mean())
        optimiser.step()
    return update_of([p.detach() for p in model.parameters()], weights)


def check_training(
    spec: ModelSpec, weights: IntVector, inputs: ByteArray, labels: Predictions
) -> None:
    """Raises ValueError where weights or data do not fit the model, or there are no data."""
    check_weights(spec, weights)
    check_inputs(spec, inputs)
    if labels.shape != (len(inputs),) or not len(labels) or int(labels.max()) >= spec.classes:
        raise ValueError(f"expected a label below {spec.classes} for each of {len(inputs)} inputs")


def loaded(spec: ModelSpec, weights: IntVector) -> nn.Module:
    """The network with weights from the grid: at most 19 significant bits, exact in float32."""
    model = network(spec)
    tensors = to_tensors(spec, weights)
    model.load_state_dict(
        {
            name: torch.from_numpy(from_grid(tensor).astype(np.float32))
            for name, tensor in tensors.items()
        }
    )
    return model


def batches(
    spec: ModelSpec, inputs: ByteArray, labels: Predictions, hyper: TrainingSpec, seed: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of a seller's training in order, as its augmentation shows them."""
    values, targets = network_inputs(spec, inputs), torch.from_numpy(labels.astype(np.int64))
    random = torch.Generator().manual_seed(seed)
    for _ in range(hyper.epochs):
        for batch in torch.split(torch.randperm(len(labels), generator=random), hyper.batch_size):
            yield augmented(values[batch], hyper.augmentation, random), targets[batch]


def adjustment(labels: Predictions, classes: int, hyper: TrainingSpec) -> Tensor:
    """Term that training adds to the scores, float32 (classes,): τ·log((n_c + 1)/(n + classes)).

    n_c of the seller's n ``labels`` are of class c; one more of each keeps the logarithm finite.
    """
    counts = np.bincount(labels, minlength=classes) + 1
    tau = hyper.logit_adjustment / BASIS_POINTS
    return torch.from_numpy((tau * np.log(counts / counts.sum())).astype(np.float32))


def losses(outputs: Tensor, targets: Tensor, hyper: TrainingSpec) -> Tensor:
    """Cross-entropy (n,) of scores (n, classes) against labels (n,), smoothed as specified."""
    return nn.functional.cross_entropy(
        outputs,
        targets,
        reduction="none",
        label_smoothing=hyper.label_smoothing / BASIS_POINTS,
    )


def update_of(parameters: Iterable[Tensor], weights: IntVector) -> IntVector:
    """Change by training, on the grid, clipped; ``parameters`` in the network's order."""
    trained = torch.cat([each.flatten() for each in parameters]).numpy()
    return to_grid(trained.astype(np.float64) - from_grid(weights), UPDATE_LIMIT)


def augmented(images: Tensor, augmentation: str, random: torch.Generator) -> Tensor:
    """A batch (n, channels, height, width) as its augmentation shows it."""
    if "flip" in augmentation:
        mirrored = torch.rand(len(images), 1, 1, 1, generator=random) < 0.5
        images = torch.where(mirrored, images.flip(3), images)
    if "shift" not in augmentation:
        return images
    count, channels, height, width = images.shape
    top, left = torch.randint(0, 2 * SHIFT + 1, (2, count, 1), generator=random)
    padded = nn.functional.pad(images, (SHIFT,) * 4, mode="replicate")
    rows, columns = top + torch.arange(height), left + torch.arange(width)
    return padded[
        torch.arange(count).view(-1, 1, 1, 1),
        torch.arange(channels).view(1, -1, 1, 1),
        rows.view(count, 1, height, 1),
        columns.view(count, 1, 1, width),
    ]


def channels_last(values: Tensor) -> Tensor:
    """Images in the layout in which a processor trains them about twice as fast.

    Copied, because ``contiguous`` leaves images of one channel as they are: both layouts fit them.
    """
    if values.dim() != 4:
        return values
    return torch.empty_like(values, memory_format=torch.channels_last).copy_(values)


def optimiser_of(
    parameters: Iterable[nn.Parameter], hyper: TrainingSpec, round_number: int
) -> torch.optim.Optimizer:
    """The specified optimiser with the step of a round (from 1)."""
    rate = hyper.step(round_number)
    if hyper.optimiser == "adam":
        return torch.optim.Adam(parameters, lr=rate, fused=True)
    return torch.optim.SGD(parameters, lr=rate)
