"""Gas of every call on geth, measured in a process of its own: Ape keeps to one chain in each."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import ape

from d2m.clients.geth import Rules, start_geth
from tests.support.as_anvil import ape_keys, as_anvil
from tests.support.evm import limit_needed
from tools.gas.measure import measure, staff
from tools.gas.record import Meter


def measured(rules: Rules) -> dict[str, list[int]]:
    """Gas of each call as most users make it, and the limit that its dearest form needs."""
    with start_geth(rules, keys=ape_keys()) as geth, as_anvil(geth) as url:
        done = subprocess.run(
            [sys.executable, "-m", __name__],
            env={**os.environ, "APE_FOUNDRY_HOST": url},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    found: dict[str, list[int]] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print the table of the chain that Ape is told of."""
    meter = Meter(need=limit_needed)
    with ape.networks.ethereum.local.use_provider("foundry"):
        measure(meter, *staff())
    print(json.dumps(meter.pairs()))


if __name__ == "__main__":
    main()
