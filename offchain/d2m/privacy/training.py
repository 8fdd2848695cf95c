"""Local training with differential privacy: per example (DP-SGD), or of the whole update."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from d2m.learning.grid import GRID_ONE, UPDATE_LIMIT, ByteArray, FloatVector, IntVector
from d2m.learning.network.exact import Predictions
from d2m.learning.network.model import ModelSpec
from d2m.learning.spec import TrainingSpec
from d2m.learning.training.local import (
    augmented,
    check_training,
    loaded,
    losses,
    network_inputs,
    optimiser_of,
    update_of,
)
from d2m.privacy.gaussian import (
    Entropy,
    LongVector,
    clipped,
    poisson_batch,
    random_words,
    rounded_normal,
)
from d2m.privacy.terms import PrivacyTerms, steps

UNITS = 1 << 24
"""Grid steps of the clipping norm: a clipped gradient loses no more to them than float32 does."""
_CHUNK_VALUES = 1 << 22
"""Entries of per-example gradients held at once: 84 MB in all their forms."""


def train_per_example(
    spec: ModelSpec,
    weights: IntVector,
    inputs: ByteArray,
    labels: Predictions,
    hyper: TrainingSpec,
    round_number: int,
    terms: PrivacyTerms,
    entropy: Entropy,
) -> IntVector:
    """The update int32 (d,) of DP-SGD: ``learning.training.train`` with clipped, noised gradients.

    ``steps`` batches; each record is in a batch with probability batch_size/n, independently. Its
    gradient is clipped to the L2 norm C; the sum gets noise of deviation C·noise and is divided by
    the expected size of a batch. The optimiser then sees nothing else of the data, so scores are
    not adjusted to the labels' shares. Source: Abadi et al. (CCS 2016). Raises ValueError on data
    that does not fit.
    """
    check_training(spec, weights, inputs, labels)
    values, targets = network_inputs(spec, inputs), torch.from_numpy(labels.astype(np.int64))
    model = loaded(spec, weights)
    optimiser = optimiser_of(model.parameters(), hyper, round_number)
    seed = int(random_words(1, entropy)[0] >> np.uint64(1))
    random = torch.Generator().manual_seed(seed)  # of mirrored and shifted images only
    size = min(hyper.batch_size, len(targets))
    for _ in range(steps(len(targets), hyper)):
        batch = torch.from_numpy(poisson_batch(len(targets), size, entropy))
        images = augmented(values[batch], hyper.augmentation, random)
        total = _clipped_sum(model, images, targets[batch], hyper, terms.clip)
        total += rounded_normal(spec.dimension, terms.noise * UNITS, entropy)
        _set_gradient(model, total * (terms.clip / UNITS / size))
        optimiser.step()
    return update_of([p.detach() for p in model.parameters()], weights)


def privatised(update: IntVector, terms: PrivacyTerms, entropy: Entropy) -> IntVector:
    """An update int32 (d,) clipped to the L2 norm C, with noise of deviation C·noise.

    The values are on the grid before and after, clipped to ±UPDATE_LIMIT.
    """
    limit = terms.clip * GRID_ONE
    noise = rounded_normal(len(update), terms.noise * limit, entropy)
    noisy = clipped(update[None].astype(np.float64), limit)[0] + noise
    kept: IntVector = np.clip(noisy, -UPDATE_LIMIT, UPDATE_LIMIT).astype(np.int32)
    return kept


def _clipped_sum(
    model: nn.Module, images: Tensor, labels: Tensor, hyper: TrainingSpec, clip: float
) -> LongVector:
    """Sum int64 (d,) of the clipped gradients of n examples, in UNITS of the clipping norm."""
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    dimension = sum(p.numel() for p in parameters.values())

    def loss(values: dict[str, Tensor], image: Tensor, label: Tensor) -> Tensor:
        scores = functional_call(model, values, (image[None],))
        return losses(scores, label[None], hyper).sum()

    gradients = vmap(grad(loss), in_dims=(None, 0, 0))
    total = np.zeros(dimension, dtype=np.int64)
    chunk = max(1, _CHUNK_VALUES // dimension)
    for some, their in zip(torch.split(images, chunk), torch.split(labels, chunk), strict=True):
        if not len(some):
            continue  # an empty batch is a step of noise alone
        tensors = gradients(parameters, some, their).values()
        rows = torch.cat([tensor.flatten(1) for tensor in tensors], dim=1).numpy()
        total += clipped(rows.astype(np.float64) * (UNITS / clip), UNITS).sum(axis=0)
    return total


def _set_gradient(model: nn.Module, gradient: FloatVector) -> None:
    offset = 0
    flat = torch.from_numpy(gradient.astype(np.float32))
    for parameter in model.parameters():
        size = parameter.numel()
        parameter.grad = flat[offset : offset + size].view_as(parameter)
        offset += size
