"""ABI types of the structs that are hashed or sent."""

from __future__ import annotations

from functools import cache

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from d2m.protocol.types import Request

RULES = "(uint16,uint16,uint16,uint16,uint16,uint32,uint32,uint32,uint32,uint32,uint32)"
REQUEST = f"(bytes32,bytes32,bytes,bytes32,bytes32,bytes,{RULES})"
TERMS = "(uint8,address,uint32,uint32,uint16,uint128)"


@cache
def request_hash(request: Request) -> bytes:
    """keccak256 of the ABI encoding: what an auction remembers of a request."""
    return bytes(keccak(encode([REQUEST], [request])))
