"""Sending transactions: local nonces, fees raised when stuck, receipts checked, reverts told."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import structlog
from eth_typing import ChecksumAddress
from eth_utils.crypto import keccak
from hexbytes import HexBytes
from web3 import Web3
from web3.contract.contract import ContractConstructor, ContractFunction
from web3.exceptions import TransactionNotFound
from web3.types import BlockIdentifier, Nonce, TxParams, TxReceipt, Wei

from offchain.chain.errors import (
    ChainError,
    Declined,
    FeeTooHigh,
    NodeRefused,
    Reverted,
    TransactionLost,
    TransactionTimeout,
)
from offchain.chain.fees import (
    FEE_HISTORY_BLOCKS,
    OUTBID_PERCENT,
    RAISE_PERCENT,
    Fees,
    offered,
)
from offchain.chain.prepared import Prepared, Price, arguments_of
from offchain.chain.signer import Signer

GAS_HEADROOM_PERCENT = 25  # above the estimate: state moves between estimate and inclusion
SUBMIT_ATTEMPTS = 6  # when the nonce is in use; fees double each time, 32 times at last
TRANSFER_GAS = 21_000  # gas of a transfer without data, fixed by the protocol
STUCK_SECONDS = 60.0
"""Five blocks of 12 s: a transaction at a fair price is mined in one or two."""
TIMEOUT_SECONDS = 300.0
"""Room for four replacements, by when the fees have risen by three quarters."""

UNINDEXED = "indexing is in progress"
"""geth's words, for a while after its start, for a transaction that it cannot tell of yet."""


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
log = structlog.get_logger()


class Transaction(NamedTuple):
    """What to send: a bound function, a constructor, or bytes.

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
    What it raises keeps it from being signed; after `Declined` what was sent before is awaited."""


@dataclass
class _Sent:
    """A transaction in all the versions that were sent of it."""

    step: str
    parameters: TxParams
    gas: int  # what it is estimated to use
    arguments: dict[str, Any] = field(default_factory=dict)
    shown_most: int = -1  # wei: the highest fee that whoever watches has been shown
    hashes: list[HexBytes] = field(default_factory=list)

    @property
    def nonce(self) -> int:
        return self.parameters["nonce"]

    @property
    def fees(self) -> Fees:
        parameters = cast(dict[str, int], self.parameters)
        return Fees(parameters["maxPriorityFeePerGas"], parameters["maxFeePerGas"])

    def offer(self, fees: Fees) -> None:
        self.parameters["maxPriorityFeePerGas"] = Wei(fees.tip)
        self.parameters["maxFeePerGas"] = Wei(fees.most)


class Sender:
    """Sends one account's transactions through one node, from one thread."""

    def __init__(self, w3: Web3, signer: Signer, chain_id: int, options: SendingOptions) -> None:
        self._w3 = w3
        self._signer = signer
        self._chain_id = chain_id
        self._options = options
        self._nonce: int | None = None  # of the next transaction; None: the node must say
        self._base_fee = 0  # when the node was last asked for fees

    @property
    def address(self) -> ChecksumAddress:
        """The account that signs and pays."""
        return self._signer.address

    def price(self) -> Price:
        """Of gas, now. Raises FeeTooHigh."""
        fees = self._offered()
        return Price(self._base_fee, fees)

    def forget(self) -> None:
        """Ask the node for the next nonce: a re-organisation may have changed it."""
        self._nonce = None

    def settle_earlier(self) -> None:
        """Have everything mined or replaced that an earlier life of the process left pending.

        What is stuck gives way to a transfer of nothing to the account itself. Raises
        FeeTooHigh when that costs more than is allowed.
        """
        started = time.monotonic()
        while (mined := self._count("latest")) < (expected := self._count("pending")):
            waited = time.monotonic() - started
            if waited >= self._options.timeout_seconds:
                raise TransactionTimeout(
                    f"transactions {mined} to {expected - 1} of {self.address} are pending and"
                    f" could not be replaced in {self._options.timeout_seconds:g} s"
                )
            if waited >= self._options.stuck_seconds:
                log.warning("an earlier transaction is stuck, it is cancelled", nonce=mined)
                self._cancel(mined)
            time.sleep(self._options.poll_seconds)
        self._nonce = mined

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

    # --- sending

    def _submit(self, transaction: Transaction) -> _Sent:
        if self._nonce is None:
            self.settle_earlier()  # first, as the estimate is made on top of what is pending
        try:
            parameters, gas = self._parameters(transaction)
        except Reverted as error:
            raise error.during(transaction.step) from None
        function = transaction.function
        if isinstance(function, RawCall):
            arguments = dict(function.arguments)
        else:
            arguments = arguments_of(function)
        return self._place(_Sent(transaction.step, parameters, gas, arguments))

    def _cancel(self, nonce: int) -> None:
        """Put a transfer of nothing to the account itself in the place of what has this nonce."""
        known = self._known_parameters(0, TRANSFER_GAS)
        parameters: TxParams = {**known, "to": self.address, "data": HexBytes("0x"), "type": 2}
        try:
            self._settle(
                self._place(_Sent(f"cancel nonce {nonce}", parameters, TRANSFER_GAS), nonce)
            )
        except (NodeRefused, TransactionLost) as error:  # mined at last, mostly
            log.info("not cancelled", nonce=nonce, why=str(error))

    def _place(self, sent: _Sent, fixed: int | None = None) -> _Sent:
        """Have the node take a transaction, with higher fees where its nonce is in use."""
        for _ in range(SUBMIT_ATTEMPTS):
            nonce = fixed if fixed is not None else self._nonce
            if nonce is None:
                nonce = self._count("pending")
            sent.parameters["nonce"] = Nonce(nonce)
            refusal = self._refusal(sent)
            if not refusal:
                self._nonce = nonce + 1
                return sent
            if "nonce" in refusal:
                if fixed is not None:
                    raise NodeRefused(f"{sent.step}: {refusal}")
                continue
            higher = sent.fees.raised(sent.fees, OUTBID_PERCENT, self._options.max_fee)
            if higher is None:
                raise FeeTooHigh(
                    f"{sent.step}: a pending transaction of {self.address} cannot be replaced"
                    " within --max-fee: raise it, or wait until that one is mined"
                )
            sent.offer(higher)
        raise NodeRefused(
            f"{sent.step}: no nonce was accepted in {SUBMIT_ATTEMPTS} attempts:"
            f" is {self.address} used by another program?"
        )

    def _refusal(self, sent: _Sent) -> str:
        """Have the node take a transaction; why it does not, where another nonce or fee helps."""
        self._nonce = None  # unknown if anything fails
        self._show(sent)
        raw = self._signer.sign_transaction(cast(dict[str, Any], sent.parameters))
        hash_ = HexBytes(keccak(raw))
        try:
            self._w3.eth.send_raw_transaction(raw)
        except NodeRefused as error:
            # Known: a repeated request, the first one got through.
            if not self._is_known(hash_):
                if any(word in str(error) for word in ("nonce", "replacement", "underpriced")):
                    return str(error)
                raise
        sent.hashes.append(hash_)
        return ""

    def _show(self, sent: _Sent) -> None:
        """Show what is about to be signed, unless it costs no more than what was shown before."""
        prepared = Prepared(
            step=sent.step,
            arguments=sent.arguments,
            to=str(sent.parameters.get("to") or ""),
            value=sent.parameters["value"],
            gas=sent.gas,
            gas_limit=sent.parameters["gas"],
            price=Price(self._base_fee, sent.fees),
            replaces=sent.shown_most >= 0,
        )
        if self._options.on_ready is None or prepared.fee_most <= sent.shown_most:
            return
        self._options.on_ready(prepared)
        sent.shown_most = prepared.fee_most

    def _is_known(self, hash_: HexBytes) -> bool:
        try:
            self._w3.eth.get_transaction(hash_)
        except TransactionNotFound:
            return False
        return True

    def _count(self, block: BlockIdentifier) -> int:
        return self._w3.eth.get_transaction_count(self.address, block)

    def _offered(self) -> Fees:
        history = self._w3.eth.fee_history(FEE_HISTORY_BLOCKS, "latest", [50.0])
        self._base_fee = history["baseFeePerGas"][-1]
        return offered(history, self._options.max_fee)

    def _known_parameters(self, value: int, gas: int) -> TxParams:
        fees = self._offered()
        return {
            "from": self.address,
            "chainId": self._chain_id,
            "value": Wei(value),
            "maxPriorityFeePerGas": Wei(fees.tip),
            "maxFeePerGas": Wei(fees.most),
            "gas": gas,
        }

    def _parameters(self, transaction: Transaction) -> tuple[TxParams, int]:
        """Everything but the nonce, and the gas that it is likely to use."""
        # Gas is given, so that web3 does not estimate.
        known = self._known_parameters(transaction.value, transaction.gas or 0)
        parameters = transaction.function.build_transaction(known)
        if transaction.gas is not None:
            return parameters, transaction.gas
        estimate = self._w3.eth.estimate_gas(_as_call(parameters), "pending")
        parameters["gas"] = estimate * (100 + GAS_HEADROOM_PERCENT) // 100
        return parameters, estimate

    # --- waiting

    def _settle(self, sent: _Sent) -> Receipt:
        """Wait for the receipt, with higher fees where that takes long, and check it."""
        try:
            raw = self._mined(sent)
        except ChainError:
            self._nonce = None
            raise
        receipt = Receipt(
            step=sent.step,
            sender=self.address,
            succeeded=raw["status"] == 1,
            block=raw["blockNumber"],
            gas_used=raw["gasUsed"],
            fee=raw["gasUsed"] * raw["effectiveGasPrice"],
            raw=raw,
        )
        if self._options.on_receipt:
            self._options.on_receipt(receipt)
        if not receipt.succeeded:
            raise self._reason(sent, receipt).during(sent.step)
        return receipt

    def _mined(self, sent: _Sent) -> TxReceipt:
        started = sent_last = time.monotonic()
        while (raw := self._receipt(sent)) is None:
            now = time.monotonic()
            if now - sent_last >= self._options.stuck_seconds:
                self._unstick(sent)
                sent_last = now
            elif now - started >= self._options.timeout_seconds:
                raise TransactionTimeout(
                    f"{sent.step} ({sent.hashes[-1].to_0x_hex()}) was not mined in"
                    f" {self._options.timeout_seconds:g} s: look it up before sending it again"
                )
            time.sleep(self._options.poll_seconds)
        return raw

    def _receipt(self, sent: _Sent) -> TxReceipt | None:
        """That of whichever version was mined, in a block that the chain holds.

        A geth that was killed finds receipts of the blocks that it has lost, until others have
        their numbers.
        """
        for hash_ in sent.hashes:
            try:
                found = self._w3.eth.get_transaction_receipt(hash_)
            except TransactionNotFound:
                continue
            except NodeRefused as error:
                if UNINDEXED not in str(error):
                    raise
                continue
            if found["blockNumber"] <= self._w3.eth.block_number:
                return found
        return None

    def _unstick(self, sent: _Sent) -> None:
        """Send a transaction again that nobody mines, with higher fees if the node still has it.

        Raises TransactionLost where that cannot help.
        """
        mined = self._count("latest")
        if mined < sent.nonce < self._count("pending"):
            return  # the chain was re-organised, what came before it waits in the pool again
        if mined != sent.nonce:
            if self._receipt(sent) is None:
                raise TransactionLost(
                    f"{sent.step} (nonce {sent.nonce}) will not be mined, the account is at nonce"
                    f" {mined}: another transaction came before it, or the chain was reorganised"
                )
            return
        is_dropped = not any(self._is_known(hash_) for hash_ in sent.hashes)
        place = {"step": sent.step, "nonce": sent.nonce, "dropped": is_dropped}
        following = self._nonce  # others may have been sent behind it
        try:
            fees = self._offered()
            if not is_dropped:
                higher = sent.fees.raised(fees, RAISE_PERCENT, self._options.max_fee)
                if higher is None:
                    raise FeeTooHigh("the transaction waits at the highest fee that is allowed")
                fees = higher
            sent.offer(fees)
            refusal = self._refusal(sent)
            if refusal:
                raise NodeRefused(refusal)
        except (Declined, FeeTooHigh, NodeRefused) as error:
            log.warning("transaction is stuck", why=str(error), **place)
            return
        self._nonce = following
        log.warning("transaction sent again", max_fee=fees.most, tip=fees.tip, **place)
        if self._options.on_replaced:
            self._options.on_replaced(sent.step)

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
        return Reverted("Unexplained", {"transaction": receipt.raw["transactionHash"].to_0x_hex()})


def _as_call(parameters: TxParams) -> TxParams:
    kept = ("from", "to", "value", "data")
    return cast(TxParams, {key: parameters[key] for key in kept if key in parameters})  # type: ignore[literal-required]
