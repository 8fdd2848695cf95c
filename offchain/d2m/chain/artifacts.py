"""ABIs and bytecode of the compiled contracts, from Ape's build output."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak

from d2m.chain.errors import NotCompiled

# Where Ape keeps the contract types of a project.
MANIFEST = Path(__file__).parents[3] / ".build" / "__local__.json"


@dataclass(frozen=True)
class Artifact:
    """One compiled contract or interface."""

    name: str
    abi: list[dict[str, Any]]
    bytecode: str  # creation code, 0x-prefixed; "0x" for an interface
    runtime: str = "0x"  # what is on the chain, with zeros in place of immutables

    @property
    def abi_hash(self) -> str:
        """keccak256 of the ABI as canonical JSON, 0x-prefixed."""
        canonical = json.dumps(self.abi, sort_keys=True, separators=(",", ":"))
        return "0x" + keccak(text=canonical).hex()


def load_artifacts(manifest: Path = MANIFEST) -> dict[str, Artifact]:
    """All contracts of the project by name."""
    types: Mapping[str, Any] = _manifest(manifest)["contractTypes"]
    return {
        name: Artifact(
            name=name,
            abi=found["abi"],
            bytecode=(found.get("deploymentBytecode") or {}).get("bytecode") or "0x",
            runtime=(found.get("runtimeBytecode") or {}).get("bytecode") or "0x",
        )
        for name, found in types.items()
    }


def compiler_of(name: str, manifest: Path = MANIFEST) -> dict[str, Any]:
    """Version and settings of the compiler that made a contract."""
    for compiler in _manifest(manifest)["compilers"]:
        if name in compiler["contractTypes"]:
            settings = dict(compiler["settings"])
            settings.pop("outputSelection", None)  # names every file, and changes no code
            return {"name": compiler["name"], "version": compiler["version"], "settings": settings}
    raise NotCompiled(f"{manifest} does not say what compiled {name}: run `ape compile -f`")


def _manifest(path: Path) -> Mapping[str, Any]:
    try:
        manifest: Mapping[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        raise NotCompiled(f"{path} is not there: run `make setup` to compile") from None
    except ValueError as error:
        raise NotCompiled(f"{path} is unreadable ({error!r}): run `ape compile -f`") from None
    if "contractTypes" not in manifest:
        raise NotCompiled(f"{path} names no contracts: run `ape compile -f`")
    return manifest
