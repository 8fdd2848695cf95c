"""Transactions as values: what is sent, how, in which versions, and its receipt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

from eth_typing import ChecksumAddress
from hexbytes import HexBytes
from web3.contract.contract import ContractConstructor, ContractFunction
from web3.types import TxParams, TxReceipt, Wei

from d2m.chain.errors import ChainError
from d2m.chain.fees import Fees
from d2m.chain.prepared import Prepared

STUCK_SECONDS = 60.0
"""Five blocks of 12 s: a transaction at a fair price is mined in one or two."""
TIMEOUT_SECONDS = 300.0
"""Room for four replacements, by when the fees have risen by three quarters."""


@dataclass(frozen=True)
class RawCall:
    """Bytes for a contract that has no ABI, with what they say by name."""

    address: ChecksumAddress
    data: bytes
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def build_transaction(self, known: TxParams) -> TxParams:
        """`known` with the recipient and the data."""
        return {**known, "to": self.address, "data": HexBytes(self.data)}


Payload = ContractFunction | ContractConstructor | RawCall


class Transaction(NamedTuple):
    """A transaction to send: a bound function, a constructor, or bytes.

    ``value`` in wei; ``gas`` is the limit (None: enough for the dearest form of the call); ``step``
    names it in reports and errors (empty: "Contract.function"); ``size`` is the number of things
    that it costs gas by, where its arguments do not tell ("SellerRegistry.pause": of tags);
    ``most_gas`` is the highest limit that it may have, where a stranger's contract is called.
    """

    function: Payload
    value: int = 0
    gas: int | None = None
    step: str = ""
    size: int | None = None
    most_gas: int | None = None


@dataclass(frozen=True)
class Receipt:
    """A mined transaction."""

    step: str  # "Auction.bid"
    sender: ChecksumAddress
    succeeded: bool
    block: int
    gas_used: int
    fee: int  # wei: gas used times the price paid
    raw: TxReceipt


@dataclass(frozen=True)
class SendingOptions:
    """How a party sends. Times in seconds, the fee in wei per gas."""

    max_fee: int | None = None
    """Most to pay per gas, tip included; None: whatever the chain asks for."""
    poll_seconds: float = 0.25
    stuck_seconds: float = STUCK_SECONDS
    """Before a transaction that is not mined is replaced by one with higher fees."""
    timeout_seconds: float = TIMEOUT_SECONDS
    """Before `TransactionTimeout` is raised."""
    on_receipt: Callable[[Receipt], None] | None = None
    on_replaced: Callable[[str], None] | None = None
    """Told the step of a transaction that was sent again, with higher fees or as it was."""
    on_ready: Callable[[Prepared], None] | None = None
    """Shown each transaction before it is signed, and again before it is signed with higher fees.
    An error that it raises keeps it from being signed; after `Declined` what was sent before is
    awaited."""


@dataclass
class Sent:
    """A transaction in all the versions that were sent of it."""

    step: str
    parameters: TxParams
    gas: int  # what it is estimated to use
    arguments: dict[str, Any] = field(default_factory=dict)
    least_limit: int = 0  # what it may do with where the account cannot pay for more
    shown_most: int = -1  # wei: the highest fee that whoever watches has been shown
    hashes: list[HexBytes] = field(default_factory=list)
    stuck_by: type[ChainError] | None = None  # what was last logged to keep it from being mined

    @property
    def nonce(self) -> int:
        """The nonce of all versions."""
        return self.parameters["nonce"]

    @property
    def fees(self) -> Fees:
        """The fees of the latest version."""
        parameters = cast(dict[str, int], self.parameters)
        return Fees(parameters["maxPriorityFeePerGas"], parameters["maxFeePerGas"])

    def offer(self, fees: Fees) -> None:
        """Have the next version pay these fees."""
        self.parameters["maxPriorityFeePerGas"] = Wei(fees.tip)
        self.parameters["maxFeePerGas"] = Wei(fees.most)
