"""Networks that a user exported with ``torch.export.save``, read as model specifications.

A .pt2 file is a zip archive that describes the graph in ``NAME/models/NAME.json``. Only this text
is read, as data. ``torch.export.load`` is no way to read a stranger's file: it unpickles (in torch
2.13 by ``torch.load(…, weights_only=False)`` and ``pickle.loads``), which runs code of the file.
"""

from __future__ import annotations

import json
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from d2m.learning.canonical import SpecError, take_integers
from d2m.learning.grid import DIMENSION_LIMIT
from d2m.learning.network.model import ModelSpec
from d2m.learning.network.operators import SIZE_LIMIT, Operator, Step

GRAPH_LIMIT = 8 << 20
"""Longest graph in bytes; an operator takes about one kilobyte, most of it stack traces."""
DEPTH_LIMIT = 100
"""Deepest nesting of a graph; real ones reach about a dozen."""
SCHEMA_MAJOR = 8
"""The version of torch's graph format that is understood: that of torch 2.13."""
REASON_LIMIT = 300
"""Characters of a refusal: it may quote what a file holds."""
_FLOAT32 = 7
"""A type's number in the graph format."""
_GRAPH = re.compile(r"[^/]+/models/[^/]+\.json")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_BRACKET = re.compile(r"[][{}]")
_ATEN = "torch.ops.aten."
_BATCH_SIZE = "sym_size.int"
"""Asks for the size of a batch; what a reshape does with it shows in the shape that results."""
_SOFTMAX = ("log_softmax.int", "softmax.int")
"""As the last operator they change no prediction, and training applies its own."""


def read_exported(path: Path, input_centre: int = 0) -> ModelSpec:
    """The specification of an exported network: one chain of allowed operators, with biases.

    The network's input is a float32 batch (n, *input_shape) of (u − input_centre)/256; its weights
    are not read. Raises SpecError, with the reason in one line, on anything else.
    """
    try:
        return _specification(_read_graph(path), input_centre)
    except ValueError as error:
        reason = str(error)[:REASON_LIMIT]
        printable = "".join(letter if letter.isprintable() else "?" for letter in reason)
        raise SpecError(f"{path}: {printable}") from error


def _read_graph(path: Path) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            found = [info for info in archive.infolist() if _GRAPH.fullmatch(info.filename)]
            if len(found) != 1:
                raise SpecError(f"{len(found)} graphs; a file of torch.export.save has one")
            # torch stores without compression: what is announced is what lies there.
            if found[0].compress_type != zipfile.ZIP_STORED or found[0].file_size > GRAPH_LIMIT:
                raise SpecError(f"a graph is not compressed and has at most {GRAPH_LIMIT} bytes")
            text = archive.read(found[0])
    except (zipfile.BadZipFile, struct.error, EOFError, OSError, RuntimeError) as error:
        raise SpecError(f"no file of torch.export.save: {error}") from error
    try:
        graph = text.decode()
        _check_depth(graph)
        return json.loads(graph)
    except ValueError as error:
        raise SpecError(f"the graph is not JSON: {error}") from error


def _check_depth(text: str) -> None:
    """Raise ValueError when brackets nest deeper than DEPTH_LIMIT.

    The parser's own limit is no guard: py_ecc, which the Ethereum libraries import, raises it above
    what the stack holds.
    """
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > DEPTH_LIMIT:
            raise ValueError(f"nested deeper than {DEPTH_LIMIT}")


def _specification(program: Any, input_centre: int) -> ModelSpec:
    major = _at(program, "schema_version", "major")
    if major != SCHEMA_MAJOR:
        raise SpecError(f"graph format {major!r}; known is {SCHEMA_MAJOR}, of torch 2.13")
    graph = _at(program, "graph_module", "graph")
    signature = _at(program, "graph_module", "signature")
    inputs = _list(signature, "input_specs")
    given = [_at(item, "user_input", "arg") for item in inputs if _has(item, "user_input")]
    if len(given) != 1:
        raise SpecError(f"{len(given)} inputs; a network takes one batch of samples")
    start = _tensor(given[0])
    parameters = {_text(i, "parameter", "arg", "name") for i in inputs if _has(i, "parameter")}
    operators, end, result = _chain(graph, start, parameters)
    outputs = [_at(item, "user_output", "arg") for item in _list(signature, "output_specs")]
    if [_tensor(output) for output in outputs] != [end]:
        raise SpecError("a network gives one output, that of its last operator")
    if len(result) != 1:
        raise SpecError(f"the output of a sample has shape {result}; expected one value per class")
    return ModelSpec(
        "sequence",
        _sizes(graph, start)[1:],
        result[0],
        operators=operators,
        input_centre=input_centre,
    )


def _chain(
    graph: Any, value: str, unused: set[str]
) -> tuple[tuple[Operator, ...], str, tuple[int, ...]]:
    """The operators from a tensor on, the tensor that comes out, and its shape without batch.

    Takes the parameters that it meets out of ``unused``.
    """
    shape, operators, last = _sizes(graph, value)[1:], [], ""
    for node in _list(graph, "nodes"):
        target = _text(node, "target").removeprefix(_ATEN)
        if target == _BATCH_SIZE:
            continue
        if target not in _READERS:
            raise SpecError(f"operator {target} is not allowed; allowed are {', '.join(_READERS)}")
        if last in _SOFTMAX:
            raise SpecError(f"{last} is allowed as the last operator only")
        arguments = _Arguments(graph, node, target, unused)
        if arguments.tensor != value:
            raise SpecError(f"{target} does not take what the operator before it gives")
        operator = _READERS[target](arguments, shape)
        arguments.check_all_read()
        if operator is not None:
            step = Step(target, operator, shape)
            arguments.check_parameters(step)
            operators.append(operator)
            shape = step.result
        value, last = _output(node), target
        if _sizes(graph, value)[1:] != shape:
            raise SpecError(f"{target} gives {_sizes(graph, value)[1:]}; supported is {shape}")
    return tuple(operators), value, shape


class _Arguments:
    """A node's arguments, each read once; torch leaves out those that have their default."""

    def __init__(self, graph: Any, node: Any, target: str, unused: set[str]) -> None:
        self._graph = graph
        self._target = target
        self._unused = unused
        self._items = {_text(item, "name"): _at(item, "arg") for item in _list(node, "inputs")}
        self._parameters: dict[str, tuple[int, ...]] = {}
        self.tensor = _tensor(self._items.pop("self", None) or self._items.pop("input", None))

    def take(self, name: str, kind: str, default: Any) -> Any:
        """The value of an argument of this kind, or the default where there is none."""
        item = self._items.pop(name, None)
        return default if item is None or _has(item, "as_none") else _at(item, kind)

    def expect(self, name: str, kind: str, value: Any) -> None:
        """Raise SpecError unless the argument has this value or is left out."""
        found = self.take(name, kind, value)
        if found != value:
            raise SpecError(f"{self._target}: {name} {found!r}; supported is {value!r}")

    def square(self, name: str, default: int, least: int) -> int:
        """An argument of one size, or of two that are equal."""
        found = self.take(name, "as_ints", []) or [default]
        sizes = take_integers(found, f"{name} of {self._target}", least, SIZE_LIMIT)
        if len(sizes) > 2 or len(set(sizes)) != 1:
            raise SpecError(f"{self._target}: {name} {sizes}; expected the same both ways")
        return sizes[0]

    def padding(self, side: int) -> int:
        """A convolution's padding, which may be a word."""
        if not _has(self._items.get("padding"), "as_string"):
            return self.square("padding", 0, least=0)
        word = self.take("padding", "as_string", "")
        if word == "valid":
            return 0
        if word != "same" or side % 2 == 0:
            raise SpecError(f"{self._target}: padding {word!r} with side {side} is not supported")
        return side // 2

    def drop(self, *names: str) -> None:
        """Pass over arguments that change nothing."""
        for name in names:
            self._items.pop(name, None)

    def parameter(self, name: str) -> tuple[int, ...]:
        """Shape of a parameter that no other operator uses."""
        if name not in self._items or _has(self._items[name], "as_none"):
            raise SpecError(f"{self._target} without a {name}; a layer has one")
        tensor = _tensor(self._items.pop(name))
        if tensor not in self._unused:
            raise SpecError(f"{self._target}: {name} is no parameter of this layer alone")
        self._unused.remove(tensor)
        self._parameters[name] = _sizes(self._graph, tensor)
        return self._parameters[name]

    def check_parameters(self, step: Step) -> None:
        """Raise SpecError unless the parameters that were read have the step's shapes."""
        if not step.operator.weighted:
            return
        expected = {"weight": step.weight_shape, "bias": (step.outputs,)}
        if self._parameters != expected:
            raise SpecError(f"{self._target}: parameters {self._parameters}, expected {expected}")

    def check_all_read(self) -> None:
        """Raise SpecError when an argument is left that no reader knows."""
        if self._items:
            raise SpecError(f"{self._target}: argument {min(self._items)!r} is not supported")


def _convolution(arguments: _Arguments, _shape: tuple[int, ...]) -> Operator:
    weight = arguments.parameter("weight")
    arguments.parameter("bias")
    if len(weight) != 4:
        raise SpecError(f"a convolution has a weight of four dimensions, not {weight}")
    arguments.expect("dilation", "as_ints", [1, 1])
    arguments.expect("groups", "as_int", 1)
    stride = arguments.square("stride", 1, least=1)
    return Operator("convolution", weight[0], weight[3], stride, arguments.padding(weight[3]))


def _dense(arguments: _Arguments, _shape: tuple[int, ...]) -> Operator:
    weight = arguments.parameter("weight")
    arguments.parameter("bias")
    return Operator("dense", outputs=weight[0] if weight else 0)


def _relu(_arguments: _Arguments, _shape: tuple[int, ...]) -> Operator:
    return Operator("relu")


def _flatten(arguments: _Arguments, _shape: tuple[int, ...]) -> Operator:
    arguments.expect("start_dim", "as_int", 1)
    arguments.expect("end_dim", "as_int", -1)
    return Operator("flatten")


def _reshape(arguments: _Arguments, shape: tuple[int, ...]) -> Operator | None:
    """A flatten, or nothing where the sample is flat: the shape that results is compared."""
    arguments.drop("size", "shape")
    return Operator("flatten") if len(shape) > 1 else None


def _pool(kind: str) -> Callable[[_Arguments, tuple[int, ...]], Operator]:
    def read(arguments: _Arguments, _shape: tuple[int, ...]) -> Operator:
        side = arguments.square("kernel_size", 0, least=1)
        stride = arguments.square("stride", side, least=1)
        arguments.expect("padding", "as_ints", [0, 0])
        arguments.expect("ceil_mode", "as_bool", False)
        if kind == "max_pool":
            arguments.expect("dilation", "as_ints", [1, 1])
        else:
            arguments.drop("count_include_pad")  # nothing is padded
            arguments.expect("divisor_override", "as_int", None)
        return Operator(kind, side=side, stride=stride)

    return read


def _adaptive_pool(arguments: _Arguments, shape: tuple[int, ...]) -> Operator:
    outputs = arguments.square("output_size", 0, least=1)
    if len(shape) != 3 or shape[1] != shape[2] or shape[1] % outputs:
        raise SpecError(f"adaptive_avg_pool2d of {shape} to {outputs}: no equal square windows")
    return Operator("average_pool", side=shape[1] // outputs, stride=shape[1] // outputs)


def _dropout(arguments: _Arguments, _shape: tuple[int, ...]) -> None:
    arguments.drop("p")
    if arguments.take("train", "as_bool", True) is not False:
        raise SpecError("dropout is active; export the network after .eval()")


def _softmax(arguments: _Arguments, shape: tuple[int, ...]) -> None:
    if arguments.take("dim", "as_int", 1) not in (1, -1) or len(shape) != 1:
        raise SpecError("a softmax is over the classes")
    arguments.expect("dtype", "as_scalar_type", None)


_READERS: dict[str, Callable[[_Arguments, tuple[int, ...]], Operator | None]] = {
    "conv2d.default": _convolution,
    "conv2d.padding": _convolution,
    "linear.default": _dense,
    "relu.default": _relu,
    "relu_.default": _relu,
    "max_pool2d.default": _pool("max_pool"),
    "avg_pool2d.default": _pool("average_pool"),
    "adaptive_avg_pool2d.default": _adaptive_pool,
    "flatten.using_ints": _flatten,
    "view.default": _reshape,
    "reshape.default": _reshape,
    "dropout.default": _dropout,
    "log_softmax.int": _softmax,
    "softmax.int": _softmax,
}
"""The allowed operators of torch, and what each becomes; None where it changes nothing."""


def _output(node: Any) -> str:
    outputs = _list(node, "outputs")
    if len(outputs) != 1:
        raise SpecError(f"an operator gives one tensor, not {len(outputs)}")
    return _tensor(outputs[0])


def _sizes(graph: Any, tensor: str) -> tuple[int, ...]:
    """Shape of a float32 tensor; the first size, which may be any batch's, reads as 1 if open."""
    meta = _at(graph, "tensor_values", tensor)
    if _at(meta, "dtype") != _FLOAT32:
        raise SpecError(f"{tensor} is not float32")
    sizes = _list(meta, "sizes")
    if any(not _has(size, "as_int") for size in sizes[1:]):
        raise SpecError(f"{tensor} has a size that is not fixed; only the batch may be dynamic")
    fixed = [size["as_int"] if _has(size, "as_int") else 1 for size in sizes]
    return take_integers(fixed, f"size of {tensor}", 1, DIMENSION_LIMIT)


def _has(value: Any, key: str) -> bool:
    return isinstance(value, dict) and key in value


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        if not _has(value, key):
            raise SpecError(f"the graph lacks {key!r} where an exported one has it")
        value = value[key]
    return value


def _list(value: Any, *keys: str) -> list[Any]:
    found = _at(value, *keys)
    if not isinstance(found, list):
        raise SpecError(f"the graph has no list at {keys[-1]!r}")
    return found


def _text(value: Any, *keys: str) -> str:
    found = _at(value, *keys)
    if not isinstance(found, str):
        raise SpecError(f"the graph has no text at {keys[-1]!r}")
    return found


def _tensor(value: Any) -> str:
    return _text(value, "as_tensor", "name")
