"""Training of one seller, as Flower's workers run it. A module, so that they can import it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from experiments.speed import job as bench


def client_app(job_path: str, loader: bool) -> ClientApp:
    """The client: trains one seller's model."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        torch.set_num_threads(1)
        config = message.content["config"]
        job = _job(job_path)
        inputs, labels = _samples(job_path, int(config["seller"]))
        model = bench.network(job.network)
        model.load_state_dict(message.content["arrays"].to_torch_state_dict())
        optimiser = torch.optim.Adam(model.parameters(), lr=bench.RATE)
        for _ in range(bench.EPOCHS):
            for batch in _batches(inputs, labels, job.batch, loader):
                optimiser.zero_grad()
                nn.functional.cross_entropy(model(batch[0]), batch[1]).backward()
                optimiser.step()
        content = RecordDict(
            {
                "arrays": ArrayRecord(model.state_dict()),
                "metrics": MetricRecord({"num-examples": 1}),
            }
        )
        return Message(content=content, reply_to=message)

    return app


def _batches(
    inputs: Tensor, labels: Tensor, size: int, loader: bool
) -> Iterable[tuple[Tensor, Tensor]]:
    if loader:
        return DataLoader(TensorDataset(inputs, labels), batch_size=size, shuffle=True)
    order = torch.randperm(len(labels))
    return ((inputs[part], labels[part]) for part in order.split(size))


@cache
def _job(path: str) -> bench.Job:
    return bench.read(path)


@cache
def _samples(path: str, seller: int) -> tuple[Tensor, Tensor]:
    """Converted once in each actor: what is measured is training."""
    job = _job(path)
    return bench.to_inputs(job.inputs[seller]), bench.to_labels(job.labels[seller])
