"""The exact forward pass: the same predictions on any machine.

Everything is an integer held in float64. Inputs are uint8, meaning (u − centre)/256, weights are
grid integers, biases are aligned to the scale of the products, and after each layer but the last
the sums are floored to the activation grid and clamped to ±its largest value (a ReLU: to 0 below).
A mean over a window is floored likewise. ``ModelSpec`` guarantees that no sum
reaches 2**53, so the order of summation, the thread count, fused multiply-add and the BLAS in use
cannot change a bit. The convolution is an explicit gather and matrix product, because a library's
own convolution may choose a transform (Winograd, FFT) whose intermediate values are not integers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from d2m.learning.grid import GRID_BITS, ByteArray, IntVector
from d2m.learning.network.model import (
    INPUT_FRACTION_BITS,
    Block,
    ModelSpec,
    check_weights,
    to_tensors,
)
from d2m.learning.network.operators import Step

_Tensors = tuple[Tensor, Tensor]
"""Weights (out, products) and bias (out,) of a layer."""
Predictions = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

BATCH_BYTES = 2 << 20
"""Bound on the largest intermediate array of one internal batch: with 2 MiB the arrays of a batch
stay in a core's cache, and images of 32×32 are predicted a third faster than with 8 MiB."""
GPU_BATCH_BYTES = 512 << 20
"""The same on a GPU, whose cores are only busy with much at once."""
DENSE_BATCHES = 4
"""So many batches go through a dense layer together, whose weights no cache holds: a hidden layer
of 128 on 28×28 images is then predicted a quarter faster. With more, what waits fills the cache."""
CPU = torch.device("cpu")


def predict(
    spec: ModelSpec, weights: IntVector, inputs: ByteArray, device: torch.device = CPU
) -> Predictions:
    """Predicted class of every sample; ties go to the lowest class.

    ``weights`` int32 (d,), ``inputs`` uint8 (n, *input_shape). Returns (n,) uint8, or little-endian
    uint16 with more than 256 classes. Raises ValueError on a wrong type or shape.
    """
    check_weights(spec, weights)
    check_inputs(spec, inputs)
    layers = [(w.to(device), b.to(device)) for w, b in _layer_tensors(spec, weights)]
    found = [np.empty(0, dtype=np.int64)]
    bound = BATCH_BYTES if device == CPU else GPU_BATCH_BYTES
    batch = max(1, bound // (8 * spec.largest_array))
    step = DENSE_BATCHES * batch
    with torch.inference_mode():
        for start in range(0, len(inputs), step):
            part = inputs[start : start + step]
            chunk = torch.tensor(part, dtype=torch.float64, device=device)
            chunk -= spec.input_centre
            # numpy's argmax returns the first maximum; torch's promises none in particular.
            found.append(_logits(spec, layers, chunk, batch).cpu().numpy().argmax(axis=1))
    return as_classes(np.concatenate(found), spec)


def check_inputs(spec: ModelSpec, inputs: npt.NDArray[np.generic]) -> None:
    """Raise ValueError unless ``inputs`` is uint8 of shape (n, *input_shape)."""
    if inputs.dtype != np.uint8 or inputs.shape[1:] != spec.input_shape:
        raise ValueError(
            f"expected uint8 inputs of shape (n, {', '.join(map(str, spec.input_shape))}), "
            f"got {inputs.dtype} {inputs.shape}"
        )


def prediction_type(spec: ModelSpec) -> np.dtype[Any]:
    """The type that holds a class in predictions and labels: uint8, or uint16 above 256 classes."""
    return np.dtype("u1" if spec.classes <= 256 else "<u2")


def as_classes(values: npt.NDArray[np.integer[Any]], spec: ModelSpec) -> Predictions:
    """Class numbers in the model's prediction type."""
    classes: Predictions = values.astype(prediction_type(spec))
    return classes


def _layer_tensors(spec: ModelSpec, weights: IntVector) -> list[_Tensors]:
    """Weights (out, products) and bias (out,) of each layer."""
    named = {
        name: torch.from_numpy(tensor.astype(np.float64))
        for name, tensor in to_tensors(spec, weights).items()
    }
    return [
        (named[f"{layer.name}.weight"].flatten(1), named[f"{layer.name}.bias"])
        for layer in spec.layers
    ]


def _logits(spec: ModelSpec, layers: Sequence[_Tensors], values: Tensor, batch: int) -> Tensor:
    """Scores (n, classes); convolutions take ``batch`` samples at a time, dense layers all."""
    fraction = INPUT_FRACTION_BITS
    for block, tensors in zip(spec.blocks[:-1], layers[:-1], strict=True):
        dense = block[0].operator.kind == "dense"
        parts = torch.split(values, len(values) if dense else batch)
        values = torch.cat([_activations(spec, block, tensors, part, fraction) for part in parts])
        fraction = spec.activation_fraction_bits
    weight, bias = layers[-1]
    return values.flatten(1) @ weight.T + bias * 2.0**fraction


def _activations(
    spec: ModelSpec, block: Block, tensors: _Tensors, values: Tensor, fraction: int
) -> Tensor:
    """Apply a layer and the steps after it to activations with so many fraction bits."""
    (layer, after), (weight, bias) = block, tensors
    sums = _sums(layer, weight, values)
    # Max-pools and ReLUs come first: both commute with adding a bias and with requantising,
    # which never decreases, and a pool leaves fewer values to requantise.
    early = list(takewhile(lambda step: step.operator.kind != "average_pool", after))
    for step in early:
        if step.operator.kind == "max_pool":
            sums = _over_windows(step, sums, torch.maximum)
    sums += (bias * 2.0**fraction).view(-1, *[1] * (sums.dim() - 2))
    rectified = any(step.operator.kind == "relu" for step in early)
    values = _requantise(spec, sums, fraction + GRID_BITS, rectified)
    for step in after[len(early) :]:
        values = _apply(step, values)
    return values


def _sums(layer: Step, weight: Tensor, values: Tensor) -> Tensor:
    """Sums (n, out) of a dense layer or (n, out, height, width) of a convolution, without bias."""
    if layer.operator.kind == "dense":
        return values.flatten(1) @ weight.T
    side, stride, padding = layer.operator.side, layer.operator.stride, layer.operator.padding
    windows = torch.nn.functional.pad(values, (padding,) * 4)
    windows = windows.unfold(2, side, stride).unfold(3, side, stride).permute(0, 1, 4, 5, 2, 3)
    patches = windows.reshape(len(values), layer.fan_in, -1)
    return (weight @ patches).view(len(values), *layer.result)


def _apply(step: Step, values: Tensor) -> Tensor:
    """A step without weights, on activations; a dense layer flattens what it takes."""
    kind = step.operator.kind
    if kind == "relu":
        return values.clamp(min=0)
    if kind == "max_pool":
        return _over_windows(step, values, torch.maximum)
    if kind == "average_pool":
        # The rounded quotient of integers below 2**53 never reaches the next integer.
        return torch.floor(_over_windows(step, values, torch.add) / step.operator.side**2)
    return values


def _over_windows(step: Step, values: Tensor, combine: Callable[..., Tensor]) -> Tensor:
    """All values of each window combined; rows and columns that fill none are left out."""
    side, stride = step.operator.side, step.operator.stride
    height, width = (stride * (size - 1) + 1 for size in step.result[1:])
    rows = _combined([values[:, :, i : i + height : stride] for i in range(side)], combine)
    return _combined([rows[..., i : i + width : stride] for i in range(side)], combine)


def _combined(parts: list[Tensor], combine: Callable[..., Tensor]) -> Tensor:
    """All parts as one; in place from the second on, so that the total stays in the cache."""
    total, *others = parts
    for number, part in enumerate(others):
        total = combine(total, part, out=total if number else None)
    return total


def _requantise(spec: ModelSpec, sums: Tensor, fraction: int, rectified: bool) -> Tensor:
    """Floor to the activation grid, clamp. A product with a power of two is exact."""
    scaled = torch.floor(sums * 2.0 ** (spec.activation_fraction_bits - fraction))
    top = (1 << spec.activation_bits) - 1
    return scaled.clamp_(0 if rectified else -top, top)
