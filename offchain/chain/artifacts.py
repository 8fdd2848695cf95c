"""ABIs and bytecode of the compiled contracts, from Ape's build output."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offchain.chain.errors import NotCompiled

# Where Ape keeps the contract types of a project.
MANIFEST = Path(__file__).parents[2] / ".build" / "__local__.json"


@dataclass(frozen=True)
class Artifact:
    """One compiled contract or interface."""

    name: str
    abi: list[dict[str, Any]]
    bytecode: str  # creation code, 0x-prefixed; "0x" for an interface


def load_artifacts(manifest: Path = MANIFEST) -> dict[str, Artifact]:
    """All contracts of the project by name."""
    try:
        types: Mapping[str, Any] = json.loads(manifest.read_text())["contractTypes"]
    except FileNotFoundError:
        raise NotCompiled(f"{manifest} is not there: run `make setup` to compile") from None
    except (ValueError, KeyError) as error:
        raise NotCompiled(f"{manifest} is unreadable ({error!r}): run `ape compile -f`") from None
    return {
        name: Artifact(
            name=name,
            abi=found["abi"],
            bytecode=(found.get("deploymentBytecode") or {}).get("bytecode") or "0x",
        )
        for name, found in types.items()
    }
