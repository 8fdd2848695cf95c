"""The exact forward pass: the same predictions on any machine.

Everything is an integer held in float64. Inputs are uint8, meaning (u − centre)/256, weights are
grid integers, biases are aligned to the scale of the products, and after each layer but the last
the sums are floored to the activation grid and clamped. ``ModelSpec`` guarantees that no sum
reaches 2**53, so the order of summation, the thread count, fused multiply-add and the BLAS in use
cannot change a bit. The convolution is an explicit gather and matrix product, because a library's
own convolution may choose a transform (Winograd, FFT) whose intermediate values are not integers.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from offchain.learning.grid import GRID_BITS, ByteArray, IntVector
from offchain.learning.models import (
    INPUT_FRACTION_BITS,
    Layer,
    ModelSpec,
    check_weights,
    to_tensors,
)

Predictions = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

BATCH_BYTES = 2 << 20
"""Bound on the largest intermediate array of one internal batch: with 2 MiB the arrays of a batch
stay in a core's cache, and images of 32×32 are predicted a third faster than with 8 MiB."""


def predict(spec: ModelSpec, weights: IntVector, inputs: ByteArray) -> Predictions:
    """Predicted class of every sample; ties go to the lowest class.

    ``weights`` int32 (d,), ``inputs`` uint8 (n, *input_shape). Returns (n,) uint8, or little-endian
    uint16 with more than 256 classes. Raises ValueError on a wrong type or shape.
    """
    check_weights(spec, weights)
    check_inputs(spec, inputs)
    layers = _layer_tensors(spec, weights)
    found = [np.empty(0, dtype=np.int64)]
    batch = max(1, BATCH_BYTES // _sample_bytes(spec))
    with torch.inference_mode():
        for start in range(0, len(inputs), batch):
            chunk = torch.from_numpy(inputs[start : start + batch].astype(np.float64))
            chunk -= spec.input_centre
            # numpy's argmax returns the first maximum; torch's promises none in particular.
            found.append(_logits(spec, layers, chunk).numpy().argmax(axis=1))
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


def _layer_tensors(spec: ModelSpec, weights: IntVector) -> list[tuple[Layer, Tensor, Tensor]]:
    named = {
        name: torch.from_numpy(tensor.astype(np.float64))
        for name, tensor in to_tensors(spec, weights).items()
    }
    return [
        (layer, named[f"{layer.name}.weight"].flatten(1), named[f"{layer.name}.bias"])
        for layer in spec.layers
    ]


def _sample_bytes(spec: ModelSpec) -> int:
    sizes = [math.prod(spec.input_shape)] + [layer.outputs for layer in spec.layers]
    if spec.architecture == "convolution":
        area = math.prod(spec.input_shape[1:])
        sizes.append(area * max(spec.layers[0].fan_in, spec.channels))
    return 8 * max(sizes)


def _logits(spec: ModelSpec, layers: list[tuple[Layer, Tensor, Tensor]], values: Tensor) -> Tensor:
    fraction = INPUT_FRACTION_BITS
    for layer, weight, bias in layers[:-1]:
        if layer.convolution:
            # Pooled first, which leaves fewer values: max commutes with adding a bias and with
            # requantising, which never decreases.
            sums = _pool(_convolve(spec, weight, values), spec.pool).flatten(2)
        else:
            sums = (values.flatten(1) @ weight.T)[:, :, None]
        sums += (bias * 2.0**fraction)[:, None]
        values = _requantise(spec, sums, fraction + GRID_BITS)
        fraction = spec.activation_fraction_bits
    _, weight, bias = layers[-1]
    return values.flatten(1) @ weight.T + bias * 2.0**fraction


def _convolve(spec: ModelSpec, weight: Tensor, images: Tensor) -> Tensor:
    """Sums (n, out, height, width) of zero-padded images, without bias."""
    side, pad = spec.kernel, spec.kernel // 2
    windows = torch.nn.functional.pad(images, (pad, pad, pad, pad))
    windows = windows.unfold(2, side, 1).unfold(3, side, 1).permute(0, 1, 4, 5, 2, 3)
    count, height, width = len(images), *spec.input_shape[1:]
    patches = windows.reshape(count, weight.shape[1], height * width)
    return (weight @ patches).view(count, len(weight), height, width)


def _pool(values: Tensor, side: int) -> Tensor:
    """Largest of each side×side square; rows and columns that do not fill one are left out."""
    height, width = (size // side * side for size in values.shape[2:])
    rows = _largest([values[:, :, i:height:side] for i in range(side)])
    return _largest([rows[..., i:width:side] for i in range(side)])


def _largest(parts: list[Tensor]) -> Tensor:
    return functools.reduce(torch.maximum, parts)


def _requantise(spec: ModelSpec, sums: Tensor, fraction: int) -> Tensor:
    """ReLU, floor to the activation grid, clamp. A product with a power of two is exact."""
    scaled = torch.floor(sums * 2.0 ** (spec.activation_fraction_bits - fraction))
    return scaled.clamp_(0, (1 << spec.activation_bits) - 1)
