"""The operators of a network, their sizes, and the shapes between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from d2m.learning.canonical import SpecError, take_choice, take_integer, take_keys

SIZE_LIMIT = 1 << 16
"""Largest side of an input, number of classes, channels or hidden units."""
OPERATORS: dict[str, tuple[str, ...]] = {
    "convolution": ("outputs", "side", "stride", "padding"),
    "dense": ("outputs",),
    "relu": (),
    "max_pool": ("side", "stride"),
    "average_pool": ("side", "stride"),
    "flatten": (),
}
"""The operators that a network may have, and the sizes of each."""
_LEAST = {"outputs": 1, "side": 1, "stride": 1, "padding": 0}


@dataclass(frozen=True)
class Operator:
    """One operator; sizes that its kind lacks are 0. Raises SpecError when malformed.

    Kernels and windows are squares of ``side``, moved by ``stride``; what fills none is left out.
    A convolution pads all four sides by ``padding`` zeros, fewer than its side, and adds a bias.
    """

    kind: str
    outputs: int = 0
    side: int = 0
    stride: int = 0
    padding: int = 0

    def __post_init__(self) -> None:
        take_choice(self.kind, "operator", tuple(OPERATORS))
        for name, least in _LEAST.items():
            own = name in OPERATORS[self.kind]
            low, high = (least, SIZE_LIMIT) if own else (0, 0)
            take_integer(getattr(self, name), f"{name} of a {self.kind}", low, high)
        if self.padding and self.padding >= self.side:
            raise SpecError(f"padding of a {self.kind}: expected less than its side {self.side}")

    @property
    def weighted(self) -> bool:
        """Whether the operator has weights and a bias."""
        return self.kind in ("convolution", "dense")

    def to_json(self) -> dict[str, Any]:
        """The operator as a JSON object: its kind and the sizes that the kind has."""
        sizes = {name: getattr(self, name) for name in OPERATORS[self.kind]}
        return {"operator": self.kind, **sizes}

    @classmethod
    def from_json(cls, value: Any) -> Operator:
        """Strict inverse of ``to_json``. Raises SpecError."""
        kind = value.get("operator") if isinstance(value, dict) else None
        kind = take_choice(kind, "operator", tuple(OPERATORS))
        items = take_keys(value, {"operator", *OPERATORS[kind]}, kind)
        return cls(kind, **{name: items[name] for name in OPERATORS[kind]})


@dataclass(frozen=True)
class Step:
    """An operator in its place in a network.

    One with weights has the tensors ``{name}.weight`` and ``{name}.bias``.
    """

    name: str
    operator: Operator
    shape: tuple[int, ...]
    """Shape of one sample that goes in: (channels, height, width) or (units,)."""

    @cached_property
    def result(self) -> tuple[int, ...]:
        """Shape of one sample that comes out. Raises SpecError when the operator does not fit."""
        operator = self.operator
        if operator.kind == "relu":
            return self.shape
        if operator.kind == "flatten":
            return (math.prod(self.shape),)
        if operator.kind == "dense":
            if len(self.shape) != 1:
                raise SpecError(f"{self.name}: a dense layer takes units; flatten {self.shape}")
            return (operator.outputs,)
        if len(self.shape) != 3:
            raise SpecError(f"{self.name}: takes (channels, height, width), not {self.shape}")
        depth, *sizes = self.shape
        room = [size + 2 * operator.padding - operator.side for size in sizes]
        if min(room) < 0:
            raise SpecError(f"{self.name}: side {operator.side} is too large for {self.shape}")
        sides = (size // operator.stride + 1 for size in room)
        return (operator.outputs or depth, *sides)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """(out, in, side, side) for a convolution, (out, in) for a dense layer."""
        side = self.operator.side
        square = (side, side) if self.operator.kind == "convolution" else ()
        return (self.outputs, self.shape[0], *square)

    @property
    def outputs(self) -> int:
        """Channels or units that come out."""
        return self.result[0]

    @property
    def fan_in(self) -> int:
        """Products in one sum."""
        return math.prod(self.weight_shape[1:])


def place(operators: Sequence[tuple[str, Operator]], shape: tuple[int, ...]) -> tuple[Step, ...]:
    """The steps of named operators on samples of a shape. Raises SpecError where one cannot be."""
    steps = []
    for name, operator in operators:
        steps.append(Step(name, operator, shape))
        shape = steps[-1].result
    return tuple(steps)
