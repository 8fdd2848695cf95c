"""The calls of the chain stand in one package."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CALLS = Path("offchain/d2m/chain/contracts")


def test_nothing_but_the_classes_of_contracts_calls_their_functions() -> None:
    sources = [
        path.relative_to(ROOT)
        for folder in ("offchain", "tools", "scripts")
        for path in sorted((ROOT / folder).rglob("*.py"))
    ]
    calling = {each for each in sources if re.search(r"\.functions\b", (ROOT / each).read_text())}
    assert calling
    assert {each for each in calling if not each.is_relative_to(CALLS)} == set()
