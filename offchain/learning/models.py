"""Models as named, hashed specifications: never code from the network.

A specification fixes the parameter layout, the initial weights and the exact forward pass
(``inference.py``), so a model is its specification and one int32 vector on the grid.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from eth_utils.crypto import keccak

from offchain.learning.canonical import (
    SpecError,
    encode_json,
    take_choice,
    take_integer,
    take_integers,
    take_keys,
)
from offchain.learning.grid import (
    DIMENSION_LIMIT,
    EXACT_LIMIT,
    GRID_ONE,
    WEIGHT_LIMIT,
    IntVector,
)

ARCHITECTURES = ("convolution", "perceptron", "logistic")
INPUT_BITS = 8
"""Inputs are uint8 and mean u/256: 8 bits, all of them fraction bits."""
ACTIVATION_BITS = 18
"""Default width of a requantised activation: with 10 fraction bits it is clamped below 256."""
ACTIVATION_FRACTION_BITS = 10
SIZE_LIMIT = 1 << 16
"""Largest side of an input, number of classes, channels or hidden units."""

_INIT_DOMAIN = b"D2M initial weights v1"


class ExactnessError(ValueError):
    """The specified sums could reach 2**53, where float64 is no longer exact."""


@dataclass(frozen=True)
class Layer:
    """One affine layer: tensor names ``{name}.weight`` and ``{name}.bias``."""

    name: str
    weight_shape: tuple[int, ...]
    """(out, in, k, k) for a convolution, (out, in) for a dense layer."""

    @property
    def convolution(self) -> bool:
        """Whether the layer is a convolution."""
        return len(self.weight_shape) == 4

    @property
    def outputs(self) -> int:
        """Channels or units that come out."""
        return self.weight_shape[0]

    @property
    def fan_in(self) -> int:
        """Products in one sum."""
        return math.prod(self.weight_shape[1:])


@dataclass(frozen=True)
class ModelSpec:
    """A model's specification.

    - ``convolution``: the paper's network: one k×k convolution (stride 1, zero padding that keeps
      the size), ReLU, 2×2 max-pool, one dense layer. ``input_shape`` is (channels, height, width).
    - ``perceptron``: dense layers of the ``hidden`` sizes with ReLU, then one dense layer.
    - ``logistic``: one dense layer.

    Raises SpecError when malformed and ExactnessError when the forward pass could be inexact.
    """

    architecture: str
    input_shape: tuple[int, ...]
    classes: int
    channels: int = 0
    kernel: int = 0
    hidden: tuple[int, ...] = ()
    activation_bits: int = ACTIVATION_BITS
    activation_fraction_bits: int = ACTIVATION_FRACTION_BITS

    def __post_init__(self) -> None:
        take_choice(self.architecture, "architecture", ARCHITECTURES)
        take_integers(self.input_shape, "input_shape", 1, SIZE_LIMIT)
        take_integers(self.hidden, "hidden", 1, SIZE_LIMIT)
        take_integer(self.classes, "classes", 2, SIZE_LIMIT)
        take_integer(self.activation_bits, "activation_bits", 1, 32)
        take_integer(
            self.activation_fraction_bits, "activation_fraction_bits", 0, self.activation_bits
        )
        self._check_architecture()
        if self.dimension > DIMENSION_LIMIT:
            raise SpecError(f"{self.dimension} parameters; at most {DIMENSION_LIMIT}")
        self._check_exact()

    def _check_architecture(self) -> None:
        if not self.input_shape:
            raise SpecError("input_shape: expected at least one size")
        if (self.architecture == "perceptron") != bool(self.hidden):
            raise SpecError("hidden: a perceptron has one size or more, other models none")
        if self.architecture != "convolution":
            take_integer(self.channels, f"channels of a {self.architecture} model", 0, 0)
            take_integer(self.kernel, f"kernel of a {self.architecture} model", 0, 0)
            return
        take_integer(self.channels, "channels", 1, SIZE_LIMIT)
        take_integer(self.kernel, "kernel", 1, 31)
        if self.kernel % 2 == 0:
            raise SpecError("kernel: expected an odd size")
        if len(self.input_shape) != 3 or min(self.input_shape[1:]) < 2:
            raise SpecError("input_shape: a convolution takes (channels, height ≥ 2, width ≥ 2)")

    def _check_exact(self) -> None:
        """Bound every partial sum of a layer by its largest inputs, weights and bias."""
        bits, fraction = INPUT_BITS, INPUT_BITS
        for layer in self.layers:
            largest = WEIGHT_LIMIT * (layer.fan_in * ((1 << bits) - 1) + (1 << fraction))
            if largest >= EXACT_LIMIT:
                raise ExactnessError(
                    f"{layer.name}: {layer.fan_in} products of {bits}-bit inputs reach "
                    f"2**{largest.bit_length() - 1}; fewer inputs or activation bits are needed "
                    "to stay below 2**53"
                )
            bits, fraction = self.activation_bits, self.activation_fraction_bits

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The affine layers in order."""
        inputs = math.prod(self.input_shape)
        if self.architecture == "convolution":
            depth, height, width = self.input_shape
            pooled = self.channels * (height // 2) * (width // 2)
            return (
                Layer("convolution", (self.channels, depth, self.kernel, self.kernel)),
                Layer("dense", (self.classes, pooled)),
            )
        sizes = (inputs, *self.hidden)
        hidden = tuple(
            Layer(f"hidden{i}", (sizes[i + 1], sizes[i])) for i in range(len(self.hidden))
        )
        return (*hidden, Layer("dense", (self.classes, sizes[-1])))

    @cached_property
    def parameters(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """(name, shape) of every tensor, in the order in which the flat vector holds them."""
        return tuple(
            item
            for layer in self.layers
            for item in (
                (f"{layer.name}.weight", layer.weight_shape),
                (f"{layer.name}.bias", (layer.outputs,)),
            )
        )

    @property
    def dimension(self) -> int:
        """d, the length of the flat vector."""
        return sum(math.prod(shape) for _, shape in self.parameters)

    def to_json(self) -> dict[str, Any]:
        """The specification as a JSON object of integers, strings and lists."""
        return {
            "architecture": self.architecture,
            "input_shape": list(self.input_shape),
            "classes": self.classes,
            "channels": self.channels,
            "kernel": self.kernel,
            "hidden": list(self.hidden),
            "activation_bits": self.activation_bits,
            "activation_fraction_bits": self.activation_fraction_bits,
        }

    @classmethod
    def from_json(cls, value: Any) -> ModelSpec:
        """Strict inverse of ``to_json``. Raises SpecError or ExactnessError."""
        items = take_keys(value, set(cls.__dataclass_fields__), "model")
        return cls(
            **{
                **items,
                "input_shape": take_integers(items["input_shape"], "input_shape", 1, SIZE_LIMIT),
                "hidden": take_integers(items["hidden"], "hidden", 1, SIZE_LIMIT),
            }
        )

    @property
    def hash(self) -> bytes:
        """keccak256 of the canonical JSON, 32 bytes."""
        return keccak(encode_json(self.to_json()))


def check_weights(spec: ModelSpec, weights: IntVector) -> None:
    """Raise ValueError unless ``weights`` is an int32 vector (d,) inside ±WEIGHT_LIMIT."""
    if weights.dtype != np.int32 or weights.shape != (spec.dimension,):
        raise ValueError(
            f"expected int32 weights of shape ({spec.dimension},), "
            f"got {weights.dtype} {weights.shape}"
        )
    if int(weights.max()) > WEIGHT_LIMIT or int(weights.min()) < -WEIGHT_LIMIT:
        raise ValueError(f"a weight exceeds the limit of {WEIGHT_LIMIT} grid units")


def to_tensors(spec: ModelSpec, vector: IntVector) -> dict[str, IntVector]:
    """Named tensors (views) of a flat vector (d,)."""
    tensors, offset = {}, 0
    for name, shape in spec.parameters:
        size = math.prod(shape)
        tensors[name] = vector[offset : offset + size].reshape(shape)
        offset += size
    return tensors


def to_vector(spec: ModelSpec, tensors: Mapping[str, IntVector]) -> IntVector:
    """Flat vector (d,) of named tensors; inverse of ``to_tensors``."""
    return np.concatenate([tensors[name].reshape(-1) for name, _ in spec.parameters])


def initial_weights(spec: ModelSpec, seed: bytes) -> IntVector:
    """Deterministic start from a 32-byte seed: each entry uniform on ±floor(2**16/sqrt(fan_in)).

    Integer arithmetic on a SHAKE-256 stream only, so no library's generator is part of the digest.
    """
    if len(seed) != 32:
        raise ValueError(f"the initial seed has 32 bytes, got {len(seed)}")
    stream = hashlib.shake_256(_INIT_DOMAIN + spec.hash + seed).digest(4 * spec.dimension)
    words = np.frombuffer(stream, dtype="<u4").astype(np.uint64)
    parts, offset = [], 0
    for layer in spec.layers:
        size = math.prod(layer.weight_shape) + layer.outputs
        limit = math.isqrt(GRID_ONE * GRID_ONE // layer.fan_in)
        scaled = (words[offset : offset + size] * np.uint64(2 * limit + 1)) >> np.uint64(32)
        parts.append(scaled.astype(np.int64) - limit)
        offset += size
    weights: IntVector = np.concatenate(parts).astype(np.int32)
    return weights
