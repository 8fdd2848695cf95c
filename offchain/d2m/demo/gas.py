"""Gas by step, and the ether that came in, from the chain's own receipts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from eth_utils.abi import abi_to_signature, function_signature_to_4byte_selector

from d2m.chain.client import Chain
from d2m.chain.deployment.genesis import GENESIS, PROXY

BLOCKS_PER_REQUEST = 50


class Mined(NamedTuple):
    """A mined transaction: "Contract.function" or "deploy", gas used, wei that it brought in."""

    step: str
    gas: int
    value: int


def mined_transactions(chain: Chain) -> list[Mined]:
    """Every transaction since the deployment, in chain order."""
    names = _steps(chain)
    deploying = (PROXY, chain.deployment.contracts[GENESIS])
    found = []
    for transaction in _transactions(chain):
        step = "deploy"
        if transaction["to"] not in deploying:
            step = names[(transaction["to"], bytes(transaction["input"][:4]))]
        receipt = chain.w3.eth.get_transaction_receipt(transaction["hash"])
        # A transaction that reverted gave its value back.
        found.append(Mined(step, receipt["gasUsed"], transaction["value"] * receipt["status"]))
    return found


def gas_by_step(mined: Iterable[Mined]) -> dict[str, dict[str, float | int]]:
    """Gas used by every kind of transaction, the dearest step first."""
    used: dict[str, list[int]] = defaultdict(list)
    for transaction in mined:
        used[transaction.step].append(transaction.gas)
    table = {
        step: {"count": len(gas), "mean": sum(gas) / len(gas), "max": max(gas), "total": sum(gas)}
        for step, gas in used.items()
    }
    return dict(sorted(table.items(), key=lambda item: -item[1]["mean"]))


def _transactions(chain: Chain) -> list[Any]:
    found: list[Any] = []
    last = chain.block_number()
    for start in range(chain.deployment.block, last + 1, BLOCKS_PER_REQUEST):
        with chain.w3.batch_requests() as batch:
            for number in range(start, min(start + BLOCKS_PER_REQUEST, last + 1)):
                batch.add(chain.w3.eth.get_block(number, full_transactions=True))
            blocks: list[Any] = batch.execute()
        found.extend(transaction for block in blocks for transaction in block["transactions"])
    return found


def _steps(chain: Chain) -> dict[tuple[str, bytes], str]:
    """The step behind an address and the first four bytes of the call data."""
    steps: dict[tuple[str, bytes], str] = {}
    for name, address in chain.deployment.contracts.items():
        for entry in chain.contract(name).abi:
            if entry["type"] == "function":
                selector = function_signature_to_4byte_selector(abi_to_signature(entry))
                steps[(address, selector)] = f"{name}.{entry['name']}"
    return steps
