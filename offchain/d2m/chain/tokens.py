"""ERC-20 tokens as a buyer pays with them."""

from __future__ import annotations

from typing import Any

from eth_utils.address import to_checksum_address
from web3.contract import Contract

from d2m.chain.client import Chain
from d2m.errors import PartyError


def _function(name: str, mutability: str, inputs: list[str], outputs: list[str]) -> dict[str, Any]:
    return {
        "type": "function",
        "name": name,
        "stateMutability": mutability,
        "inputs": [{"name": "", "type": kind} for kind in inputs],
        "outputs": [{"name": "", "type": kind} for kind in outputs],
    }


ERC20 = [
    _function("balanceOf", "view", ["address"], ["uint256"]),
    _function("allowance", "view", ["address", "address"], ["uint256"]),
    _function("approve", "nonpayable", ["address", "uint256"], []),
]
"""The used part of the standard. Some tokens return nothing from `approve`: nothing is expected."""


def token_at(chain: Chain, address: str) -> Contract:
    """The handle of a token."""
    return chain.w3.eth.contract(address=to_checksum_address(address), abi=ERC20)


def approve_exactly(chain: Chain, token: str, spender: str, amount: int) -> None:
    """Let `spender` take `amount` of the account's `token`, in its smallest unit, and no more.

    Raises PartyError when the account holds less.
    """
    handle = token_at(chain, token)
    held = chain.call(handle.functions.balanceOf(chain.address))
    if held < amount:
        raise PartyError(f"{chain.address} holds {held} of token {token}, {amount} are needed")
    allowed = chain.call(handle.functions.allowance(chain.address, spender))
    if allowed == amount:
        return
    if allowed:
        # Some tokens change an allowance only from or to zero.
        chain.send(handle.functions.approve(spender, 0))
    if amount:
        chain.send(handle.functions.approve(spender, amount))
