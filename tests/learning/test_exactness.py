"""The round computation gives the same bits whatever the machine is told to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from eth_utils.crypto import keccak

from d2m.learning.defaults import digits_spec
from d2m.learning.earnings import contributions_root
from d2m.learning.grid import ByteArray
from d2m.learning.network import exact
from d2m.learning.network.exact import predict
from d2m.learning.network.model import ModelSpec, initial_weights
from d2m.learning.network.operators import Operator
from d2m.learning.round import (
    RoundOutput,
    initial_state,
    model_bytes,
    next_state,
    sampler_bytes,
)
from d2m.learning.training.local import train
from d2m.learning.updates import EvaluationSet, encode_update

ROOT = Path(__file__).resolve().parents[2]
SELLERS = 4
SEQUENCE = ModelSpec(
    "sequence",
    (1, 8, 8),
    10,
    operators=(
        Operator("convolution", outputs=8, side=3, stride=1, padding=1),
        Operator("relu"),
        Operator("max_pool", side=3, stride=1),
        Operator("convolution", outputs=16, side=3, stride=2, padding=1),
        Operator("average_pool", side=3, stride=1),
        Operator("flatten"),
        Operator("dense", outputs=32),
        Operator("relu"),
        Operator("dense", outputs=10),
    ),
)


def fingerprint(output: RoundOutput) -> str:
    """Everything of a round that reaches the chain, in one hash."""
    state = output.state
    metric = f"{output.metric_numerator}/{output.metric_denominator}".encode()
    blobs = [
        model_bytes(state, digits_spec(bytes(32))),
        sampler_bytes(state),
        contributions_root(state.contributions),
        metric,
        output.predictions,
    ]
    return keccak(b"".join(keccak(blob) for blob in blobs)).hex()


def digits() -> tuple[ByteArray, ByteArray]:
    from d2m.data.datasets import load

    data = load("digits")
    return data.train_inputs, data.train_labels


def compute(updates: dict[int, bytes]) -> str:
    """Two rounds of the digits job on given updates, and a deeper network's predictions."""
    spec = digits_spec(bytes(32))
    inputs, labels = digits()
    evaluation = EvaluationSet(inputs[:60], labels[:60])
    state = initial_state(spec, SELLERS, bytes(32))
    first = next_state(state, updates, evaluation, b"\x01" * 32, spec)
    second = next_state(first.state, updates, evaluation, b"\x02" * 32, spec)
    # Six times an initial vector: weights so large that four classes are predicted, not one.
    wide = 6 * initial_weights(SEQUENCE, bytes([2]) * 32)
    layered = predict(SEQUENCE, wide, inputs[:300])
    return fingerprint(first) + fingerprint(second) + keccak(layered.tobytes()).hex()


@pytest.fixture(scope="module")
def updates() -> dict[int, bytes]:
    """Trained, not random: sums and activations are those of a real round."""
    spec = digits_spec(bytes(32))
    inputs, labels = digits()
    weights = initial_state(spec, SELLERS, bytes(32)).weights
    parts = [slice(200 + 40 * i, 240 + 40 * i) for i in range(SELLERS)]
    return {
        i: encode_update(train(spec.model, weights, inputs[p], labels[p], spec.training, seed=i))
        for i, p in enumerate(parts)
    }


@pytest.fixture(scope="module")
def expected(updates: dict[int, bytes]) -> str:
    return compute(updates)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_thread_counts(updates, expected, count):
    torch.set_num_threads(count)
    assert compute(updates) == expected


@pytest.mark.parametrize("size", [1, 70_000, 1 << 30])
def test_internal_batch_sizes(updates, expected, monkeypatch, size):
    monkeypatch.setattr(exact, "BATCH_BYTES", size)
    assert compute(updates) == expected


def test_without_onednn(updates, expected):
    with torch.backends.mkldnn.flags(enabled=False):
        assert compute(updates) == expected


def test_other_defaults_of_torch(updates, expected):
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float16)
    torch.set_flush_denormal(True)
    try:
        assert compute(updates) == expected
    finally:
        torch.set_default_dtype(before)
        torch.set_flush_denormal(False)


def test_a_fresh_process(updates, expected, tmp_path):
    """Another process, with one thread and the plainest kernels that the libraries have."""
    for index, data in updates.items():
        (tmp_path / str(index)).write_bytes(data)
    program = (
        "import sys, pathlib; from tests.learning.test_exactness import compute;"
        "print(compute({int(p.name): p.read_bytes() for p in pathlib.Path(sys.argv[1]).iterdir()}))"
    )
    plain = {
        "OMP_NUM_THREADS": "1",
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_CBWR": "COMPATIBLE",
        "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3",
        "OPENBLAS_CORETYPE": "Prescott",
        "PYTHONHASHSEED": "1",
    }
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, **plain, "PYTHONPATH": str(ROOT / "offchain")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == expected
