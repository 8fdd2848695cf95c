"""Solidity's revert data, decoded by name with the errors of all known contracts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from eth_abi import abi as codec
from eth_abi.exceptions import DecodingError
from eth_typing import ABIError
from eth_utils.abi import (
    abi_to_signature,
    function_signature_to_4byte_selector,
    get_abi_input_names,
    get_abi_input_types,
)

from d2m.chain.artifacts import Artifact
from d2m.chain.errors import Reverted


def _builtin(name: str, argument: str, kind: str) -> ABIError:
    return {"type": "error", "name": name, "inputs": [{"name": argument, "type": kind}]}


_BUILTIN = (_builtin("Error", "message", "string"), _builtin("Panic", "code", "uint256"))


class ErrorLibrary:
    """Custom errors by their four-byte selector, over every artifact.

    One contract's revert often carries another's error, so the ABI of the called one is not enough.
    """

    def __init__(self, artifacts: Iterable[Artifact]) -> None:
        self._by_selector: dict[bytes, ABIError] = {}
        for error in _BUILTIN:
            self._add(error)
        for artifact in artifacts:
            for entry in artifact.abi:
                if entry["type"] == "error":
                    self._add(cast(ABIError, entry))

    def _add(self, error: ABIError) -> None:
        selector = function_signature_to_4byte_selector(abi_to_signature(error))
        self._by_selector[selector] = error

    def decode(self, data: bytes) -> Reverted:
        """The error behind revert ``data``; "Unexplained" with the data when none is known."""
        error = self._by_selector.get(data[:4])
        if error is None:
            return Reverted("Unexplained", {"data": "0x" + data.hex()})
        try:
            values: tuple[Any, ...] = codec.decode(get_abi_input_types(error), data[4:])
        except (DecodingError, ValueError):
            return Reverted("Unexplained", {"data": "0x" + data.hex()})
        names = [name or str(index) for index, name in enumerate(get_abi_input_names(error))]
        return Reverted(error["name"], dict(zip(names, values, strict=True)))
