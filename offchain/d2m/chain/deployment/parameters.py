"""A deployment's parameters: a YAML file, checked against the constructor that takes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from eth_abi.abi import is_encodable

from d2m.chain.artifacts import Artifact
from d2m.chain.deployment.genesis import BLOCK_HASHES, GENESIS, Parameters
from d2m.chain.errors import BadParameters
from d2m.protocol.amounts import parse_amount
from d2m.protocol.bounds import AMOUNT, BOND_UNIT, STAKE_UNIT, Bound

OF_THE_CODE = "codeHashes"
"""The constructor argument that follows from the compiler's output."""
BOUNDS = {"stakeUnit": STAKE_UNIT, "bondUnit": BOND_UNIT}
"""Bounds of the parameters that a contract's constructor refuses out of them."""
OPTIONAL = {"randomSeed": BLOCK_HASHES}
"""Parameters that may be left out, and what they are then."""


def read_parameters(path: Path, artifacts: Mapping[str, Artifact]) -> Parameters:
    """The parameters in a file. Raises BadParameters, one line with what to change."""
    try:
        given = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise BadParameters(f"{path} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise BadParameters(f"{path} is no YAML: {' '.join(str(error).split())}") from None
    kinds = parameter_kinds(artifacts)
    if not isinstance(given, dict):
        raise BadParameters(f"{path} must give a value to each of {', '.join(kinds)}")
    unknown = [str(name) for name in given if name not in kinds]
    if unknown:
        raise BadParameters(f"{path}: {unknown[0]} is none of the parameters {', '.join(kinds)}")
    missing = [name for name in kinds if name not in given and name not in OPTIONAL]
    if missing:
        raise BadParameters(f"{path}: {missing[0]} is missing, of type {kinds[missing[0]]}")
    values: dict[str, Any] = {
        name: _value(f"{path}: {name}", kind, given[name], BOUNDS.get(name, AMOUNT))
        if name in given
        else OPTIONAL[name]
        for name, kind in kinds.items()
    }
    return Parameters(values["stakeUnit"], values["bondUnit"], values["randomSeed"])


def parameter_kinds(artifacts: Mapping[str, Artifact]) -> dict[str, str]:
    """The ABI type of each parameter, by name, out of the constructor of `Genesis`."""
    (constructor,) = [each for each in artifacts[GENESIS].abi if each["type"] == "constructor"]
    kinds = {each["name"].rstrip("_"): each["type"] for each in constructor["inputs"]}
    del kinds[OF_THE_CODE]
    return kinds


def _value(where: str, kind: str, given: Any, bound: Bound) -> Any:
    value = _amount(where, given, bound) if kind.startswith("uint") else _bytes(where, kind, given)
    if not is_encodable(kind, value):
        raise BadParameters(f"{where} is {given!r}, which is no {kind}")
    return value


def _amount(where: str, given: Any, bound: Bound) -> int:
    if type(given) not in (int, str):
        raise BadParameters(f"{where} is {given!r}: write an amount like 0.5 ether, or whole wei")
    try:
        return parse_amount(given, bound)
    except ValueError as error:
        raise BadParameters(f"{where}: {error}") from None


def _bytes(where: str, kind: str, given: Any) -> bytes:
    try:
        return bytes.fromhex(given.removeprefix("0x"))
    except (AttributeError, ValueError):
        remedy = f"write the {kind} as '0x' and hexadecimal digits, in quotes"
        raise BadParameters(f"{where} is {given!r}: {remedy}") from None
