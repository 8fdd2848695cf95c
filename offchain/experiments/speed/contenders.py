"""Measured systems, with the command that runs each."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

_TOOLS = Path(".tools")


@dataclass(frozen=True)
class Contender:
    """One way to play a job."""

    name: str
    module: str
    """Module of `experiments.speed` that runs it."""
    what: str
    """For people."""
    environment: str = ""
    """Its folder below `.tools`; the project's own environment where there is none."""
    arguments: tuple[str, ...] = ()
    job: str = "main"
    keeps_memory: bool = False
    """A peer to which the same is done as ours does itself: see d2m/learning/training/allocator."""

    @property
    def variables(self) -> dict[str, str]:
        """Variables that are added to its environment."""
        kept, on_heap = str(1 << 30), str(32 << 20)
        names = {"MALLOC_TRIM_THRESHOLD_": kept, "MALLOC_MMAP_THRESHOLD_": on_heap}
        return names if self.keeps_memory else {}

    def command(self, job: str, report: str, cores: int) -> list[str]:
        """The command line, run in the checkout's root."""
        own = _TOOLS / self.environment / "bin" / "python"
        python = str(own) if self.environment else sys.executable
        module = f"experiments.speed.{self.module}"
        return [python, "-m", module, job, report, str(cores), *self.arguments]


OURS, MARKET, FLOWER, LOADER, PFL = "ours", "ours-market", "flower", "flower-loader", "pfl"
FLOWER_KEEPS, PFL_KEEPS = "flower-keeps", "pfl-keeps"
FEW, MANY = "ours-few", "ours-many"
SMALL, SMALL_MARKET = "ours-small", "ours-small-market"
SMALL_FLOWER, SMALL_PFL = "flower-small", "pfl-small"

CONTENDERS = (
    Contender(OURS, "ours", "this project, learning only: training and mean", "", ("learning",)),
    Contender(
        MARKET,
        "ours",
        "this project, the whole round: also every update's exact utility, Multi-Krum, credits,"
        " sampler, hashes",
        "",
        ("market",),
    ),
    Contender(FLOWER, "flower", "Flower's simulation, batches cut from tensors", "bench-flower"),
    Contender(
        LOADER,
        "flower",
        "Flower's simulation, batches from a DataLoader as in its PyTorch examples",
        "bench-flower",
        ("loader",),
    ),
    Contender(
        FLOWER_KEEPS,
        "flower",
        "as flower, made to keep freed memory as ours does",
        "bench-flower",
        keeps_memory=True,
    ),
    Contender(PFL, "pfl_research", "pfl-research, batches cut once for all epochs", "bench-pfl"),
    Contender(
        PFL_KEEPS,
        "pfl_research",
        "as pfl, made to keep freed memory as ours does",
        "bench-pfl",
        keeps_memory=True,
    ),
    Contender(FEW, "ours", "50 sellers, the whole round", "", ("market",), "few"),
    Contender(MANY, "ours", "200 sellers, the same ten train", "", ("market",), "many"),
    Contender(SMALL, "ours", "the small job, learning only", "", ("learning",), "small"),
    Contender(SMALL_MARKET, "ours", "the small job, the whole round", "", ("market",), "small"),
    Contender(SMALL_FLOWER, "flower", "the small job, as flower", "bench-flower", (), "small"),
    Contender(SMALL_PFL, "pfl_research", "the small job, as pfl", "bench-pfl", (), "small"),
)
