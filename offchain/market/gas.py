"""Gas by step, read from the chain's own receipts."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from eth_utils.abi import abi_to_signature, function_signature_to_4byte_selector

from offchain.chain.client import Chain

BLOCKS_PER_REQUEST = 50


def gas_by_step(chain: Chain) -> dict[str, dict[str, float | int]]:
    """Gas used by every kind of transaction since the deployment, the dearest step first.

    A step is "Contract.function", or "deploy" for a creation.
    """
    used: dict[str, list[int]] = defaultdict(list)
    names = _steps(chain)
    for transaction in _transactions(chain):
        step = "deploy"
        if transaction["to"] is not None:
            step = names[(transaction["to"], bytes(transaction["input"][:4]))]
        receipt = chain.w3.eth.get_transaction_receipt(transaction["hash"])
        used[step].append(receipt["gasUsed"])
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
