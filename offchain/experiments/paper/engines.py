"""Where the cells of a grid run: processes of this machine, or a Ray cluster."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from experiments.paper.cells import Cell
from experiments.paper.results import Result, Results
from experiments.paper.run import run_cell

Engine = Callable[[Sequence[Cell], Path, int, str], Iterator["Result | None"]]
"""Runs cells, so many at a time, sellers training on the named device. Yields results as they come,
and None every second in between, so that the caller can show what is under way."""
BEAT_SECONDS = 1.0


class EngineMissing(RuntimeError):
    """An engine that is not installed; the message says how to get it."""


def local(
    cells: Sequence[Cell], folder: Path, workers: int, device: str
) -> Iterator[Result | None]:
    """Processes of this machine, each with one thread.

    When the caller stops, they are terminated: every round is in a checkpoint.
    """
    with _single_threaded():
        pool = multiprocessing.get_context("spawn").Pool(workers, _leave_interrupts_to_the_parent)
    with pool:
        found = pool.imap_unordered(partial(_run, folder, device), cells)
        missing = len(cells)
        while missing:
            try:
                yield found.next(timeout=BEAT_SECONDS)
            except multiprocessing.TimeoutError:
                yield None
            else:
                missing -= 1


def ray(cells: Sequence[Cell], folder: Path, workers: int, device: str) -> Iterator[Result | None]:
    """Tasks of one core each: on the cluster that `RAY_ADDRESS` names, else on this machine.

    The nodes of a cluster keep checkpoints in `folder` on their own disks; results come back here.
    """
    try:
        import ray as cluster
    except ImportError as error:
        raise EngineMissing("Ray is not installed: run tools/setup/setup.sh ray") from error
    address = os.environ.get("RAY_ADDRESS")
    size = {} if address else {"num_cpus": workers}
    cluster.init(address=address, log_to_driver=False, include_dashboard=False, **size)
    try:
        task = cluster.remote(num_cpus=1, max_retries=0)(_run)
        waiting = [task.remote(folder, device, cell) for cell in cells]
        while waiting:
            done, waiting = cluster.wait(waiting, timeout=BEAT_SECONDS)
            if not done:
                yield None
            for result in cluster.get(done):
                Results(folder).write(Cell(**result["cell"]), result)
                yield result
    finally:
        cluster.shutdown()


ENGINES: dict[str, Engine] = {"local": local, "ray": ray}


def _run(folder: Path, device: str, cell: Cell) -> Result:
    return run_cell(cell, folder, device)


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Workers started inside take one core each: the libraries read these when they are loaded."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _leave_interrupts_to_the_parent(*_: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
