"""The tests name all that the contracts declare, and keep clear of a trap."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ape
import pytest

from d2m.learning.earnings import SHARES_ONE
from d2m.protocol.constants import RESULT_VERSION
from tests.support.evm import look
from tests.support.play import Market

TESTS = Path(__file__).parents[1]
DEPLOYED = (
    "AuctionHouse",
    "BlockhashRandomness",
    "ConePool",
    "Escrow",
    "Genesis",
    "Jobs",
    "KeyRings",
    "Lens",
    "SeededRandomness",
    "SellerRegistry",
    "Yoda",
)
OF_OPENZEPPELIN = {"CheckpointUnorderedInsertion"}
"""Errors of its libraries, for what cannot happen here."""
IMMUTABLE_PARTS = {"registry", "randomness", "pool", "yoda", "escrow", "auctionHouse", "jobs"}


@pytest.fixture(scope="module")
def words() -> set[str]:
    """Every attribute that a contract test or its helpers use."""
    folders = (TESTS / "contracts", TESTS / "support")
    texts = (path.read_text() for folder in folders for path in folder.glob("*.py"))
    return set(re.findall(r"\.(\w+)", " ".join(texts)))


def declared(kind: str) -> Iterator[tuple[str, str]]:
    """Contract and name of every error, event or method of the market."""
    for name in DEPLOYED:
        contract: Any = getattr(ape.project, name).contract_type
        for each in getattr(contract, kind):
            yield name, each.name


def test_the_list_of_contracts_is_complete() -> None:
    """All but interfaces, libraries and the base contract."""
    found = {
        path.stem
        for path in (TESTS.parent / "contracts").rglob("*.sol")
        if re.search(rf"^contract {path.stem} ", path.read_text(), re.MULTILINE)
        and ".cache" not in path.parts
    }
    assert found == set(DEPLOYED)


@pytest.mark.parametrize("kind", ["errors", "events", "mutable_methods", "view_methods"])
def test_everything_declared_is_tested(words: set[str], kind: str) -> None:
    exempt = OF_OPENZEPPELIN | (IMMUTABLE_PARTS if kind == "view_methods" else set())
    missing = [each for each in declared(kind) if each[1] not in words | exempt]
    assert missing == []


def test_constants_are_those_of_the_python_side(staffed: Market) -> None:
    assert look(staffed.jobs.RESULT_VERSION) == RESULT_VERSION
    assert look(staffed.escrow.SHARES_ONE) == SHARES_ONE
    house = staffed.auction_house
    assert (look(house.MIN_WINDOW_BLOCKS), look(house.MAX_WINDOW_BLOCKS)) == (5, 50_400)
    assert (look(house.EXTENSION_BLOCKS), look(house.MAX_EXTENSION_BLOCKS)) == (5, 100)
    assert (look(house.MAX_TIER), look(house.FORFEIT_BPS)) == (20, 2000)


def test_nothing_relies_on_isolation_that_swallows_failures() -> None:
    """Inside Ape's `chain` context manager for it, `assert False` passes."""
    trap = ".isolate" + "("
    users = [path for path in TESTS.rglob("*.py") if trap in path.read_text()]
    assert users == []
