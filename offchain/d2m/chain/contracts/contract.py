"""The common part of all contracts' classes: the handle, and reading events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from eth_typing import ChecksumAddress
from web3.contract.contract import ContractFunctions
from web3.types import EventData

from d2m.chain.client import Chain
from d2m.chain.transactions import Receipt


class DeployedContract:
    """One contract of a deployment. Its handle is the chain's, which looks once for its code."""

    name: ClassVar[str]
    """Its name in the deployment."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain

    @property
    def address(self) -> ChecksumAddress:
        """Its address. Raises NotDeployed where its code is not there."""
        return self.chain.contract(self.name).address

    @property
    def functions(self) -> ContractFunctions:
        """Its functions by their Solidity names: for the classes of this package alone."""
        return self.chain.contract(self.name).functions

    def logs(self, event: str, **arguments: Any) -> list[EventData]:
        """Its events of a kind with these indexed arguments, in chain order."""
        return self.chain.logs(self.name, event, argument_filters=arguments or None)

    def events(self, event: str, **arguments: Any) -> list[dict[str, Any]]:
        """The arguments of its events of a kind, in chain order."""
        return [dict(log["args"]) for log in self.logs(event, **arguments)]

    def first(self, event: str, **arguments: Any) -> EventData:
        """The first such event. Raises LookupError where there is none."""
        found = self.logs(event, **arguments)
        if not found:
            raise LookupError(f"{self.name} has emitted no {event} for {arguments}")
        return found[0]

    def told(self, receipt: Receipt, event: str) -> Any:
        """The arguments of the event that a transaction emitted."""
        return self.chain.events(receipt, self.name, event)[0]["args"]

    def last_keys(self, event: str, name: str, members: Sequence[Any], block: int) -> list[bytes]:
        """The key in each member's last such event up to a block; `name` is that of the member."""
        keys: dict[Any, bytes] = {}
        wanted = set(members)
        for log in self.chain.logs(self.name, event, to_block=block):
            if log["args"][name] in wanted:
                keys[log["args"][name]] = bytes(log["args"]["publicKey"])
        return [keys[member] for member in members if member in keys]


def read_getter(chain: Chain, contract: str, getter: str) -> Any:
    """The value of a contract's getter that takes no arguments."""
    return chain.call(chain.contract(contract).functions[getter]())
