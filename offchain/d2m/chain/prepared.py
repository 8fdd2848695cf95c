"""A transaction as it is about to be signed: what it does, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from eth_utils.abi import get_abi_input_types
from hexbytes import HexBytes
from web3.contract.contract import ContractConstructor, ContractFunction

from d2m.chain.fees import Fees


class Price(NamedTuple):
    """Price of gas: the base fee of the block after the latest, wei per gas, and the offer."""

    base_fee: int
    fees: Fees

    def now(self, gas: int) -> int:
        """The likely fee of so much gas in the next block, in wei."""
        return gas * min(self.base_fee + self.fees.tip, self.fees.most)

    def most(self, gas: int) -> int:
        """The highest fee of so much gas that the offer allows, in wei."""
        return gas * self.fees.most


@dataclass(frozen=True)
class Prepared:
    """A transaction as a signature would let it happen. Amounts in wei."""

    step: str
    """ "Contract.function"."""
    arguments: dict[str, Any]
    """By the names that the contract gives them."""
    to: str
    """The address it goes to, empty where it creates a contract."""
    value: int
    gas: int
    """Gas that it is estimated to use."""
    gas_limit: int
    """Gas that it can use."""
    price: Price
    replaces: bool = False
    """Whether it is sent with higher fees in the place of one that is pending."""

    @property
    def fee_now(self) -> int:
        """The likely fee, in the next block."""
        return self.price.now(self.gas)

    @property
    def fee_most(self) -> int:
        """The highest fee that the signature allows."""
        return self.price.most(self.gas_limit)


def arguments_of(function: ContractFunction | ContractConstructor) -> dict[str, Any]:
    """The arguments of a bound function or constructor, by name; by place where it has none."""
    if isinstance(function, ContractConstructor):
        inputs, values = _constructed_with(function)
    else:
        inputs, values = function.abi.get("inputs", []), tuple(function.arguments or ())
    names = [each.get("name") or str(place) for place, each in enumerate(inputs)]
    return dict(zip(names, values, strict=True))


def _constructed_with(creation: ContractConstructor) -> tuple[Sequence[Any], tuple[Any, ...]]:
    """A constructor's inputs and their values: web3 keeps them only behind the bytecode."""
    found = [each for each in creation.abi if each["type"] == "constructor"]
    if not found:
        return (), ()
    inputs = found[0].get("inputs", [])
    encoded = HexBytes(creation.data_in_transaction)[len(HexBytes(creation.bytecode)) :]
    return inputs, creation.w3.codec.decode(get_abi_input_types(found[0]), encoded)
