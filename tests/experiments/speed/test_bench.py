"""The benchmark's job and table, without the frameworks that it measures beside."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from d2m.learning.network.model import initial_weights
from experiments.speed import job as bench
from experiments.speed import ours, table


def tiny_job(rounds: int) -> bench.Job:
    """Three sellers of images whose class is where they are bright."""
    random = np.random.default_rng(1)

    def samples(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = random.integers(0, bench.CLASSES, count).astype(np.uint8)
        inputs = random.integers(0, 60, (count, 1, bench.SIDE, bench.SIDE)).astype(np.uint8)
        for image, label in zip(inputs, labels, strict=True):
            image[0, 2 * label : 2 * label + 3] += 180
        return inputs, labels

    sellers = [samples(count) for count in (70, 64, 90)]
    return bench.Job(
        inputs=tuple(inputs for inputs, _ in sellers),
        labels=tuple(labels for _, labels in sellers),
        evaluation_inputs=samples(50)[0],
        evaluation_labels=np.zeros(50, np.uint8),
        schedule=np.array([[0, 2], [1, 2]])[:rounds],
        weights=initial_weights(ours.MODELS[bench.CONVOLUTION], bytes(32)),
    )


@pytest.mark.parametrize("name", ours.MODELS)
def test_the_peers_network_is_the_job_s(name: str) -> None:
    spec = ours.MODELS[name]
    model, weights = bench.network(name), initial_weights(spec, bytes(32))
    bench.load_weights(model, weights)
    flat = torch.nn.utils.parameters_to_vector(model.parameters()).detach().numpy()
    assert [name for name, _ in model.named_parameters()] == [n for n, _ in spec.parameters]
    assert np.array_equal(flat * 65536.0, weights)


def test_a_job_survives_its_file(tmp_path: Path) -> None:
    job = replace(tiny_job(rounds=2), network=bench.PERCEPTRON, batch=7)
    job.save(tmp_path / "job.npz")
    read = bench.read(tmp_path / "job.npz")
    for mine, other in zip(job.inputs + job.labels, read.inputs + read.labels, strict=True):
        assert np.array_equal(mine, other)
    assert np.array_equal(job.schedule, read.schedule)
    assert (read.network, read.batch) == (bench.PERCEPTRON, 7)


@pytest.mark.parametrize("kind", ["learning", "market"])
def test_ours_reports_every_round(kind: str, tmp_path: Path) -> None:
    tiny_job(rounds=2).save(tmp_path / "job.npz")
    ours.main(str(tmp_path / "job.npz"), str(tmp_path / "report.json"), "1", kind)
    report = json.loads((tmp_path / "report.json").read_text())
    assert len(report["round_seconds"]) == 2
    assert min(report["round_seconds"]) > 0
    assert report["threads"] == 1


def record() -> dict[str, object]:
    """Two repetitions: Flower at 9, 6 and 6 s, ours at 5, 1 and 2 s."""

    def run(name: str, seconds: list[float]) -> dict[str, object]:
        return {
            "contender": name,
            "cores": 1,
            "startup_seconds": 4.0,
            "round_seconds": seconds,
            "accuracy": 0.8125,
            "versions": {"torch": "2"},
        }

    return {
        "command": "make bench-learning",
        "machine": {"processor": "P", "cores": 2, "system": "S", "load_before": 0.5},
        "rounds": 3,
        "repetitions": 2,
        "runs": [run("flower", [9, 6, 6]), run("ours", [5, 1, 2])] * 2,
    }


def test_the_first_round_of_a_run_does_not_count() -> None:
    assert table.round_time(record()["runs"], "ours", 1) == 1.5  # type: ignore[arg-type]
    assert table.round_time(record()["runs"], "pfl", 1) is None  # type: ignore[arg-type]


def test_the_document_holds_times_and_ratios_of_who_ran() -> None:
    text = table.markdown(record())
    assert "| flower | 6.000 | 6.000 to 6.000 | 9.000 | 4.0 | 81.25 % |" in text
    assert "| Flower / ours, learning only | 4.00 |" in text
    assert "pfl-research / ours" not in text
    assert "## 1 core\n" in text
