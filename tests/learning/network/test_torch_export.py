"""Networks exported by torch itself, and files that pretend to be one."""

from __future__ import annotations

import json
import pickle
import random
import warnings
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, log_softmax, relu

from d2m.cli.specification import proposed_spec
from d2m.learning.canonical import SpecError
from d2m.learning.grid import add_update, from_grid
from d2m.learning.network import torch_export
from d2m.learning.network.exact import predict
from d2m.learning.network.model import ModelSpec, initial_weights, to_tensors
from d2m.learning.network.torch_export import read_exported
from d2m.learning.spec import JobSpec, TrainingSpec
from d2m.learning.training.local import network, network_inputs, train

IMAGE = (1, 8, 8)


def export(path: Path, model: nn.Module, *samples: Tensor, batch: bool = False, **options) -> Path:
    shapes = ({0: torch.export.Dim.AUTO},) if batch else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(model, samples, dynamic_shapes=shapes, **options)
        torch.export.save(program, path)
    return path


def lenet() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 3),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.Linear(64, 32),
        nn.ReLU(),
        nn.Linear(32, 10),
    )


def strided() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(4, 5, 3, padding="same"),
        nn.ReLU(),
        nn.MaxPool2d(2, stride=1),
        nn.AvgPool2d(2, stride=1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(5, 3),
        nn.Softmax(dim=1),
    )


class Perceptron(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(64, 20), nn.Linear(20, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = relu(self.first(x.view(x.size(0), -1)))
        return log_softmax(self.second(dropout(x, training=self.training)), dim=-1)


NETWORKS = {"LeNet": lenet, "strides and means": strided, "perceptron": Perceptron}


@pytest.fixture(scope="module")
def lenet_file(tmp_path_factory) -> Path:
    return export(tmp_path_factory.mktemp("exported") / "net.pt2", lenet(), torch.zeros(1, *IMAGE))


@pytest.mark.parametrize("batch", [False, True], ids=["fixed", "any batch"])
@pytest.mark.parametrize("build", NETWORKS.values(), ids=NETWORKS)
def test_the_specified_network_computes_what_the_exported_one_does(tmp_path, build, batch):
    theirs = build().eval()
    spec = read_exported(export(tmp_path / "a.pt2", theirs, torch.zeros(2, *IMAGE), batch=batch))
    ours = network(spec)
    for own, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        own.data = other.data
    images = torch.rand(5, *IMAGE)
    logits = ours(images)
    # Softmax and log-softmax are left to the loss.
    candidates = [logits, logits.softmax(1), logits.log_softmax(1)]
    assert any(torch.allclose(c, theirs(images), atol=1e-6) for c in candidates)
    assert ModelSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize("centre", [0, 128])
def test_an_exported_network_learns_and_the_exact_pass_agrees_with_it(lenet_file, digits, centre):
    spec = read_exported(lenet_file, input_centre=centre)
    inputs, labels = digits
    start = initial_weights(spec, bytes(32))
    hyper = TrainingSpec(12, 32, Decimal("0.003"), "adam")
    weights = add_update(start, train(spec, start, inputs, labels, hyper, seed=1))
    found = predict(spec, weights, inputs)
    assert (found == labels).mean() > 0.95
    model = network(spec)
    model.load_state_dict(
        {n: torch.from_numpy(from_grid(t)).float() for n, t in to_tensors(spec, weights).items()}
    )
    floats = model(network_inputs(spec, inputs)).detach().numpy().argmax(axis=1)
    assert (found == floats).mean() > 0.995


@pytest.fixture(scope="module")
def digits():
    from d2m.data.datasets import load

    data = load("digits")
    return data.train_inputs[:1000], data.train_labels[:1000]


def test_a_job_takes_the_exported_network_in_place_of_the_proposed_one(lenet_file):
    spec = JobSpec.from_bytes(proposed_spec("digits", bytes(32), lenet_file))
    assert spec.model.operators == read_exported(lenet_file).operators
    assert spec.dataset == "digits"


def test_a_network_too_long_for_a_specification_is_refused(tmp_path):
    layers = [layer for _ in range(80) for layer in (nn.Linear(64, 64), nn.ReLU())]
    model = nn.Sequential(nn.Flatten(), *layers, nn.Linear(64, 10))
    path = export(tmp_path / "long.pt2", model, torch.zeros(1, *IMAGE))
    with pytest.raises(SpecError, match=r"long.pt2: \d+ bytes; a specification has at most"):
        proposed_spec("digits", bytes(32), path)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(64, 64)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        return x + self.one(x)


class Shared(Residual):
    def forward(self, x: Tensor) -> Tensor:
        return self.one(self.one(x.flatten(1)))


class Skipping(Residual):
    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        self.one(x)
        return relu(x)


class Branching(Residual):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cond(x.sum() > 0, lambda y: y + 1, lambda y: y - 1, (x,))


class TwoOutputs(Residual):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.one(x.flatten(1))
        return x, relu(x)


class TwoInputs(Residual):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.one((x + y).flatten(1))


@torch.library.custom_op("d2m_tests::twice", mutates_args=())
def twice(x: Tensor) -> Tensor:
    return 2 * x


@twice.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


class Custom(Residual):
    def forward(self, x: Tensor) -> Tensor:
        return self.one(twice(x).flatten(1))


def ending(*layers: nn.Module, units: int = 64) -> nn.Sequential:
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(units, 10))


REFUSED = {
    "an operator": (ending(nn.Sigmoid()), "operator sigmoid.default is not allowed; .*conv2d"),
    "batch norm": (ending(nn.BatchNorm2d(1)), "operator batch_norm"),
    "a residual": (Residual(), "operator add.Tensor is not allowed"),
    "a custom operator": (Custom(), "operator torch.ops.d2m_tests.twice.default is not allowed"),
    "control flow": (Branching(), "is not allowed"),
    "shared weights": (Shared(), "weight is no parameter of this layer alone"),
    "a side branch": (Skipping(), "relu.default does not take what the operator before it gives"),
    "two outputs": (TwoOutputs(), "one output"),
    "no bias": (ending(nn.Conv2d(1, 1, 1, bias=False)), "conv2d.default without a bias"),
    "dilation": (ending(nn.Conv2d(1, 1, 2, dilation=2), units=36), "dilation"),
    "a rectangle": (ending(nn.Conv2d(1, 1, (1, 3)), units=48), "parameters"),
    "unequal strides": (ending(nn.Conv2d(1, 1, 2, stride=(1, 2)), units=28), "stride"),
    "padded pool": (
        ending(nn.Conv2d(1, 1, 1), nn.MaxPool2d(2, padding=1), units=25),
        "padding",
    ),
    "ceiling": (ending(nn.Conv2d(1, 1, 1), nn.MaxPool2d(3, ceil_mode=True), units=9), "ceil_mode"),
    "unequal windows": (ending(nn.Conv2d(1, 1, 1), nn.AdaptiveAvgPool2d(3), units=9), "equal"),
    "a ReLU of inputs": (ending(nn.ReLU()), "relu has to stand after a layer"),
    "a ReLU at the end": (nn.Sequential(ending(), nn.ReLU()), "last is a dense layer"),
    "a softmax inside": (nn.Sequential(ending(), nn.Softmax(1), nn.Linear(10, 10)), "as the last"),
    "images": (nn.Conv2d(1, 3, 1), "one value per class"),
    "dropout in training": (ending(nn.Dropout()).train(), "after .eval"),
}


@pytest.mark.parametrize(("model", "message"), REFUSED.values(), ids=REFUSED)
def test_what_a_specification_cannot_say_is_refused_in_one_line(tmp_path, model, message):
    model = model if message == "after .eval" else model.eval()
    path = export(tmp_path / "net.pt2", model, torch.zeros(2, *IMAGE))
    with pytest.raises(SpecError, match=message) as refused:
        read_exported(path)
    assert "\n" not in str(refused.value)


def test_other_inputs_are_refused(tmp_path):
    path = export(tmp_path / "a.pt2", TwoInputs(), torch.zeros(1, 64), torch.zeros(1, 64))
    with pytest.raises(SpecError, match="2 inputs"):
        read_exported(path)
    path = export(tmp_path / "b.pt2", ending().double(), torch.zeros(1, *IMAGE).double())
    with pytest.raises(SpecError, match="not float32"):
        read_exported(path)
    grouped = nn.Sequential(nn.Conv2d(2, 2, 1, groups=2), nn.Flatten(), nn.Linear(32, 2))
    path = export(tmp_path / "c.pt2", grouped, torch.zeros(1, 2, 4, 4))
    with pytest.raises(SpecError, match="groups 2"):
        read_exported(path)
    anysize = nn.Sequential(nn.Conv2d(1, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    shapes = ({2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO},)
    torch.export.save(
        torch.export.export(anysize, (torch.zeros(1, 1, 8, 8),), dynamic_shapes=shapes),
        tmp_path / "d.pt2",
    )
    with pytest.raises(SpecError, match="only the batch may be dynamic"):
        read_exported(tmp_path / "d.pt2")


def graph_of(path: Path):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("net/models/model.json"))


def archive_with(path: Path, text: bytes, name="net/models/model.json", **options) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        archive.writestr(name, text)
    return path


class Bomb:
    """Unpickling it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_nothing_in_the_file_is_unpickled(tmp_path, lenet_file):
    mark = tmp_path / "mark"
    payload = pickle.dumps(Bomb(mark))
    path = tmp_path / "net.pt2"
    with zipfile.ZipFile(lenet_file) as good, zipfile.ZipFile(path, "w") as bad:
        for name in good.namelist():
            graph = name.endswith("models/model.json")
            bad.writestr(name, good.read(name) if graph else payload)
    assert read_exported(path) == read_exported(lenet_file)
    path.write_bytes(payload)
    with pytest.raises(SpecError, match=r"no file of torch.export.save"):
        read_exported(path)
    assert not mark.exists()
    pickle.loads(payload)  # the bomb is a real one
    assert mark.exists()


def test_other_files_are_refused(tmp_path, lenet_file, monkeypatch):
    def refused(path: Path, message: str) -> None:
        with pytest.raises(SpecError, match=message):
            read_exported(path)

    path = tmp_path / "net.pt2"
    refused(path, "no file of torch.export.save")
    path.write_bytes(b"")
    refused(path, "no file of torch.export.save")
    torch.save(lenet().state_dict(), path)
    refused(path, "0 graphs")
    refused(archive_with(path, b"{}"), "lacks 'schema_version'")
    refused(archive_with(path, b"\xff"), "not JSON")
    refused(archive_with(path, b"[" * 100_000), "nested deeper")
    refused(archive_with(path, b'{"a":"[[[[' + b"]" * 200 + b'"}'), "lacks 'schema_version'")
    refused(archive_with(path, b"{}", compression=zipfile.ZIP_DEFLATED), "not compressed")
    refused(archive_with(path, b"{}", name="models/model.json"), "0 graphs")
    with zipfile.ZipFile(archive_with(path, b"{}"), "a") as archive:
        archive.writestr("net/models/other.json", b"{}")
    refused(path, "2 graphs")
    graph = graph_of(lenet_file)
    graph["schema_version"]["major"] = 9
    refused(archive_with(path, json.dumps(graph).encode()), "graph format 9; known is 8")
    monkeypatch.setattr(torch_export, "GRAPH_LIMIT", 100)
    refused(lenet_file, "at most 100 bytes")


def test_a_broken_file_is_refused_wherever_it_is_broken(tmp_path, lenet_file):
    data = lenet_file.read_bytes()
    path = tmp_path / "net.pt2"
    for cut in range(0, len(data), len(data) // 40):
        path.write_bytes(data[:cut])
        with pytest.raises(SpecError):
            read_exported(path)
    generator = random.Random(1)
    for _ in range(200):
        broken = bytearray(data)
        for _ in range(20):
            # The directory at the end is what a reader of zip archives trusts.
            broken[-generator.randrange(1, 2000)] = generator.randrange(256)
        path.write_bytes(broken)
        try_to_read(path)


def test_a_graph_with_any_entry_replaced_is_read_or_refused(tmp_path, lenet_file):
    graph = graph_of(lenet_file)
    places = [
        place for key in ("graph", "signature") for place in entries(graph["graph_module"][key])
    ]
    generator = random.Random(1)
    values = [None, True, -1, 0, 2**70, 0.5, float("nan"), "", "x\n\x1b[2J", [], [[]], {}, {"a": 1}]
    refused = 0
    for holder, key in generator.sample(places, 400):
        before = holder[key]
        holder[key] = generator.choice(values)
        refused += try_to_read(archive_with(tmp_path / "net.pt2", json.dumps(graph).encode()))
        holder[key] = before
    assert refused > 100


def try_to_read(path: Path) -> bool:
    """Whether it is refused: in one printable line, and by no other error."""
    try:
        read_exported(path)
    except SpecError as error:
        return str(error).isprintable() or pytest.fail(repr(error))
    return False


def entries(value):
    """Every (container, key) below a JSON value, but for what nobody reads: the metadata."""
    keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        if key == "metadata":
            continue
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from entries(value[key])
