"""The contracts' tests once more, on geth, by mainnet's rules and by Sepolia's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from offchain.clients.geth import Rules, start_geth
from tests.clients.as_anvil import ape_keys, as_anvil

CONTRACTS = Path(__file__).parents[1] / "contracts"
FILES = sorted(path for path in CONTRACTS.glob("test_*.py"))

pytestmark = [pytest.mark.clients, pytest.mark.slow]


@pytest.mark.parametrize("rules", Rules)
def test_the_contracts_tests_pass_on_geth(rules: Rules) -> None:
    with start_geth(rules, keys=ape_keys()) as geth, as_anvil(geth) as url:
        done = subprocess.run(
            [
                Path(sys.executable).with_name("ape"),
                "test",
                *FILES,
                "-n",
                "0",
                "-q",
                "-m",
                "not slow",
            ],
            env={**os.environ, "APE_FOUNDRY_HOST": url},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-4000:]
