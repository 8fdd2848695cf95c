"""Canonical bytes of updates, models and evaluation sets: safetensors, one text for one value.

A reader accepts only the canonical bytes, so whether an update counts cannot depend on the version
of a parser: honest nodes decide alike. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from d2m.learning.grid import UPDATE_LIMIT, ByteArray, IntVector
from d2m.learning.network.exact import Predictions, check_inputs, prediction_type
from d2m.learning.network.model import ModelSpec, check_weights, to_tensors, to_vector

UPDATE_TENSOR = "delta"
_LENGTH_BYTES = 8
_TYPE_NAMES = {"|u1": "U8", "<u2": "U16", "<i4": "I32"}


class MalformedUpdate(ValueError):
    """Posted bytes that are not an update of the job's model; the message says in what."""


class UpdateTooLarge(MalformedUpdate):
    """More bytes than an update has, or an entry above UPDATE_LIMIT."""


class MalformedModel(ValueError):
    """Bytes that are not a model of the given specification."""


class MalformedEvaluation(ValueError):
    """Bytes that are not an evaluation set of the given specification."""


@dataclass(frozen=True, eq=False)
class EvaluationSet:
    """The buyer's private measure: uint8 inputs (n, *input_shape) and their classes (n,)."""

    inputs: ByteArray
    labels: Predictions

    def __len__(self) -> int:
        return len(self.labels)

    def correct(self, predictions: Predictions) -> int:
        """How many of its samples the predictions (n,) get right."""
        return int(np.count_nonzero(predictions == self.labels))


def encode_update(delta: IntVector) -> bytes:
    """Canonical bytes of an update: one int32 tensor ``delta`` (d,)."""
    return _encode({UPDATE_TENSOR: delta})


def update_size(dimension: int) -> int:
    """Number of bytes of every well-formed update of a model with d parameters."""
    return len(_header({UPDATE_TENSOR: ("I32", (dimension,), 4 * dimension)})) + 4 * dimension


def decode_update(data: bytes, dimension: int) -> IntVector:
    """The int32 vector (d,) of an update's bytes.

    Raises UpdateTooLarge or MalformedUpdate. The size is checked before anything is read.
    """
    if len(data) > update_size(dimension):
        raise UpdateTooLarge(f"{len(data)} bytes; an update has {update_size(dimension)}")
    header = _header({UPDATE_TENSOR: ("I32", (dimension,), 4 * dimension)})
    if len(data) != update_size(dimension) or not data.startswith(header):
        raise MalformedUpdate(_why_malformed(data, dimension))
    delta = np.frombuffer(data, dtype="<i4", offset=len(header)).astype(np.int32)
    # min and max rather than abs: abs(-2**31) is negative in int32.
    if int(delta.max()) > UPDATE_LIMIT or int(delta.min()) < -UPDATE_LIMIT:
        raise UpdateTooLarge(f"an entry exceeds {UPDATE_LIMIT} grid units")
    return delta


def encode_model(spec: ModelSpec, weights: IntVector) -> bytes:
    """Canonical bytes of a model: its named int32 tensors."""
    check_weights(spec, weights)
    return _encode(to_tensors(spec, weights))


def decode_model(data: bytes, spec: ModelSpec) -> IntVector:
    """The int32 vector (d,) of a model's bytes. Raises MalformedModel."""
    expected = {name: (np.dtype("<i4"), shape) for name, shape in spec.parameters}
    try:
        tensors = _decode(data, expected)
        weights = to_vector(spec, tensors).astype(np.int32)
        check_weights(spec, weights)
    except ValueError as error:
        raise MalformedModel(str(error)) from error
    return weights


def encode_evaluation(evaluation: EvaluationSet) -> bytes:
    """Canonical bytes of an evaluation set: ``inputs`` uint8 and ``labels`` uint8 or uint16."""
    return _encode({"inputs": evaluation.inputs, "labels": evaluation.labels})


def decode_evaluation(data: bytes, spec: ModelSpec) -> EvaluationSet:
    """The evaluation set of its bytes. Raises MalformedEvaluation."""
    try:
        tensors = _decode(data, None)
        evaluation = EvaluationSet(tensors["inputs"], tensors["labels"])
        check_evaluation(evaluation, spec)
    except KeyError as error:
        raise MalformedEvaluation(f"tensor {error} is missing") from error
    except ValueError as error:
        raise MalformedEvaluation(str(error)) from error
    return evaluation


def check_evaluation(evaluation: EvaluationSet, spec: ModelSpec) -> None:
    """Raise ValueError unless the evaluation set fits the model and has a sample."""
    inputs, labels = evaluation.inputs, evaluation.labels
    check_inputs(spec, inputs)
    if labels.dtype != prediction_type(spec) or labels.shape != (len(inputs),) or not len(labels):
        raise ValueError(
            f"expected {prediction_type(spec)} labels of shape ({len(inputs)},), at least one; "
            f"got {labels.dtype} {labels.shape}"
        )
    if int(labels.max()) >= spec.classes:
        raise ValueError(f"label {int(labels.max())}; the model has classes 0..{spec.classes - 1}")


def _header(tensors: Mapping[str, tuple[str, tuple[int, ...], int]]) -> bytes:
    """Safetensors header of (type, shape, bytes) by name, as the reference library writes it."""
    entries, offset = {}, 0
    for name, (kind, shape, size) in tensors.items():
        entries[name] = {
            "dtype": kind,
            "shape": list(shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(_LENGTH_BYTES, "little") + text


def _encode(tensors: Mapping[str, npt.NDArray[np.generic]]) -> bytes:
    """Tensors by descending item size, then name, as the reference library orders them.

    Written out here because the bytes are hashed and must not change with its version.
    """
    names = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    arrays = {name: np.ascontiguousarray(tensors[name]) for name in names}
    kinds = {name: array.dtype.newbyteorder("<") for name, array in arrays.items()}
    header = _header(
        {
            name: (_TYPE_NAMES[kinds[name].str], array.shape, array.nbytes)
            for name, array in arrays.items()
        }
    )
    return header + b"".join(arrays[name].astype(kinds[name]).tobytes() for name in names)


def _decode(
    data: bytes, expected: Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]] | None
) -> dict[str, npt.NDArray[Any]]:
    """Tensors of canonical bytes, with exactly the expected names, types and shapes if given."""
    try:
        tensors = safetensors.numpy.load(data)
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not safetensors: {error}") from error
    if expected is not None:
        found = {name: (tensor.dtype, tensor.shape) for name, tensor in tensors.items()}
        if found != dict(expected):
            raise ValueError(f"expected tensors {dict(expected)}, got {found}")
    if any(tensor.dtype.newbyteorder("<").str not in _TYPE_NAMES for tensor in tensors.values()):
        raise ValueError("a tensor is neither uint8, uint16 nor int32")
    if _encode(tensors) != data:
        raise ValueError("not the canonical safetensors bytes")
    return tensors


def _why_malformed(data: bytes, dimension: int) -> str:
    """The reason for a person; the verdict itself has been reached already."""
    try:
        tensors = safetensors.numpy.load(data)
    except Exception as error:  # any failure of the parser means the same here
        return f"not safetensors: {error}"
    if set(tensors) != {UPDATE_TENSOR}:
        return f"tensors {sorted(tensors)}; an update has one, named {UPDATE_TENSOR!r}"
    tensor = tensors[UPDATE_TENSOR]
    if tensor.dtype != np.int32 or tensor.shape != (dimension,):
        return f"{tensor.dtype} {tensor.shape}; an update is int32 ({dimension},)"
    return "not the canonical safetensors bytes"
