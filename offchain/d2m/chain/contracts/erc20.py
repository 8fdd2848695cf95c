"""ERC-20 tokens as a buyer pays with them."""

from __future__ import annotations

from typing import Any

from eth_typing import ChecksumAddress
from eth_utils.address import to_checksum_address

from d2m.chain.client import Chain
from d2m.chain.transactions import Receipt
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


class Erc20:
    """One token; amounts are in its smallest unit. A token may refuse with any error of its own."""

    def __init__(self, chain: Chain, address: str) -> None:
        self.chain = chain
        self.address = address
        handle = chain.w3.eth.contract(address=to_checksum_address(address), abi=ERC20)
        self._functions = handle.functions

    def balance(self, account: ChecksumAddress) -> int:
        """The amount that an account holds."""
        return int(self.chain.call(self._functions.balanceOf(account)))

    def allowance(self, owner: ChecksumAddress, spender: ChecksumAddress) -> int:
        """The amount that `spender` may take of the owner's."""
        return int(self.chain.call(self._functions.allowance(owner, spender)))

    def approve(self, spender: ChecksumAddress, amount: int) -> Receipt:
        """Let `spender` take so much of the account's, in place of any other amount."""
        return self.chain.send(self._functions.approve(spender, amount))

    def approve_exactly(self, spender: ChecksumAddress, amount: int) -> None:
        """Let `spender` take `amount` of the account's, and no more.

        Raises PartyError when the account holds less.
        """
        held = self.balance(self.chain.address)
        if held < amount:
            raise PartyError(
                f"{self.chain.address} holds {held} of token {self.address}, {amount} are needed"
            )
        allowed = self.allowance(self.chain.address, spender)
        if allowed == amount:
            return
        if allowed:
            # Some tokens change an allowance only from or to zero.
            self.approve(spender, 0)
        if amount:
            self.approve(spender, amount)
