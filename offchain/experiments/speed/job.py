"""The job that every framework plays, in a file; what each of them reports.

Runs in the peers' environments too: numpy and PyTorch only.
"""

from __future__ import annotations

import json
import sys
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

CONVOLUTION, PERCEPTRON = "convolution", "perceptron"
"""The networks: of the paper's kind on 28×28 images, and a small one on 8×8 digits."""
CHANNELS, KERNEL, CLASSES, SIDE = 16, 5, 10, 28
HIDDEN, SMALL_SIDE = 32, 8
EPOCHS, RATE = 3, 0.01
INPUT_SCALE = 256.0


@dataclass(frozen=True, eq=False)
class Job:
    """Data, first weights, and who trains in which round."""

    inputs: tuple[npt.NDArray[np.uint8], ...]
    """By seller, uint8 (n, 1, side, side), in random order."""
    labels: tuple[npt.NDArray[np.uint8], ...]
    evaluation_inputs: npt.NDArray[np.uint8]
    evaluation_labels: npt.NDArray[np.uint8]
    schedule: npt.NDArray[np.int64]
    """(rounds, K): the sellers of each round, without repeats."""
    weights: npt.NDArray[np.int32]
    """The first model on the grid, int32 (d,) of units 2**-16."""
    network: str = CONVOLUTION
    batch: int = 64

    @property
    def rounds(self) -> int:
        """Rounds to play."""
        return len(self.schedule)

    def save(self, path: Path) -> None:
        """Write the file that `read` reads."""
        sizes = [len(labels) for labels in self.labels]
        np.savez(
            path,
            inputs=np.concatenate(self.inputs),
            labels=np.concatenate(self.labels),
            ends=np.cumsum(sizes)[:-1],
            evaluation_inputs=self.evaluation_inputs,
            evaluation_labels=self.evaluation_labels,
            schedule=self.schedule,
            weights=self.weights,
            network=self.network,
            batch=self.batch,
        )


def read(path: str | Path) -> Job:
    """A job from its file."""
    with np.load(path) as held:
        ends = held["ends"]
        return Job(
            inputs=tuple(np.split(held["inputs"], ends)),
            labels=tuple(np.split(held["labels"], ends)),
            evaluation_inputs=held["evaluation_inputs"],
            evaluation_labels=held["evaluation_labels"],
            schedule=held["schedule"],
            weights=held["weights"],
            network=str(held["network"]),
            batch=int(held["batch"]),
        )


def network(name: str) -> nn.Module:
    """The network of a name, as the peers' users would write it."""
    if name == PERCEPTRON:
        return nn.Sequential(
            OrderedDict(
                flatten=nn.Flatten(),
                hidden0=nn.Linear(SMALL_SIDE**2, HIDDEN),
                relu0=nn.ReLU(),
                dense=nn.Linear(HIDDEN, CLASSES),
            )
        )
    area = CHANNELS * (SIDE // 2) ** 2
    return nn.Sequential(
        OrderedDict(
            convolution=nn.Conv2d(1, CHANNELS, KERNEL, padding=KERNEL // 2),
            relu=nn.ReLU(),
            pool=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            dense=nn.Linear(area, CLASSES),
        )
    )


def load_weights(model: nn.Module, weights: npt.NDArray[np.int32]) -> None:
    """Put the first model, a flat vector on the grid, into the network's parameters."""
    flat = torch.from_numpy(weights / 65536.0).float()
    torch.nn.utils.vector_to_parameters(flat, model.parameters())


def to_inputs(values: npt.NDArray[np.uint8]) -> Tensor:
    """Inputs of the network: float32 in [0, 1)."""
    return torch.from_numpy(values.astype(np.float32) / INPUT_SCALE)


def to_labels(values: npt.NDArray[np.uint8]) -> Tensor:
    """Class numbers as PyTorch's loss takes them."""
    return torch.from_numpy(values.astype(np.int64))


def correct(model: nn.Module, inputs: Tensor, labels: Tensor) -> int:
    """Samples that the network gets right."""
    with torch.inference_mode():
        return int((model(inputs).argmax(1) == labels).sum())


@dataclass
class Report:
    """Report of a run: when each round ended and what its model gets right."""

    job: Job
    packages: tuple[str, ...]
    ends: list[float] = field(default_factory=list)
    """Times of the system's monotonic clock: the start of round 1, then the end of each round."""
    right: list[int] = field(default_factory=list)

    def begin(self) -> None:
        """Round 1 starts now."""
        self.ends.append(time.monotonic())

    def end_round(self, right: int) -> None:
        """A round is over: its model is there, and measured."""
        self.ends.append(time.monotonic())
        self.right.append(right)

    def write(self, path: str | Path) -> None:
        """The report as JSON."""
        said = {
            "first_round": self.ends[0],
            "round_seconds": np.diff(self.ends).tolist(),
            "accuracy": self.right[-1] / len(self.job.evaluation_labels),
            "threads": torch.get_num_threads(),
            "versions": {
                "python": sys.version.split()[0],
                **{name: version(name) for name in ("torch", "numpy", *self.packages)},
            },
        }
        Path(path).write_text(json.dumps(said) + "\n", encoding="utf-8")
