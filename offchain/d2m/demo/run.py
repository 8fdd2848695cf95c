"""A run of the demo: what its parts share and what the report is made of."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from d2m.chain.client import Chain
from d2m.chain.contracts.market import Market
from d2m.clients.anvil import Anvil
from d2m.demo.options import DemoOptions
from d2m.demo.report import Progress
from d2m.demo.stage import Stage


@dataclass
class Run:
    """A run in progress: what the report is later made of."""

    options: DemoOptions
    stage: Stage
    anvil: Anvil
    chain: Chain
    progress: Progress
    seconds_by_phase: dict[str, float] = field(default_factory=dict)
    job_id: int = 0

    @cached_property
    def market(self) -> Market:
        """Typed reads of the run's contracts."""
        return Market(self.chain)

    @contextmanager
    def phase(self, name: str, text: str) -> Iterator[None]:
        """Announce a phase and record how long it took."""
        self.progress.phase(text)
        start = time.monotonic()
        yield
        self.seconds_by_phase[name] = round(time.monotonic() - start, 2)
