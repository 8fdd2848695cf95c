"""Compile ``Probe.sol`` into ``probe.json``, in the shape of Ape's manifest.

    python tests/chain/probe/compile.py SOLC > tests/chain/probe/probe.json

SOLC is a solc 0.8.37 that reads standard JSON; the settings are those of ape-config.yaml.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_name("Probe.sol")
SETTINGS = {
    "evmVersion": "cancun",
    "optimizer": {"enabled": True, "runs": 200},
    "outputSelection": {"*": {"*": ["abi", "evm.bytecode.object"]}},
}


def main(solc: str) -> None:
    request = {
        "language": "Solidity",
        "sources": {SOURCE.name: {"content": SOURCE.read_text()}},
        "settings": SETTINGS,
    }
    answer = subprocess.run(
        [solc, "--standard-json"], input=json.dumps(request), text=True, check=True, stdout=-1
    )
    compiled = json.loads(answer.stdout)["contracts"][SOURCE.name]
    types = {
        name: {
            "abi": found["abi"],
            "deploymentBytecode": {"bytecode": "0x" + found["evm"]["bytecode"]["object"]},
        }
        for name, found in compiled.items()
    }
    print(json.dumps({"contractTypes": types}, indent=1))


if __name__ == "__main__":
    main(sys.argv[1])
