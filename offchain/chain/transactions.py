"""Sending transactions: local nonces, EIP-1559 fees, receipts checked, reverts explained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from eth_typing import ChecksumAddress
from eth_utils.crypto import keccak
from hexbytes import HexBytes
from web3 import Web3
from web3.contract.contract import ContractConstructor, ContractFunction
from web3.exceptions import TimeExhausted, TransactionNotFound
from web3.types import Nonce, TxParams, TxReceipt, Wei

from offchain.chain.errors import ChainError, NodeRefused, Reverted, TransactionTimeout
from offchain.chain.signer import Signer

GAS_HEADROOM_PERCENT = 25  # above the estimate: state moves between estimate and inclusion
PRIORITY_FEE_FLOOR = 10**9  # wei per gas; nodes take it even where recent blocks were empty
BASE_FEE_FACTOR = 2  # room for the base fee to grow while a transaction waits (six full blocks)
FEE_HISTORY_BLOCKS = 4
NONCE_ATTEMPTS = 3  # when another process uses the same key

Payload = ContractFunction | ContractConstructor


class Transaction(NamedTuple):
    """What to send: a bound function or constructor.

    ``value`` in wei; ``gas`` is the limit (None: estimated); ``step`` names it in reports and
    errors (empty: "Contract.function").
    """

    function: Payload
    value: int = 0
    gas: int | None = None
    step: str = ""


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


class _Sent(NamedTuple):
    step: str
    hash: HexBytes
    parameters: TxParams


class Sender:
    """Sends one account's transactions through one node, from one thread."""

    def __init__(
        self,
        w3: Web3,
        signer: Signer,
        chain_id: int,
        poll_seconds: float,
        timeout_seconds: float,
        on_receipt: Callable[[Receipt], None] | None,
    ) -> None:
        self._w3 = w3
        self._signer = signer
        self._chain_id = chain_id
        self._poll_seconds = poll_seconds
        self._timeout_seconds = timeout_seconds
        self._on_receipt = on_receipt
        self._nonce: int | None = None  # of the next transaction; None: the node must say

    @property
    def address(self) -> ChecksumAddress:
        """The account that signs and pays."""
        return self._signer.address

    def send_all(self, transactions: Sequence[Transaction]) -> list[Receipt]:
        """Send in order, then wait for all; the first failure is raised when all are settled.

        Sending stops at the first transaction that cannot be sent, as the next may build on it.
        """
        sent: list[_Sent] = []
        unsent: list[ChainError] = []
        for transaction in transactions:
            try:
                sent.append(self._submit(transaction))
            except ChainError as error:
                unsent.append(error)
                break
        receipts: list[Receipt] = []
        failed: list[ChainError] = []
        for each in sent:
            try:
                receipts.append(self._settle(each))
            except ChainError as error:
                failed.append(error)
        for failure in failed + unsent:
            raise failure
        return receipts

    def _submit(self, transaction: Transaction) -> _Sent:
        try:
            parameters = self._parameters(transaction)
        except Reverted as error:
            raise error.during(transaction.step) from None
        for _ in range(NONCE_ATTEMPTS):
            nonce = self._next_nonce()
            parameters["nonce"] = Nonce(nonce)
            raw = self._signer.sign_transaction(cast(dict[str, Any], parameters))
            hash_ = HexBytes(keccak(raw))
            if self._accepted(raw, hash_):
                self._nonce = nonce + 1
                return _Sent(transaction.step, hash_, parameters)
        raise NodeRefused(
            f"{transaction.step}: no nonce was accepted in {NONCE_ATTEMPTS} attempts:"
            f" is {self.address} used by another program?"
        )

    def _accepted(self, raw: bytes, hash_: HexBytes) -> bool:
        """Whether the node took the transaction; False when only its nonce was wrong."""
        nonce, self._nonce = self._nonce, None  # unknown if anything fails
        try:
            self._w3.eth.send_raw_transaction(raw)
        except NodeRefused as error:
            if self._is_known(hash_):  # a repeated request: the first one got through
                return True
            if "nonce" in str(error) or "replacement" in str(error):
                return False
            raise
        self._nonce = nonce
        return True

    def _is_known(self, hash_: HexBytes) -> bool:
        try:
            self._w3.eth.get_transaction(hash_)
        except TransactionNotFound:
            return False
        return True

    def _next_nonce(self) -> int:
        if self._nonce is None:
            self._nonce = self._w3.eth.get_transaction_count(self.address, "pending")
        return self._nonce

    def _parameters(self, transaction: Transaction) -> TxParams:
        """Everything but the nonce."""
        history = self._w3.eth.fee_history(FEE_HISTORY_BLOCKS, "latest", [50.0])
        medians = [tips[0] for tips in history["reward"]]
        tip = max([PRIORITY_FEE_FLOOR, *medians])
        known: TxParams = {
            "from": self.address,
            "chainId": self._chain_id,
            "value": Wei(transaction.value),
            "maxPriorityFeePerGas": Wei(tip),
            "maxFeePerGas": Wei(BASE_FEE_FACTOR * history["baseFeePerGas"][-1] + tip),
            "gas": transaction.gas or 0,  # given, so that web3 does not estimate
        }
        parameters = transaction.function.build_transaction(known)
        if transaction.gas is None:
            estimate = self._w3.eth.estimate_gas(_as_call(parameters), "pending")
            parameters["gas"] = estimate * (100 + GAS_HEADROOM_PERCENT) // 100
        return parameters

    def _settle(self, sent: _Sent) -> Receipt:
        """Wait for the receipt and check it."""
        try:
            raw = self._w3.eth.wait_for_transaction_receipt(
                sent.hash, self._timeout_seconds, self._poll_seconds
            )
        except TimeExhausted:
            self._nonce = None
            raise TransactionTimeout(
                f"{sent.step} ({sent.hash.to_0x_hex()}) was not mined in"
                f" {self._timeout_seconds:g} s: look it up before sending it again"
            ) from None
        receipt = Receipt(
            step=sent.step,
            sender=self.address,
            succeeded=raw["status"] == 1,
            block=raw["blockNumber"],
            gas_used=raw["gasUsed"],
            fee=raw["gasUsed"] * raw["effectiveGasPrice"],
            raw=raw,
        )
        if self._on_receipt:
            self._on_receipt(receipt)
        if not receipt.succeeded:
            raise self._reason(sent, receipt).during(sent.step)
        return receipt

    def _reason(self, sent: _Sent, receipt: Receipt) -> Reverted:
        """Why a mined transaction failed, found by playing it again.

        First after its block, where what came before it in the block is done and the block number
        is its own, then before its block.
        """
        if receipt.gas_used == sent.parameters["gas"]:
            return Reverted("OutOfGas", {"limit": receipt.gas_used})
        for block in (receipt.block, receipt.block - 1):
            try:
                self._w3.eth.call(_as_call(sent.parameters), block)
            except Reverted as error:
                return error
            except NodeRefused:
                continue
        return Reverted("Unexplained", {"transaction": sent.hash.to_0x_hex()})


def _as_call(parameters: TxParams) -> TxParams:
    kept = ("from", "to", "value", "data")
    return cast(TxParams, {key: parameters[key] for key in kept if key in parameters})  # type: ignore[literal-required]
