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

from d2m.learning.canonical import (
    SpecError,
    encode_json,
    take_choice,
    take_integer,
    take_integers,
    take_keys,
)
from d2m.learning.grid import (
    DIMENSION_LIMIT,
    EXACT_LIMIT,
    GRID_ONE,
    WEIGHT_LIMIT,
    IntVector,
)
from d2m.learning.network.operators import SIZE_LIMIT, Operator, Step, place

OWN_FIELDS: dict[str, tuple[str, ...]] = {
    "convolution": ("channels", "kernel", "pool"),
    "perceptron": ("hidden",),
    "logistic": (),
    "sequence": ("operators",),
}
"""The architectures, and the fields that each has beside the common ones."""
INPUT_FRACTION_BITS = 8
"""Inputs are uint8 and mean (u − centre)/256."""
INPUT_LIMIT = 255
"""Largest input u."""
ACTIVATION_BITS = 18
"""Default width of a requantised activation: with 10 fraction bits it is clamped below 256."""
ACTIVATION_FRACTION_BITS = 10
ARRAY_LIMIT = 1 << 25
"""Most values in an array of the exact pass over one sample, 256 MiB: no job exhausts a node."""

Block = tuple[Step, tuple[Step, ...]]
"""A step with weights, and the steps between it and the next one."""
_INIT_DOMAIN = b"D2M initial weights v1"


class ExactnessError(ValueError):
    """The specified sums could reach 2**53, where float64 is no longer exact."""


@dataclass(frozen=True)
class ModelSpec:
    """A model's specification.

    - ``convolution``: the paper's network: one k×k convolution (stride 1, zero padding that keeps
      the size), max-pool over squares of side ``pool`` with the same stride (1: none; what fills
      no square is left out), ReLU, one dense layer. ``input_shape`` is (channels, height, width).
    - ``perceptron``: dense layers of the ``hidden`` sizes with ReLU, then one dense layer.
    - ``logistic``: one dense layer.
    - ``sequence``: the ``operators`` in order; the last is a dense layer of ``classes`` units.

    An input u means (u − ``input_centre``)/256; the padding of a convolution is the real 0.
    Raises SpecError when malformed and ExactnessError when the forward pass could be inexact.
    """

    architecture: str
    input_shape: tuple[int, ...]
    classes: int
    channels: int = 0
    kernel: int = 0
    pool: int = 2
    hidden: tuple[int, ...] = ()
    operators: tuple[Operator, ...] = ()
    input_centre: int = 0
    activation_bits: int = ACTIVATION_BITS
    activation_fraction_bits: int = ACTIVATION_FRACTION_BITS

    def __post_init__(self) -> None:
        take_choice(self.architecture, "architecture", tuple(OWN_FIELDS))
        take_integers(self.input_shape, "input_shape", 1, SIZE_LIMIT)
        take_integers(self.hidden, "hidden", 1, SIZE_LIMIT)
        take_integer(self.classes, "classes", 2, SIZE_LIMIT)
        take_integer(self.input_centre, "input_centre", 0, INPUT_LIMIT)
        take_integer(self.activation_bits, "activation_bits", 1, 32)
        take_integer(
            self.activation_fraction_bits, "activation_fraction_bits", 0, self.activation_bits
        )
        self._check_architecture()
        if self.dimension > DIMENSION_LIMIT:
            raise SpecError(f"{self.dimension} parameters; at most {DIMENSION_LIMIT}")
        if self.largest_array > ARRAY_LIMIT:
            raise SpecError(f"{self.largest_array} values of one sample; at most {ARRAY_LIMIT}")
        self._check_exact()

    def _check_architecture(self) -> None:
        if not self.input_shape:
            raise SpecError("input_shape: expected at least one size")
        for name in _foreign_fields(self.architecture):
            if getattr(self, name) != type(self).__dataclass_fields__[name].default:
                raise SpecError(f"{name}: a {self.architecture} model has none")
        if self.architecture == "perceptron" and not self.hidden:
            raise SpecError("hidden: a perceptron has one size or more")
        if self.architecture == "convolution":
            self._check_convolution()
        if self.architecture == "sequence":
            self._check_sequence()

    def _check_convolution(self) -> None:
        take_integer(self.channels, "channels", 1, SIZE_LIMIT)
        take_integer(self.kernel, "kernel", 1, 31)
        if self.kernel % 2 == 0:
            raise SpecError("kernel: expected an odd size")
        if len(self.input_shape) != 3:
            raise SpecError("input_shape: a convolution takes (channels, height, width)")
        take_integer(self.pool, "pool", 1, min(self.input_shape[1:]))

    def _check_sequence(self) -> None:
        if not self.operators or self.operators[-1] != Operator("dense", outputs=self.classes):
            raise SpecError(f"operators: the last is a dense layer of {self.classes} outputs")
        first = next(operator for operator in self.operators if operator.kind != "flatten")
        if not first.weighted:
            raise SpecError(f"operators: a {first.kind} has to stand after a layer with weights")

    def _check_exact(self) -> None:
        """Bound every partial sum of a layer by its largest inputs, weights and bias."""
        limit = max(self.input_centre, INPUT_LIMIT - self.input_centre)
        fraction = INPUT_FRACTION_BITS
        for layer, after in self.blocks:
            self._check_sum(layer, layer.fan_in * limit + (1 << fraction), WEIGHT_LIMIT)
            limit, fraction = (1 << self.activation_bits) - 1, self.activation_fraction_bits
            for step in after:
                if step.operator.kind == "average_pool":
                    self._check_sum(step, step.operator.side**2, limit)

    @staticmethod
    def _check_sum(step: Step, inputs: int, factor: int) -> None:
        largest = inputs * factor
        if largest >= EXACT_LIMIT:
            raise ExactnessError(
                f"{step.name}: its sums reach 2**{largest.bit_length() - 1}; fewer inputs or "
                "activation bits are needed to stay below 2**53"
            )

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The operators in order, each in its place; every architecture is a sequence of them."""
        return place(self._named_operators(), self.input_shape)

    def _named_operators(self) -> list[tuple[str, Operator]]:
        last = ("dense", Operator("dense", outputs=self.classes))
        flatten, relu = Operator("flatten"), Operator("relu")
        if self.architecture == "sequence":
            return [(f"{item.kind}{index}", item) for index, item in enumerate(self.operators)]
        if self.architecture == "convolution":
            side = self.kernel
            return [
                ("convolution", Operator("convolution", self.channels, side, 1, side // 2)),
                ("pool", Operator("max_pool", side=self.pool, stride=self.pool)),
                ("relu", relu),
                ("flatten", flatten),
                last,
            ]
        hidden = [
            item
            for index, outputs in enumerate(self.hidden)
            for item in (
                (f"hidden{index}", Operator("dense", outputs=outputs)),
                (f"relu{index}", relu),
            )
        ]
        return [("flatten", flatten), *hidden, last]

    @cached_property
    def layers(self) -> tuple[Step, ...]:
        """The steps that have weights, in order."""
        return tuple(step for step in self.steps if step.operator.weighted)

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Each step with weights, and the steps between it and the next one."""
        starts = [self.steps.index(layer) for layer in self.layers]
        ends = [*starts[1:], len(self.steps)]
        return tuple(
            (self.steps[start], self.steps[start + 1 : end])
            for start, end in zip(starts, ends, strict=True)
        )

    @property
    def largest_array(self) -> int:
        """Values of the largest array that one sample needs: a layer's gathered inputs or sums."""
        sizes = [max(s.fan_in, s.outputs) * math.prod(s.result[1:]) for s in self.layers]
        return max(math.prod(self.input_shape), *sizes)

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
        """A JSON object of integers, strings and lists: the fields that the architecture has."""
        values = {name: getattr(self, name) for name in _fields(self.architecture)}
        values = {n: list(v) if isinstance(v, tuple) else v for n, v in values.items()}
        if self.operators:
            values["operators"] = [operator.to_json() for operator in self.operators]
        return values

    @classmethod
    def from_json(cls, value: Any) -> ModelSpec:
        """Strict inverse of ``to_json``. Raises SpecError or ExactnessError."""
        if not isinstance(value, dict):
            raise SpecError("model: expected an object")
        architecture = take_choice(value.get("architecture"), "architecture", tuple(OWN_FIELDS))
        items = take_keys(value, _fields(architecture), "model")
        for name in {"input_shape", "hidden"} & items.keys():
            items = {**items, name: take_integers(items[name], name, 1, SIZE_LIMIT)}
        if "operators" in items:
            if not isinstance(items["operators"], list):
                raise SpecError("operators: expected a list")
            operators = tuple(Operator.from_json(item) for item in items["operators"])
            items = {**items, "operators": operators}
        return cls(**items)

    @property
    def hash(self) -> bytes:
        """keccak256 of the canonical JSON, 32 bytes."""
        return keccak(encode_json(self.to_json()))


def _foreign_fields(architecture: str) -> set[str]:
    own = OWN_FIELDS[architecture]
    return {name for names in OWN_FIELDS.values() for name in names if name not in own}


def _fields(architecture: str) -> set[str]:
    return set(ModelSpec.__dataclass_fields__) - _foreign_fields(architecture)


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
