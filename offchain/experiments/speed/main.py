"""Measures a round of learning beside Flower's simulation and pfl-research: `make bench-learning`.

Every framework plays the same job: the same sellers train on the same data from the same weights
in each round, with the same thread count, kept to the same cores. Their runs take turns, so that
what else the machine does meets all alike. Writes `docs/experiments/bench.json` and `bench.md`.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from d2m.data.datasets import Dataset, load
from d2m.data.errors import DataError
from d2m.data.partition import dirichlet
from d2m.learning.network.model import initial_weights
from experiments.speed.contenders import CONTENDERS, Contender
from experiments.speed.job import CONVOLUTION, PERCEPTRON, Job
from experiments.speed.ours import MODELS
from experiments.speed.table import markdown

ROOT = Path(__file__).resolve().parents[3]
RECORDS = ROOT / "docs" / "experiments"
DATASET, SMALL_DATASET, ALPHA, SEED = "fashion-mnist", "digits", 0.5, 1
SELLERS, MORE_SELLERS, DRAWS = 50, 200, 10
SMALL_BATCH = 16
"""About thirty samples are two batches."""
_WORK = ROOT / "build" / "bench"
_PATIENCE_SECONDS = 600
"""For one run; each takes half a minute at most on an idle machine."""
_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def jobs(rounds: int) -> dict[str, Job]:
    """The jobs by name.

    `many` has 200 sellers, `few` the first 50 of them, and the same ten train in each round: what
    differs is the number of sellers alone. In `small` a step of training is little work, so that
    what is around it shows. Raises DataError when the data cannot be had.
    """
    data = load(DATASET)
    many = _job(data, MORE_SELLERS, SELLERS, rounds)
    small = _job(load(SMALL_DATASET), SELLERS, SELLERS, rounds, PERCEPTRON)
    return {
        "main": _job(data, SELLERS, SELLERS, rounds),
        "few": replace(many, inputs=many.inputs[:SELLERS], labels=many.labels[:SELLERS]),
        "many": many,
        "small": replace(small, batch=SMALL_BATCH),
    }


def _job(
    data: Dataset, sellers: int, drawn_from: int, rounds: int, network: str = CONVOLUTION
) -> Job:
    random = np.random.Generator(np.random.PCG64(SEED))
    parts = dirichlet(data.train_labels, sellers, ALPHA, SEED)
    orders = [random.permutation(part) for part in parts]
    schedule = [random.choice(drawn_from, DRAWS, replace=False) for _ in range(rounds)]
    return Job(
        inputs=tuple(data.train_inputs[order] for order in orders),
        labels=tuple(data.train_labels[order] for order in orders),
        evaluation_inputs=data.evaluation_inputs,
        evaluation_labels=data.evaluation_labels,
        schedule=np.sort(np.array(schedule)),
        weights=initial_weights(MODELS[network], bytes(32)),
        network=network,
    )


def run(contender: Contender, cores: Sequence[int]) -> dict[str, Any]:
    """One run of one contender on the given cores; its report. Raises ClickException."""
    report = _WORK / f"{contender.name}.json"
    report.unlink(missing_ok=True)
    log = report.with_suffix(".log")
    command = contender.command(str(_WORK / f"{contender.job}.npz"), str(report), len(cores))
    environment = {**os.environ, **dict.fromkeys(_ONE_THREAD, str(len(cores)))}
    # Neither peer shall spend the measured time on reporting home.
    environment |= {"FLWR_TELEMETRY_ENABLED": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    environment["PYTHONPATH"] = str(ROOT / "offchain")  # of Ray's workers
    environment |= contender.variables
    start = time.monotonic()
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        try:
            status = process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise click.ClickException(f"{contender.name} came to no end; see {log}") from None
    if status or not report.exists():
        raise click.ClickException(f"{contender.name} ended with status {status}; see {log}")
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    startup = found.pop("first_round") - start
    return {"contender": contender.name, "cores": len(cores), "startup_seconds": startup, **found}


def _machine() -> dict[str, Any]:
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    return {
        "processor": names[0] if names else platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "load_before": os.getloadavg()[0],
    }


@click.command(help=__doc__)
@click.option("--rounds", type=click.IntRange(2), default=5, show_default=True)
@click.option("--repetitions", type=click.IntRange(1), default=3, show_default=True)
@click.option("--cores", type=click.IntRange(1), multiple=True, default=(1, 2), show_default=True)
@click.option("--only", type=click.Choice([c.name for c in CONTENDERS]), multiple=True)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=RECORDS, show_default=True
)
def main(
    rounds: int, repetitions: int, cores: tuple[int, ...], only: tuple[str, ...], out: Path
) -> None:
    """Run all contenders by turns and write the records."""
    present = sorted(os.sched_getaffinity(0))
    if max(cores) > len(present):
        raise click.ClickException(f"{max(cores)} cores are asked for; here are {len(present)}")
    _WORK.mkdir(parents=True, exist_ok=True)
    try:
        for name, job in jobs(rounds).items():
            job.save(_WORK / f"{name}.npz")
    except DataError as error:
        raise click.ClickException(str(error)) from error
    contenders = [c for c in CONTENDERS if not only or c.name in only]
    machine, runs = _machine(), []
    for repetition in range(repetitions):
        for count in cores:
            for contender in contenders:
                runs.append(run(contender, present[:count]))
                seconds = np.median(runs[-1]["round_seconds"][1:])
                click.echo(
                    f"{repetition + 1}/{repetitions}  {count} cores  {contender.name:18}"
                    f" {seconds:7.3f} s a round  accuracy {runs[-1]['accuracy']:.4f}"
                )
    command = " ".join(["make bench-learning", *_arguments()])
    record = {
        "command": command,
        "machine": machine,
        "rounds": rounds,
        "repetitions": repetitions,
        "runs": runs,
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "bench.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (out / "bench.md").write_text(markdown(record), encoding="utf-8")
    click.echo(f"written: {out / 'bench.md'}")


def _arguments() -> list[str]:
    return [f'ARGS="{" ".join(sys.argv[1:])}"'] if sys.argv[1:] else []


if __name__ == "__main__":
    main()
