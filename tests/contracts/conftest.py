"""A job in each of its states, fresh for every test."""

from __future__ import annotations

import pytest

from tests.contracts.play import Market, People, Play, win


@pytest.fixture
def seeding(staffed: Market, people: People) -> Play:
    return win(staffed, people)


@pytest.fixture
def collecting(seeding: Play) -> Play:
    seeding.start()
    return seeding


@pytest.fixture
def deciding(collecting: Play) -> Play:
    """The first mini-round waits for its seed."""
    collecting.collect()
    return collecting


@pytest.fixture
def voting(deciding: Play) -> Play:
    """The first mini-round takes commitments."""
    deciding.begin_mini_round()
    return deciding


@pytest.fixture
def opening(deciding: Play) -> Play:
    """`Play.result()` of the first round is accepted."""
    deciding.decide(deciding.result().digest)
    return deciding
