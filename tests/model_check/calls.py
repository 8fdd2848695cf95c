"""Moves as calldata."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from eth_abi.abi import encode
from eth_abi.grammar import parse

from d2m.protocol.ballots import RESULT_TYPE, RoundResult
from tests.model_check.model.basics import Mood, Move, selector
from tests.model_check.model.encoding import REQUEST, RULES, TERMS

SETTLEMENT = "(address,uint16,uint16,uint32,bytes32)"
SIGNATURES = {
    "house.open": f"({REQUEST},{TERMS})",
    "house.cancel": "(uint256)",
    "house.bid": "(uint256,uint256)",
    "house.sealBid": "(uint256,bytes32,uint8)",
    "house.revealBid": "(uint256,uint256,bytes32)",
    "house.close": f"(uint256,{REQUEST})",
    "house.reclaim": "(uint256,address)",
    "registry.offer": "(bytes32[],bytes,bytes32)",
    "registry.update": "(uint256,bytes32[],bytes,bytes32)",
    "registry.pause": "(uint256)",
    "registry.resume": "(uint256)",
    "registry.leave": "(uint256)",
    "registry.withdrawBond": "(uint256,address)",
    "pool.join": "(bytes32)",
    "pool.leave": "()",
    "pool.withdrawStake": "(address)",
    "pool.slash": "(uint256,(uint16,uint16,uint16)[])",
    "pool.freezePool": "(uint256)",
    "pool.releasePool": "(uint256)",
    "jobs.advance": "(uint256)",
    "jobs.postUpdate": "(uint256,uint32,uint256,bytes32,bytes)",
    "jobs.open": f"(uint256,{RESULT_TYPE})",
    "jobs.create": f"({REQUEST},address,uint256)",
    "yoda.commit": "(uint256,uint256,bytes32)",
    "yoda.reveal": "(uint256,uint256,bytes32,bytes32,bytes32)",
    "yoda.begin": "(uint256,uint16)",
    "yoda.advance": "(uint256)",
    "yoda.judge": "(uint256,uint16,bytes32)",
    "escrow.withdraw": "(address,address)",
    "escrow.claimSeller": "(uint256,uint256,uint256,uint256,bytes32[])",
    "escrow.claimCone": "(uint256,uint256,(uint16,uint16)[])",
    "escrow.deposit": "(uint256,address,address,uint256)",
    "escrow.refund": "(uint256,address,address,uint256)",
    "escrow.fund": "(uint256,uint256,address,uint256)",
    "escrow.addSlashed": "(uint256)",
    "escrow.settle": f"(uint256,{SETTLEMENT})",
}
assert RULES in REQUEST


def calldata(move: Move, addresses: Mapping[str, str]) -> tuple[str, bytes]:
    """The address that a move calls, and with what."""
    if move.contract == "chameleon":
        return move.sender, _plan(*move.args, addresses)
    name = f"{move.contract}.{move.function}"
    args = [each.abi_tuple if isinstance(each, RoundResult) else each for each in move.args]
    return addresses[move.contract], encoded(f"{move.function}{SIGNATURES[name]}", *args)


def _plan(mood: Mood, planned: Move | None, addresses: Mapping[str, str]) -> bytes:
    target, data = calldata(planned, addresses) if planned else ("0x" + "00" * 20, b"")
    return encoded("plan(uint8,address,bytes)", int(mood), target, data)


def encoded(signature: str, *args: Any) -> bytes:
    """Calldata of a function with this signature."""
    return selector(signature) + encode(_types(signature), args)


@cache
def _types(signature: str) -> list[str]:
    arguments = signature[signature.index("(") :]
    if arguments == "()":
        return []
    return [each.to_type_str() for each in parse(arguments).components]
