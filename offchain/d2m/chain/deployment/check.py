"""Reading a deployment back: is what the chain holds the market that the record says?

Facts that a node no longer knows are told apart from faults: nodes drop old history.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from hexbytes import HexBytes
from web3.exceptions import BlockNotFound, TransactionNotFound

from d2m.chain.artifacts import Artifact
from d2m.chain.client import Chain
from d2m.chain.contracts.contract import read_getter
from d2m.chain.deployment.genesis import GENESIS, PARTS, Layout, Parameters
from d2m.chain.deployment.record import Created, Record
from d2m.chain.errors import HistoryForgotten

WIRING = {
    "jobs": "Jobs",
    "registry": "SellerRegistry",
    "randomness": "Randomness",
    "pool": "ConePool",
    "yoda": "Yoda",
    "escrow": "Escrow",
    "auctionHouse": "AuctionHouse",
}
"""Getters by which contracts name each other, and the part that is meant."""
PUSH1, PUSH32 = 0x60, 0x7F
WORD_BYTES = 32


class Check(NamedTuple):
    """One thing read back; as it should be where neither `fault` nor `unknown` says otherwise."""

    what: str
    fault: str | None
    unknown: str | None = None
    """Why this node cannot tell."""


def check(chain: Chain, record: Record, artifacts: Mapping[str, Artifact]) -> Iterator[Check]:
    """Everything about a deployment that can be read, against the record and the code here.

    The addresses alone settle parameters, code and wiring, as they follow from them; the rest is
    read nevertheless, for whoever does not want to believe that. Raises BadDeployment for
    unreadable parameters, NotCompiled, and what a failing node raises.
    """
    plan = Layout(Parameters.of_record(record.parameters), artifacts)
    expected = {GENESIS: str(plan.genesis), **plan.addresses}
    recorded = {name: each.address for name, each in record.contracts.items()}
    yield Check("addresses follow from parameters and code", _difference(recorded, expected))
    if set(recorded) != set(expected):
        return
    for name, created in record.contracts.items():
        yield _creation(chain, name, created)
        fault = _code_fault(chain, created, artifacts[name])
        yield Check(f"{name}: code", fault)
        values = _expected_values(plan, artifacts[name])
        if fault is None and values:
            found = {each: read_getter(chain, name, each) for each in values}
            yield Check(f"{name}: {', '.join(values)}", _difference(found, values))


def same_code(compiled: bytes, found: bytes) -> bool:
    """Whether code is the compiler's but for its immutables: pushes of a word that it left zero."""
    if len(compiled) != len(found):
        return False
    masked = bytearray(found)
    for start in immutable_offsets(compiled):
        masked[start : start + WORD_BYTES] = bytes(WORD_BYTES)
    return bytes(masked) == compiled


def immutable_offsets(compiled: bytes) -> list[int]:
    """Where the compiler left room for immutables: it pushes any other zero in fewer bytes."""
    found, at = [], 0
    while at < len(compiled):
        operation = compiled[at]
        at += 1
        if operation == PUSH32 and compiled[at : at + WORD_BYTES] == bytes(WORD_BYTES):
            found.append(at)
        if PUSH1 <= operation <= PUSH32:
            at += operation - PUSH1 + 1
    return found


def _creation(chain: Chain, name: str, created: Created) -> Check:
    """Whether the recorded transaction is in the recorded block.

    A node that has dropped its index of transactions finds none by its hash, but still has the
    blocks: then the block is looked through. Without the block nothing can be said; what is at the
    address says the rest.
    """
    what = f"{name}: creation"
    wanted = HexBytes(created.transaction)
    try:
        number = chain.w3.eth.get_transaction_receipt(wanted)["blockNumber"]
    except (TransactionNotFound, HistoryForgotten):
        return Check(what, *_in_its_block(chain, created, wanted))
    fault = f"it was in block {number}, not {created.block}" if number != created.block else None
    return Check(what, fault)


def _in_its_block(
    chain: Chain, created: Created, wanted: HexBytes
) -> tuple[str | None, str | None]:
    """Fault, or why it is unknown, where a node does not find a transaction's receipt."""
    head = chain.block_number()
    if head < created.block:
        return f"the chain is at block {head}, it should be in block {created.block}", None
    try:
        block = chain.w3.eth.get_block(created.block)
    except (BlockNotFound, HistoryForgotten):
        return None, f"this node no longer has block {created.block}: ask one that has"
    if wanted in block["transactions"]:
        return None, None
    return f"block {created.block} has no transaction {created.transaction}", None


def _code_fault(chain: Chain, created: Created, artifact: Artifact) -> str | None:
    if created.abi_hash != artifact.abi_hash:
        return "its ABI is another than the one compiled here: use the code it was deployed from"
    found = bytes(chain.w3.eth.get_code(created.address))  # type: ignore[arg-type]
    if not found:
        return f"there is no code at {created.address}"
    if not same_code(bytes.fromhex(artifact.runtime.removeprefix("0x")), found):
        return "it is not what is compiled here: use the code it was deployed from"
    return None


def _expected_values(plan: Layout, artifact: Artifact) -> dict[str, Any]:
    """Answers that a contract's getters must give, for those whose answer is known."""
    parts = dict(zip(PARTS, plan.addresses.values(), strict=True))
    known: dict[str, Any] = {getter: parts[part] for getter, part in WIRING.items()}
    known["stakeUnit"] = plan.parameters.stake_unit
    known["bondUnit"] = plan.parameters.bond_unit
    known["randomSeed"] = plan.parameters.random_seed
    known["created"] = len(PARTS)
    getters = {entry["name"] for entry in artifact.abi if _is_getter(entry)}
    return {name: value for name, value in known.items() if name in getters}


def _is_getter(entry: dict[str, Any]) -> bool:
    return entry["type"] == "function" and not entry["inputs"] and len(entry["outputs"]) == 1


def _difference(found: Mapping[str, Any], expected: Mapping[str, Any]) -> str | None:
    """The first name under which the two differ."""
    for name in [*expected, *found]:
        if found.get(name) != expected.get(name):
            here, there = found.get(name, "nothing"), expected.get(name, "nothing")
            return f"{name} is {here}, not {there}"
    return None
