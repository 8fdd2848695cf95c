"""Sending transactions: local nonces, fees raised when stuck, receipts checked, reverts told."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import structlog
from eth_typing import ChecksumAddress
from eth_utils.crypto import keccak
from hexbytes import HexBytes
from web3 import Web3
from web3.exceptions import TransactionNotFound
from web3.types import BlockIdentifier, Nonce, TxParams, TxReceipt, Wei

from d2m.chain.errors import (
    AlreadyKnown,
    ChainError,
    Declined,
    FeeCapped,
    FeeTooHigh,
    HistoryForgotten,
    NodeRefused,
    NonceTaken,
    NotEnoughEther,
    Reverted,
    TooMuchGas,
    TransactionLost,
    TransactionTimeout,
    Underpriced,
)
from d2m.chain.fees import (
    FEE_HISTORY_BLOCKS,
    OUTBID_PERCENT,
    RAISE_PERCENT,
    Fees,
    offered,
)
from d2m.chain.gas import most_gas, rules_of, span
from d2m.chain.prepared import Prepared, Price, arguments_of
from d2m.chain.signer import Signer
from d2m.chain.transactions import RawCall, Receipt, SendingOptions, Sent, Transaction

GAS_HEADROOM_PERCENT = 25  # above the estimate: state moves between estimate and inclusion
GAS_TRIES = 3  # of a transaction that runs out of gas; its limit doubles each time
OUT_OF_GAS_PERCENT = 90
"""Part of its limit that a transaction has at least used when gas ran out: each call inside keeps
back a 64th of what it passes on."""
SUBMIT_ATTEMPTS = 6  # when the nonce is in use; fees double each time, 32 times at last
TRANSFER_GAS = 21_000  # gas of a transfer without data, fixed by the protocol
PRICE_SECONDS = 2.0
"""Between two looks at the price while a transaction waits: on a private chain of 1 s blocks the
base fee may double in six of them, long before `STUCK_SECONDS`."""

log = structlog.get_logger()


class Sender:
    """Sends one account's transactions through one node, from one thread."""

    def __init__(self, w3: Web3, signer: Signer, chain_id: int, options: SendingOptions) -> None:
        self._w3 = w3
        self._signer = signer
        self._chain_id = chain_id
        self._options = options
        self._nonce: int | None = None  # of the next transaction; None: the node must say
        self._base_fee = 0  # when the node was last asked for fees
        self.on_waiting: Callable[[ChainError], None] | None = None
        """Told what keeps a transaction that was sent from being mined."""

    @property
    def address(self) -> ChecksumAddress:
        """The account that signs and pays."""
        return self._signer.address

    def price(self) -> Price:
        """Current gas price. Raises FeeTooHigh."""
        fees = self._offered()
        return Price(self._base_fee, fees)

    def forget(self) -> None:
        """Ask the node for the next nonce: a re-organisation may have changed it."""
        self._nonce = None

    def settle_earlier(self) -> None:
        """Have everything mined or replaced that an earlier life of the process left pending.

        A stuck one gives way to a transfer of nothing to the account itself. Raises FeeTooHigh when
        that costs more than is allowed.
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
        sent: list[Sent] = []
        unsent: list[ChainError] = []
        for transaction in transactions:
            try:
                sent.append(self._submit(transaction))
            except ChainError as error:
                unsent.append(error)
                break
        receipts: list[Receipt] = []
        failed: list[ChainError] = []
        for each, transaction in zip(sent, transactions, strict=False):  # some may be unsent
            try:
                receipts.append(self._settle_with_more_gas(each, transaction))
            except ChainError as error:
                failed.append(error)
        for failure in failed + unsent:
            raise failure
        return receipts

    # --- sending

    def _submit(self, transaction: Transaction, least_gas: int = 0) -> Sent:
        """Send, with a limit of `least_gas` at least.

        Where the account cannot pay for as much as the dearest form takes, or the node passes on
        nothing so dear, the estimate and its headroom are tried: that mostly suffices, and not
        sending does not.
        """
        if self._nonce is None:
            self.settle_earlier()  # first, as the estimate is made on top of what is pending
        try:
            sent = self._prepared(transaction, least_gas)
        except Reverted as error:
            raise error.during(transaction.step) from None
        try:
            return self._place(sent)
        except (FeeCapped, NotEnoughEther) as error:
            if sent.parameters["gas"] <= sent.least_limit:
                raise
            log.warning(
                "a lower limit of gas is tried, the dearest form of the call cannot be paid for",
                step=sent.step,
                limit=sent.parameters["gas"],
                lower=sent.least_limit,
                why=str(error),
            )
        sent.parameters["gas"] = sent.least_limit
        return self._place(sent)

    def _cancel(self, nonce: int) -> None:
        """Put a transfer of nothing to the account itself in the place of what has this nonce."""
        known = self._known_parameters(0, TRANSFER_GAS)
        parameters: TxParams = {**known, "to": self.address, "data": HexBytes("0x"), "type": 2}
        try:
            self._settle(
                self._place(Sent(f"cancel nonce {nonce}", parameters, TRANSFER_GAS), nonce)
            )
        except (NodeRefused, TransactionLost) as error:  # mined at last, mostly
            log.info("not cancelled", nonce=nonce, why=str(error))

    def _place(self, sent: Sent, fixed: int | None = None) -> Sent:
        """Have the node take a transaction, with higher fees where its nonce is in use."""
        for _ in range(SUBMIT_ATTEMPTS):
            nonce = fixed if fixed is not None else self._nonce
            if nonce is None:
                nonce = self._count("pending")
            sent.parameters["nonce"] = Nonce(nonce)
            refusal = self._refusal(sent)
            if refusal is None:
                self._nonce = nonce + 1
                return sent
            if isinstance(refusal, NonceTaken):
                if fixed is not None:
                    raise NonceTaken(f"{sent.step}: {refusal}")
                continue
            higher = sent.fees.raised(sent.fees, OUTBID_PERCENT, self._options.max_fee)
            if higher is None:
                raise FeeTooHigh(
                    f"{sent.step}: at --max-fee the node does not take it ({refusal}): raise it, or"
                    f" wait until what is pending of {self.address}, if anything, is mined"
                )
            sent.offer(higher)
        raise NonceTaken(
            f"{sent.step}: no nonce was accepted in {SUBMIT_ATTEMPTS} attempts:"
            f" is {self.address} used by another program?"
        )

    def _refusal(self, sent: Sent) -> NodeRefused | None:
        """Have the node take a transaction; why it does not, where another nonce or fee helps."""
        self._nonce = None  # unknown if anything fails
        self._show(sent)
        raw = self._signer.sign_transaction(cast(dict[str, Any], sent.parameters))
        hash_ = HexBytes(keccak(raw))
        try:
            self._w3.eth.send_raw_transaction(raw)
        except NodeRefused as error:
            # Known: a repeated request, the first one got through.
            if not isinstance(error, AlreadyKnown) and not self._is_known(hash_):
                if isinstance(error, NonceTaken | Underpriced):
                    return error
                raise
        sent.hashes.append(hash_)
        return None

    def _show(self, sent: Sent) -> None:
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

    def _prepared(self, transaction: Transaction, least_gas: int) -> Sent:
        """Everything but the nonce, and the gas that it is likely to use."""
        # Gas is given, so that web3 does not estimate.
        function, known = transaction.function, self._known_parameters(transaction.value, 0)
        parameters = function.build_transaction(known)
        if isinstance(function, RawCall):
            arguments = dict(function.arguments)
        else:
            arguments = arguments_of(function)
        if transaction.gas is not None:
            parameters["gas"] = transaction.gas
            return Sent(transaction.step, parameters, transaction.gas, arguments, transaction.gas)
        estimate = self._w3.eth.estimate_gas(_as_call(parameters), "pending")
        allowed = transaction.most_gas
        if allowed is not None and estimate > allowed:
            raise TooMuchGas(
                f"{transaction.step} would take {estimate} gas: at most {allowed} are allowed"
            )
        least = max(estimate * (100 + GAS_HEADROOM_PERCENT) // 100, least_gas)
        head = self._w3.eth.get_block("latest")
        form = span(rules_of(head), transaction.step, arguments, transaction.size)
        wanted = max(least, form.limit(estimate) if form else 0)
        parameters["gas"] = max(estimate, min(wanted, allowed or most_gas(head)))
        return Sent(transaction.step, parameters, estimate, arguments, least)

    # --- waiting

    def _settle_with_more_gas(self, sent: Sent, transaction: Transaction) -> Receipt:
        """Settle; what ran out of gas is tried again, if an estimate says that it can succeed.

        Others before it in its block made it dearer than the table knows, or the account could not
        pay for the table's limit.
        """
        for _ in range(GAS_TRIES - 1):
            try:
                return self._settle(sent)
            except Reverted as error:
                if error.name != "OutOfGas" or transaction.gas is not None:
                    raise
                limit = 2 * sent.parameters["gas"]
                log.warning("out of gas, sent again", step=sent.step, limit=limit)
            sent = self._submit(transaction, limit)
        return self._settle(sent)

    def _settle(self, sent: Sent) -> Receipt:
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

    def _mined(self, sent: Sent) -> TxReceipt:
        started = sent_last = priced_last = time.monotonic()
        while (raw := self._receipt(sent)) is None:
            now = time.monotonic()
            if now - priced_last >= PRICE_SECONDS:
                priced_last = now
                self._follow_price(sent)
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

    def _receipt(self, sent: Sent) -> TxReceipt | None:
        """That of whichever version was mined, in a block that the chain holds.

        A geth that was killed finds receipts of the blocks that it has lost, until others have
        their numbers.
        """
        for hash_ in sent.hashes:
            try:
                found = self._w3.eth.get_transaction_receipt(hash_)
            except (TransactionNotFound, HistoryForgotten):  # or not indexed yet
                continue
            if found["blockNumber"] <= self._w3.eth.block_number:
                return found
        return None

    def _follow_price(self, sent: Sent) -> None:
        """Outbid oneself at once where the next block would not take what was offered."""
        try:
            self._offered()
        except FeeTooHigh as error:
            self._waits(error)
        else:
            if self._base_fee > sent.fees.most:
                self._unstick(sent)

    def _waits(self, error: ChainError) -> None:
        if self.on_waiting:
            self.on_waiting(error)

    def _unstick(self, sent: Sent) -> None:
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
                raise refusal
        except (Declined, FeeTooHigh, NodeRefused) as error:
            if sent.stuck_by is not type(error):
                log.warning("transaction is stuck", why=str(error), **place)
            sent.stuck_by = type(error)
            self._waits(error)
            return
        sent.stuck_by = None
        self._nonce = following
        log.warning("transaction sent again", max_fee=fees.most, tip=fees.tip, **place)
        if self._options.on_replaced:
            self._options.on_replaced(sent.step)

    def _reason(self, sent: Sent, receipt: Receipt) -> Reverted:
        """Why a mined transaction failed, found by playing it again.

        First after its block, where what came before it in the block is done and the block number
        is its own, then before its block.
        """
        limit = sent.parameters["gas"]
        if receipt.gas_used == limit:
            return Reverted("OutOfGas", {"limit": limit})
        for block in (receipt.block, receipt.block - 1):
            try:
                self._w3.eth.call(_as_call(sent.parameters), block)
            except Reverted as error:
                return error
            except NodeRefused:
                continue
        if receipt.gas_used * 100 >= limit * OUT_OF_GAS_PERCENT:
            return Reverted("OutOfGas", {"limit": limit})
        return Reverted("Unexplained", {"transaction": receipt.raw["transactionHash"].to_0x_hex()})


def _as_call(parameters: TxParams) -> TxParams:
    kept = ("from", "to", "value", "data")
    return cast(TxParams, {key: parameters[key] for key in kept if key in parameters})  # type: ignore[literal-required]
