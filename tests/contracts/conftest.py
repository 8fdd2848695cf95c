"""Contracts as their sources are now, and a job in each of its states, fresh for every test."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import ape
import pytest
from eth_utils.crypto import keccak

from tests.support.play import Market, People, Play, Vote, win
from tools.setup.contracts import is_compiled

PROJECT = Path(__file__).parents[2]
STAMP = PROJECT / ".build" / "tested-sources.sha256"


@pytest.fixture(scope="session", autouse=True)
def _compiled_afresh() -> None:
    """Ape keeps a contract's old code when only something that it imports has changed."""
    if is_compiled():  # by the set-up: compiling takes the old output away from other processes
        return
    sources = [path for path in PROJECT.glob("contracts/**/*.sol") if ".cache" not in path.parts]
    config = PROJECT / "ape-config.yaml"
    digest = sha256(b"".join(path.read_bytes() for path in [config, *sorted(sources)])).hexdigest()
    if STAMP.is_file() and STAMP.read_text() == digest:
        return
    ape.project.load_contracts(use_cache=False)
    STAMP.parent.mkdir(exist_ok=True)
    STAMP.write_text(digest)


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


@pytest.fixture
def settled(seeding: Play) -> Play:
    """A job that reached its target in one round, every vote being right."""
    seeding.settle()
    return seeding


@pytest.fixture
def vote(voting: Play) -> Vote:
    return voting.vote_for(keccak(b"true"))


@pytest.fixture
def revealing(voting: Play, vote: Vote) -> Play:
    """Everybody asked has committed to `vote`."""
    for seat in voting.seats_asked():
        voting.commit(seat, vote)
    return voting
