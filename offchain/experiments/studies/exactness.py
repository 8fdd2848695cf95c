"""The digest of a round on differently set machines.

Many small rounds with random models, data, updates and rules are computed in fresh processes that
differ in threads, kernels, batch sizes, the instructions that the libraries may use, and, with
--python, in PyTorch itself. Every digest must be the same. What a worker printed on another machine
is kept in docs/experiments/exactness and compared, too:

    python -m experiments.studies.exactness --device cuda >docs/experiments/exactness/a-GPU.txt
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import click
import numpy as np
import torch
from rich.progress import track

from d2m.jobs.answer import answer
from d2m.learning.defaults import SAMPLER
from d2m.learning.grid import UPDATE_LIMIT, IntVector
from d2m.learning.network import exact
from d2m.learning.network.exact import predict
from d2m.learning.network.model import ModelSpec, to_tensors
from d2m.learning.network.operators import Operator
from d2m.learning.round import initial_state, next_state
from d2m.learning.spec import JobSpec, TrainingSpec
from d2m.learning.training.local import network, network_inputs
from d2m.learning.updates import EvaluationSet, encode_update
from experiments.formatting import markdown, write_page
from experiments.machine import machine
from experiments.study import REPORT, Facts, Recorded, command, option

RECORDED = REPORT / "exactness"
"""What workers printed on other machines; a file's name says on which."""
SELLERS = 9
SAMPLES = 64
CLASSES = 10
SHAPE = (2, 9, 9)
RULES = (
    "mean",
    "median",
    "trimmed_mean",
    "geometric_median",
    "multi_krum",
    "corrected_krum",
    "centered_clipping",
    "nnm+trimmed_mean",
    "clipping+nnm+geometric_median",
    "bucketing+multi_krum",
)
MODELS = (
    ModelSpec("convolution", SHAPE, CLASSES, channels=7, kernel=5, input_centre=128),
    ModelSpec("perceptron", SHAPE, CLASSES, hidden=(33, 17)),
    ModelSpec("logistic", SHAPE, CLASSES),
    ModelSpec(
        "sequence",
        SHAPE,
        CLASSES,
        operators=(
            Operator("convolution", outputs=6, side=3, stride=2, padding=1),
            Operator("relu"),
            Operator("average_pool", side=2, stride=2),
            Operator("flatten"),
            Operator("dense", outputs=12),
            Operator("relu"),
            Operator("dense", outputs=CLASSES),
        ),
    ),
)
TYPICAL_WEIGHT = 20_000
"""Grid units, 0.3: as trained weights are. Every eighth job has updates up to the limit."""


@dataclass(frozen=True)
class Setting:
    """How a process computes. `environment` is read when the libraries are loaded."""

    name: str
    threads: int = 1
    onednn: bool = True
    batch_bytes: int = exact.BATCH_BYTES
    environment: tuple[tuple[str, str], ...] = ()
    python: str = sys.executable
    device: str = exact.CPU.type


SETTINGS = (
    Setting("one thread"),
    Setting("two threads", threads=2),
    Setting("four threads", threads=4),
    Setting("without oneDNN", onednn=False),
    Setting("the smallest batches", batch_bytes=1),
    Setting("one batch for all", batch_bytes=1 << 30),
    Setting(
        "kernels without AVX",
        environment=(
            ("ATEN_CPU_CAPABILITY", "default"),
            ("ONEDNN_MAX_CPU_ISA", "SSE41"),
            ("MKL_CBWR", "COMPATIBLE"),
            ("OPENBLAS_CORETYPE", "Nehalem"),
            ("NPY_DISABLE_CPU_FEATURES", "AVX2 FMA3 AVX512F"),
        ),
    ),
)


def job(number: int) -> JobSpec:
    """The specification of one random job."""
    return JobSpec(
        dataset="random",
        model=MODELS[number % len(MODELS)],
        training=TrainingSpec(1, 8, Decimal("0.01"), "adam"),  # nobody trains here
        sampler=SAMPLER,
        rule=RULES[number // len(MODELS) % len(RULES)],
        byzantine_sellers=2500,
        sample_size=12,
        harmful_threshold=10_000,
        server_momentum=3333 if number % 2 else 0,
        init_seed=number.to_bytes(32, "big"),
    )


def digest(number: int, device: torch.device = exact.CPU) -> str:
    """The digest of a job's random round, evaluated on `device`, in hexadecimal."""
    spec, generator = job(number), np.random.default_rng(number)
    state = initial_state(spec, SELLERS, spec.init_seed)
    moved = generator.integers(-99, 99, spec.model.dimension, dtype=np.int32)
    state = replace(state, weights=state.weights + moved)
    limit = UPDATE_LIMIT if number % 8 == 0 else TYPICAL_WEIGHT
    posted = {
        index: encode_update(_drawn(generator, limit, spec.model.dimension))
        for index in state.sampled
    }
    output = next_state(state, posted, _evaluation(generator), spec.init_seed, spec, device)
    return answer(1, 1, output, spec, bytes).result.digest.hex()


def flips(number: int) -> tuple[int, int]:
    """Predictions of a random model that a float32 forward pass would change, and of how many.

    It also leaves out the floor to the activation grid: this is what the exact pass is for.
    """
    spec, generator = job(number).model, np.random.default_rng(number)
    weights = _drawn(generator, TYPICAL_WEIGHT, spec.dimension)
    inputs = _evaluation(generator).inputs
    model = network(spec)
    tensors = {
        name: torch.from_numpy(tensor.astype(np.float32) / (1 << 16))
        for name, tensor in to_tensors(spec, weights).items()
    }
    model.load_state_dict(tensors)
    with torch.inference_mode():
        rough = model(network_inputs(spec, inputs)).numpy().argmax(axis=1)
    return int((rough != predict(spec, weights, inputs)).sum()), len(inputs)


def _drawn(generator: np.random.Generator, limit: int, size: int) -> IntVector:
    return generator.integers(-limit, limit, size, dtype=np.int32, endpoint=True)


def _evaluation(generator: np.random.Generator) -> EvaluationSet:
    return EvaluationSet(
        generator.integers(0, 256, (SAMPLES, *SHAPE), dtype=np.uint8),
        generator.integers(0, CLASSES, SAMPLES, dtype=np.uint8),
    )


def digests(setting: Setting, count: int) -> tuple[str, list[str]]:
    """The version of torch and the digests of the first jobs, from a fresh process."""
    worker_command = [
        *(setting.python, "-m", "experiments.studies.exactness", f"--count={count}"),
        *(f"--threads={setting.threads}", f"--batch-bytes={setting.batch_bytes}"),
        f"--device={setting.device}",
        *(() if setting.onednn else ("--no-onednn",)),
    ]
    environment = {**os.environ, **dict(setting.environment)}
    done = subprocess.run(worker_command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise click.ClickException(f"{setting.name}: {done.stderr.strip().splitlines()[-1]}")
    version, *found = done.stdout.split()
    return version, found


def read_recorded(path: Path, count: int) -> tuple[str, list[str]]:
    """As `digests`, from what a worker printed elsewhere. Raises UsageError where it is short."""
    version, *found = path.read_text().split()
    if len(found) < count:
        raise click.UsageError(f"{path} has {len(found)} digests: give --count {len(found)}")
    return version, found[:count]


def differing(first: Sequence[str], other: Sequence[str]) -> int:
    """How many digests differ; lists of different lengths are an error."""
    return sum(a != b for a, b in zip(first, other, strict=True))


def recorded_here() -> tuple[Path, ...]:
    """The files that are compared unless others are named."""
    return tuple(sorted(RECORDED.glob("*.txt")))


def run(count: int, python: tuple[str, ...], gpu: bool, recorded: tuple[Path, ...]) -> Facts:
    """Compute and compare."""
    settings = [
        *SETTINGS,
        *(Setting(f"another PyTorch {i}", python=p) for i, p in enumerate(python, 1)),
        *((Setting("a GPU", device="cuda"),) if gpu else ()),
    ]
    elsewhere = {path.stem.replace("-", " "): read_recorded(path, count) for path in recorded}
    computed = {
        setting.name: digests(setting, count) for setting in track(settings, description="settings")
    }
    expected = computed[SETTINGS[0].name][1]
    rows = [
        {
            "setting": name,
            "torch": version,
            "rounds": count,
            "different": differing(expected, found),
        }
        for name, (version, found) in {**computed, **elsewhere}.items()
    ]
    changed, of = map(sum, zip(*map(flips, range(count)), strict=True))
    return {
        "command": command("exactness"),
        "machine": machine(),
        "rows": rows,
        "float32_flips": changed,
        "float32_predictions": of,
    }


def pages(facts: Facts, folder: Path) -> list[Path]:
    """Write exactness.md."""
    rows = facts["rows"]
    total, different = totals(facts)
    page = [
        "# One digest on every machine",
        "",
        f"`{facts['command']}`: {total:,} round computations, each setting a fresh process;"
        f" {different} digests differ from the first row's.",
        "",
        *markdown(
            ("setting", "torch", "rounds", "different"),
            [[str(value) for value in row.values()] for row in rows],
        ),
        "",
        "No float decides anything: the forward pass holds integers in float64, and a model whose",
        "sums could reach 2⁵³ is refused. A float32 pass of the same random models predicts"
        f" {facts['float32_flips']} of {facts['float32_predictions']:,} samples otherwise.",
    ]
    return [write_page(folder / "exactness.md", page)]


def totals(facts: Facts) -> tuple[int, int]:
    """Rounds compared, and how many digests differ."""
    rows = facts["rows"]
    return sum(row["rounds"] for row in rows), sum(row["different"] for row in rows)


def _told(facts: Facts) -> list[str]:
    total, different = totals(facts)
    return [f"{total} rounds compared, {different} differ"]


def _fault(facts: Facts) -> str:
    _, different = totals(facts)
    return f"{different} digests differ" if different else ""


STUDY = Recorded(
    name="exactness",
    about="The digest of a round on differently set machines: one and the same.",
    takes="4 min, 7 beside other work",
    options=(
        option("--count", type=click.IntRange(1), default=1430, help="Jobs."),
        option("--python", multiple=True, help="Another interpreter, with another PyTorch."),
        option("--gpu", is_flag=True, help="Also evaluate on the GPU that PyTorch sees."),
        click.Option(
            ["--recorded"],
            multiple=True,
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            default=recorded_here,
            show_default=f"all of {RECORDED}",
            help="What a worker printed on another machine; the file's name says which.",
        ),
    ),
    play=run,
    pages=pages,
    told=_told,
    fault=_fault,
)


@click.command(help="Print the version of torch and the digests that this process computes.")
@click.option("--count", type=int, default=1430, show_default=True)
@click.option("--threads", type=int, default=1, show_default=True)
@click.option("--batch-bytes", type=int, default=exact.BATCH_BYTES, show_default=True)
@click.option("--device", type=torch.device, default="cpu", show_default=True, help="cpu or cuda.")
@click.option("--onednn/--no-onednn", default=True)
def worker(count: int, threads: int, batch_bytes: int, device: torch.device, onednn: bool) -> None:
    """Print a digest a line."""
    torch.set_num_threads(threads)
    torch.backends.mkldnn.set_flags(onednn)  # type: ignore[no-untyped-call]
    exact.BATCH_BYTES = batch_bytes
    click.echo(torch.__version__)
    for number in range(count):
        click.echo(digest(number, device))


if __name__ == "__main__":
    worker()
