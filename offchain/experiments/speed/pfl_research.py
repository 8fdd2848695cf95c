"""The job on Apple's pfl-research: `python -m experiments.speed.pfl_research JOB REPORT CORES`.

Runs on the Python of `.tools/bench-pfl`: one process with a thread for each core. Its datasets do
not shuffle: the batches of a seller are the same in all epochs, which saves it the gathering.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from pfl.aggregate.simulate import SimulatedBackend
from pfl.algorithm.base import NNAlgorithmParams
from pfl.algorithm.federated_averaging import FederatedAveraging
from pfl.callback.base import TrainingProcessCallback
from pfl.data.federated_dataset import FederatedDataset
from pfl.hyperparam.base import NNEvalHyperParams, NNTrainHyperParams
from pfl.metrics import Metrics, Weighted
from pfl.model.pytorch import PyTorchModel
from torch import Tensor, nn

from experiments.speed import job as bench

_NEVER = 10**9


class Network(nn.Module):
    """The network with the loss and the metrics that pfl asks for."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.network = bench.network(name)

    def loss(self, inputs: Tensor, labels: Tensor, eval: bool = False) -> Tensor:
        """Mean cross-entropy."""
        return nn.functional.cross_entropy(self.network(inputs), labels)

    def metrics(self, inputs: Tensor, labels: Tensor, eval: bool = True) -> dict[str, Weighted]:
        """Samples that are classified correctly."""
        right = bench.correct(self.network, inputs, labels)
        return {"right": Weighted(right, len(labels))}


class Measured(TrainingProcessCallback):
    """Measures the model after each round."""

    def __init__(self, job: bench.Job, report: bench.Report) -> None:
        self._inputs = bench.to_inputs(job.evaluation_inputs)
        self._labels = bench.to_labels(job.evaluation_labels)
        self._report = report

    def on_train_begin(self, *, model: PyTorchModel) -> Metrics:
        """Round 1 starts."""
        self._report.begin()
        return Metrics()

    def after_central_iteration(
        self, aggregate_metrics: Metrics, model: PyTorchModel, *, central_iteration: int
    ) -> tuple[bool, Metrics]:
        """A round ends."""
        right = bench.correct(model.pytorch_model.network, self._inputs, self._labels)
        self._report.end_round(right)
        return False, Metrics()


def main(job_path: str, report_path: str, cores: str) -> None:
    """Play the job and write the report."""
    torch.set_num_threads(int(cores))
    job = bench.read(job_path)
    report = bench.Report(job, ("pfl",))
    data: dict[int, Any] = {
        seller: [bench.to_inputs(inputs), bench.to_labels(labels)]
        for seller, (inputs, labels) in enumerate(zip(job.inputs, job.labels, strict=True))
    }
    turns = iter(job.schedule.reshape(-1).tolist())
    sellers = FederatedDataset.from_slices(data, lambda: next(turns))
    network = Network(job.network)
    bench.load_weights(network.network, job.weights)
    FederatedAveraging().run(
        NNAlgorithmParams(
            central_num_iterations=job.rounds,
            evaluation_frequency=_NEVER,
            train_cohort_size=job.schedule.shape[1],
            val_cohort_size=None,
        ),
        SimulatedBackend(training_data=sellers, val_data=sellers),
        PyTorchModel(network, torch.optim.Adam, torch.optim.SGD(network.parameters(), lr=1.0)),
        NNTrainHyperParams(
            local_num_epochs=bench.EPOCHS,
            local_learning_rate=bench.RATE,
            local_batch_size=job.batch,
        ),
        NNEvalHyperParams(local_batch_size=None),
        callbacks=[Measured(job, report)],
    )
    report.write(report_path)


if __name__ == "__main__":
    main(*sys.argv[1:])
