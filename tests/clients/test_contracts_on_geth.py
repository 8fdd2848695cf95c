"""The contracts' tests with several accounts once more, on geth by both rules."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from d2m.clients.geth import Rules, start_geth
from tests.support.as_anvil import ape_keys, as_anvil

MECHANISMS = (
    *("auction_closing", "escrow_claims", "jobs", "key_rings", "seller_registry", "slashing"),
    "yoda_votes",
)
"""A file for each: the longest ways through all contracts, a second and more for each test. Others
set code, storage or balances by hand, which geth does not let one do, or need blocks of more gas
than there are by Sepolia's rules."""
FILES = [
    Path(__file__).parents[1] / "contracts" / f"test_{mechanism}.py" for mechanism in MECHANISMS
]

pytestmark = [pytest.mark.clients, pytest.mark.slow]


@pytest.mark.parametrize("rules", Rules)
def test_the_contracts_tests_pass_on_geth(rules: Rules, tmp_path: Path) -> None:
    ape = Path(sys.executable).with_name("ape")
    with start_geth(rules, keys=ape_keys()) as geth, as_anvil(geth) as url:
        done = subprocess.run(
            [ape, "test", *FILES, "-n", "0", "-q", "--basetemp", tmp_path / "inner"],
            env={**os.environ, "APE_FOUNDRY_HOST": url},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-4000:]
    assert "passed" in done.stdout
