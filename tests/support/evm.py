"""Transactions, refusals and events on the local chain, each a few milliseconds.

An Ape transaction makes a dozen requests around the one that counts. These helpers send that one
and keep Ape's contract objects for encoding and decoding.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import ape
from ape.contracts import ContractContainer, ContractInstance
from eth_abi.abi import decode
from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.address import is_hex_address, to_checksum_address
from eth_utils.conversions import to_hex

SOLIDITY = Path(__file__).parents[1] / "contracts" / "solidity"
NOBODY = "0x" + "00" * 20
MINED_AT_ONCE = 1000  # blocks
GAS = 29_000_000  # just below anvil's block limit: no estimate is asked for


@dataclass(frozen=True)
class Receipt:
    """A transaction that succeeded."""

    block: int
    gas: int
    logs: list[dict[str, Any]]
    contract_address: str | None
    hash: str


@cache
def helper(name: str) -> ContractContainer:
    """A contract of `solidity/`, compiled once per run; `contracts/` holds no test helpers."""
    return _helpers()[name]


@cache
def _helpers() -> dict[str, ContractContainer]:
    sources = sorted(SOLIDITY.glob("*.sol"))
    compiled = ape.compilers.compile(sources, project=ape.project)
    return {each.name: ContractContainer(each) for each in compiled}


def deploy(
    container: ContractContainer, *args: Any, sender: Any, patches: dict[bytes, bytes] | None = None
) -> ContractInstance:
    """A new contract. `patches` replace pieces of its code, for constants too large to wait for."""
    code = bytes(container.constructor.deployment_bytecode)
    for old, new in (patches or {}).items():
        assert old in code
        code = code.replace(old, new)
    data = code + bytes(container.constructor.encode_input(*args))
    receipt = _transact({"from": _address(sender), "data": to_hex(data)})
    address = to_checksum_address(str(receipt.contract_address))
    return ContractInstance(address, container.contract_type)


def send(method: Any, *args: Any, sender: Any, value: int = 0) -> Receipt:
    """One transaction, in a block of its own. AssertionError if it reverts."""
    return _transact(_call(method, args, sender, value))


def send_raw(address: str, data: bytes, *, sender: Any) -> Receipt:
    """One transaction with bytes for a contract without an ABI. AssertionError if it reverts."""
    return _transact({"from": _address(sender), "to": address, "data": to_hex(data)})


def act(actor: Any, method: Any, *args: Any, sender: Any, value: int = 0) -> Receipt:
    """A call that the helper contract `actor` makes."""
    data = bytes(method.encode_input(*args))
    return send(actor.act, method.contract.address, data, sender=sender, value=value)


def refusal(
    error: Any, method: Any, *args: Any, sender: Any, value: int = 0, at: int | None = None
) -> dict[str, Any]:
    """The arguments of the custom `error` with which a transaction would revert.

    In the next block, or in a block numbered `at`.
    """
    answer = _ask(_call(method, args, sender, value), at)
    assert "error" in answer, f"{method} went through, {error.__name__} was expected"
    return _arguments(error, answer["error"])


def refused_deployment(
    error: Any, container: ContractContainer, *args: Any, sender: Any
) -> dict[str, Any]:
    """The arguments of the custom `error` with which a constructor would revert."""
    code = bytes(container.constructor.deployment_bytecode)
    data = code + bytes(container.constructor.encode_input(*args))
    answer = _ask({"from": _address(sender), "data": to_hex(data)}, None)
    assert "error" in answer, f"the deployment went through, {error.__name__} was expected"
    return _arguments(error, answer["error"])


def panics(method: Any, *args: Any, sender: Any) -> bool:
    """Whether the next transaction would run into one of Solidity's own checks."""
    answer = _ask(_call(method, args, sender, 0), None)
    panic = function_signature_to_4byte_selector("Panic(uint256)")
    return "error" in answer and _revert_data(answer["error"])[:4] == panic


def simulate(method: Any, *args: Any, sender: Any, value: int = 0, at: int | None = None) -> bytes:
    """What a transaction in the next block, or in block `at`, would return.

    AssertionError if it would revert.
    """
    answer = _ask(_call(method, args, sender, value), at)
    assert "error" not in answer, _reason(answer["error"])
    return bytes.fromhex(answer["result"][2:])


def look(method: Any, *args: Any) -> Any:
    """What a view tells the next transaction: `latest` would still have the last block's number.

    A struct comes as a tuple in the contract's order.
    """
    answer = simulate(method, *args, sender=NOBODY)
    (abi,) = method.abis
    values = decode([each.canonical_type for each in abi.outputs], answer)
    found = tuple(_readable(value) for value in values)
    return found[0] if len(found) == 1 else found


def limit_needed(receipt: Receipt) -> int:
    """The smallest gas limit with which a mined transaction would have done the same.

    At most 1.5 % above it, as geth looks for it; what is refunded in the end is needed at first.
    """
    sent = rpc("eth_getTransactionByHash", receipt.hash)
    call = {"from": sent["from"], "to": sent["to"], "data": sent["input"], "value": sent["value"]}
    before, at = hex(receipt.block - 1), {"number": hex(receipt.block)}
    return int(rpc("eth_estimateGas", call, before, {}, at), 16)


def events(receipt: Receipt, event: Any) -> list[dict[str, Any]]:
    """The arguments of every `event` of its contract, in order."""
    own = [log for log in receipt.logs if log["address"].lower() == event.contract.address.lower()]
    decoded = ape.networks.provider.network.ecosystem.decode_logs(own, event.abi)
    return [dict(log.event_arguments) for log in decoded]


def event(receipt: Receipt, kind: Any) -> dict[str, Any]:
    """The arguments of the only event of its kind."""
    (found,) = events(receipt, kind)
    return found


def height() -> int:
    return int(rpc("eth_blockNumber"), 16)


def mine(blocks: int = 1) -> None:
    """So many empty blocks, in requests that also a busy machine answers in time."""
    for mined in range(0, blocks, MINED_AT_ONCE):
        rpc("anvil_mine", hex(min(MINED_AT_ONCE, blocks - mined)))


def mine_past(block: int) -> None:
    """The next transaction comes in a block after `block`."""
    mine(block - height())


def balance(account: Any) -> int:
    return int(rpc("eth_getBalance", _address(account), "latest"), 16)


@contextmanager
def one_block() -> Iterator[list[str]]:
    """Transactions that `queue` sends inside come into one block, in order."""
    rpc("evm_setAutomine", False)
    hashes: list[str] = []
    try:
        yield hashes
        rpc("evm_mine")
    finally:
        rpc("evm_setAutomine", True)
    for each in hashes:
        assert _receipt(each).block == height()


QUEUED_GAS = 3 * 10**6
"""More than any queued call takes, by Sepolia's rules too, and a block has place for many."""


def queue(hashes: list[str], method: Any, *args: Any, sender: Any, value: int = 0) -> None:
    hashes.append(
        rpc("eth_sendTransaction", {**_call(method, args, sender, value), "gas": hex(QUEUED_GAS)})
    )


@contextmanager
def rewound() -> Iterator[None]:
    """Undo what happens inside, between Hypothesis' examples (Ape isolates whole tests only)."""
    snapshot = rpc("evm_snapshot")
    try:
        yield
    finally:
        assert rpc("evm_revert", snapshot)


def rpc(method: str, *params: Any) -> Any:
    answer = _request(method, *params)
    assert "error" not in answer, answer["error"]
    return answer["result"]


def _request(method: str, *params: Any) -> Any:
    return ape.networks.provider.web3.provider.make_request(method, list(params))


def _ask(transaction: dict[str, Any], at: int | None) -> dict[str, Any]:
    """The answer to an `eth_call`, an error included."""
    if at is None:
        return dict(_request("eth_call", transaction, "pending"))
    return dict(_request("eth_call", transaction, "latest", {}, {"number": hex(at)}))


def _transact(transaction: dict[str, Any]) -> Receipt:
    answer = _request("eth_sendTransaction", {**transaction, "gas": hex(GAS)})
    if "error" not in answer:
        receipt = _receipt(answer["result"], check=False)
        if receipt is not None:
            return receipt
    again = _request("eth_call", transaction, "latest")
    raise AssertionError(f"reverted: {_reason(again.get('error', answer))}")


def _receipt(transaction_hash: str, check: bool = True) -> Receipt | None:
    # Anvil answers before a heavy transaction is mined.
    while (found := rpc("eth_getTransactionReceipt", transaction_hash)) is None:
        time.sleep(0.005)
    if int(found["status"], 16) != 1:
        assert not check, f"{transaction_hash} reverted"
        return None
    return Receipt(
        int(found["blockNumber"], 16),
        int(found["gasUsed"], 16),
        found["logs"],
        found["contractAddress"],
        transaction_hash,
    )


def _call(method: Any, args: tuple[Any, ...], sender: Any, value: int) -> dict[str, Any]:
    return {
        "from": _address(sender),
        "to": method.contract.address,
        "data": to_hex(method.encode_input(*args)),
        "value": hex(value),
    }


def _address(account: Any) -> str:
    return account if isinstance(account, str) else account.address


def _readable(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_readable(each) for each in value)
    if isinstance(value, str) and is_hex_address(value):
        return to_checksum_address(value)
    return value


def _arguments(error: Any, answer: dict[str, Any]) -> dict[str, Any]:
    abi, data = error.abi, _revert_data(answer)
    expected = function_signature_to_4byte_selector(abi.selector)
    assert data[:4] == expected, f"{_reason(answer)} instead of {abi.selector}"
    values = decode([each.canonical_type for each in abi.inputs], data[4:])
    return {each.name: _readable(value) for each, value in zip(abi.inputs, values, strict=True)}


def _reason(answer: dict[str, Any]) -> str:
    """The error's name for a person, where it is one of the market's."""
    selector = _revert_data(answer)[:4]
    for container in ape.project.load_contracts().values():
        for error in container.contract_type.errors:
            if function_signature_to_4byte_selector(error.selector) == selector:
                return f"{error.selector}: {answer}"
    return str(answer)


def _revert_data(error: dict[str, Any]) -> bytes:
    data = error.get("data") or "0x"
    return bytes.fromhex(data[2:])
