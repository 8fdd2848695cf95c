"""Where the market's contracts live on one chain."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_typing import ChecksumAddress
from eth_utils.address import is_checksum_address

from offchain.chain.errors import BadDeployment


@dataclass(frozen=True)
class Deployment:
    """The record that the deploy script writes and every party reads."""

    chain_id: int
    block: int  # the block from which events of the contracts can exist
    contracts: dict[str, ChecksumAddress]  # by contract name

    def write(self, path: Path) -> None:
        """Replace ``path`` as a whole, so that a reader never sees half a record."""
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        record = {"chain_id": self.chain_id, "block": self.block, "contracts": self.contracts}
        unfinished.write_text(json.dumps(record, indent=2) + "\n")
        os.replace(unfinished, path)

    @classmethod
    def read(cls, path: Path) -> Deployment:
        """Raises ``BadDeployment`` unless the record is exactly of the written form."""
        try:
            record = json.loads(path.read_text())
        except FileNotFoundError:
            raise BadDeployment(f"{path} is not there: deploy first, or name the record") from None
        except ValueError as error:
            raise BadDeployment(f"{path} is no JSON ({error}): deploy again") from None
        fault = _fault(record)
        if fault:
            raise BadDeployment(f"{path} is no deployment record ({fault}): deploy again")
        return cls(record["chain_id"], record["block"], record["contracts"])


def _fault(record: Any) -> str | None:
    if not isinstance(record, dict) or set(record) != {"chain_id", "block", "contracts"}:
        return "keys must be chain_id, block and contracts"
    for key in ("chain_id", "block"):
        if type(record[key]) is not int or record[key] < 0:
            return f"{key} must be a whole number"
    if not isinstance(record["contracts"], dict):
        return "contracts must be addresses by name"
    for name, address in record["contracts"].items():
        if not isinstance(address, str) or not is_checksum_address(address):
            return f"the address of {name} has no valid checksum"
    return None
