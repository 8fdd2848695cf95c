"""Playing the state machine for a number of examples from a seed."""

from __future__ import annotations

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model_check.machine import MarketMachine
from tests.model_check.stage import Stage


def play(stage: Stage, *, seed: int, examples: int, steps: int) -> None:
    """Raises what the first difference raises. It is not shrunk: that could take minutes.

    Hypothesis' own report would be hundreds of draws; `Differs` names the last moves.
    """
    machine = type("MarketMachine", (MarketMachine,), {"stage": stage})
    run_state_machine_as_test(
        hypothesis.seed(seed)(machine),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            phases=[Phase.generate],
            database=None,
            verbosity=Verbosity.quiet,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
