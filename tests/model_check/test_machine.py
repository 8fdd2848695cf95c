"""Any play of the whole market, on a real node, against the model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.model_check.build import build
from tests.model_check.runs import play
from tests.model_check.stage import Stage, staged


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with staged(build()) as stage:
        yield stage


def test_the_contracts_do_what_the_model_does(stage: Stage) -> None:
    """The quick profile; `make model-check` plays more than 100,000 steps."""
    play(stage, seed=1, examples=20, steps=100)
    assert stage.seen["settled"] > 0, "no job came to its end: the plays are too shallow"
