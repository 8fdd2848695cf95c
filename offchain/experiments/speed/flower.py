"""The job on Flower's simulation: `python -m experiments.speed.flower JOB REPORT CORES [loader]`.

Runs on the Python of `.tools/bench-flower`. Its Ray has one actor for each core, each with one
thread. The clients train on tensors in memory, or with `loader` on a DataLoader, as the framework's
own PyTorch examples do. Sellers keep nothing between rounds, so which of Flower's nodes trains for
which seller does not matter: the message says it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

import torch
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.common import MessageType
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.serverapp.strategy.strategy_utils import sample_nodes
from flwr.simulation import run_simulation

from experiments.speed import job as bench
from experiments.speed.flower_client import client_app


class Scheduled(FedAvg):
    """FedAvg of the job's own sellers, unweighted."""

    def __init__(self, job: bench.Job) -> None:
        sellers = len(job.inputs)
        super().__init__(fraction_evaluate=0.0, min_available_nodes=sellers)
        self._schedule = job.schedule

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """A message to one node for each seller of the round, once all nodes are connected."""
        chosen = self._schedule[server_round - 1].tolist()
        nodes, _ = sample_nodes(grid, self.min_available_nodes, len(chosen))
        return [
            Message(
                content=RecordDict({"arrays": arrays, "config": ConfigRecord({"seller": seller})}),
                message_type=MessageType.TRAIN,
                dst_node_id=node,
            )
            for node, seller in zip(nodes, chosen, strict=True)
        ]

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """The mean of all, or an error: Flower alone would go on without who failed."""
        replies = list(replies)
        failed = [reply.error for reply in replies if reply.has_error()]
        if failed or len(replies) != self._schedule.shape[1]:
            raise RuntimeError(f"{len(replies)} replies, errors: {failed}")
        return super().aggregate_train(server_round, replies)


def server_app(job: bench.Job, report: bench.Report) -> ServerApp:
    """The server: averages, and measures each new model."""
    app = ServerApp()
    model = bench.network(job.network)
    bench.load_weights(model, job.weights)
    inputs, labels = bench.to_inputs(job.evaluation_inputs), bench.to_labels(job.evaluation_labels)

    def evaluate(server_round: int, arrays: ArrayRecord) -> MetricRecord:
        if server_round == 0:
            report.begin()
            return MetricRecord({"right": 0})
        model.load_state_dict(arrays.to_torch_state_dict())
        report.end_round(bench.correct(model, inputs, labels))
        return MetricRecord({"right": report.right[-1]})

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        torch.set_num_threads(1)
        arrays = ArrayRecord(model.state_dict())
        Scheduled(job).start(grid, arrays, num_rounds=job.rounds, evaluate_fn=evaluate)

    return app


def main(job_path: str, report_path: str, cores: str, *loader: str) -> None:
    """Play the job and write the report."""
    job = bench.read(job_path)
    report = bench.Report(job, ("flwr", "ray"))
    run_simulation(
        server_app(job, report),
        client_app(job_path, bool(loader)),
        num_supernodes=len(job.inputs),
        backend_config={
            "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
            "init_args": {"num_cpus": int(cores), "include_dashboard": False},
        },
    )
    report.write(report_path)


if __name__ == "__main__":
    main(*sys.argv[1:])
