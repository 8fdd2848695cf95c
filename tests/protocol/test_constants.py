"""Constants stand once in Python, and are those of the contracts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from d2m.learning.earnings import SHARES_ONE
from d2m.protocol import constants

CONTRACTS = Path(__file__).parents[2] / "contracts"
CONSTANT = re.compile(r"\bconstant\s+(\w+)\s*=\s*([^;]+);")
NUMBER = re.compile(r"[\d_]+(e\d+)?")
OURS = {name: value for name, value in vars(constants).items() if name.isupper()}


def in_solidity() -> dict[str, set[int]]:
    """Values by name: whole numbers, and names of such."""
    sources = [path for path in CONTRACTS.rglob("*.sol") if ".cache" not in path.parts]
    stated = [found for path in sources for found in CONSTANT.findall(path.read_text())]
    numbers = {name: value for name, value in stated if NUMBER.fullmatch(value)}
    found: dict[str, set[int]] = {}
    for name, value in stated:
        number = numbers.get(value, value)
        if NUMBER.fullmatch(number):
            found.setdefault(name, set()).add(int(float(number.replace("_", ""))))
    return found


@pytest.mark.parametrize("name", OURS)
def test_a_constant_is_that_of_the_contracts(name: str) -> None:
    assert in_solidity()[name] == {OURS[name]}


def test_shares_have_the_unit_of_the_escrow() -> None:
    assert in_solidity()["SHARES_ONE"] == {SHARES_ONE}
