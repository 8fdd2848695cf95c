"""Transactions that nobody mines: fees raised, prices waited for, what was dropped sent again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account

from d2m.chain.artifacts import Artifact
from d2m.chain.client import Chain
from d2m.chain.deployment.record import Deployment
from d2m.chain.errors import FeeTooHigh, TransactionLost, TransactionTimeout
from d2m.chain.fees import GWEI, RAISE_PERCENT, Fees, offered
from d2m.chain.signer import KeySigner
from d2m.chain.transactions import Receipt
from d2m.clients.anvil import Anvil, start_anvil
from tests.chain.conftest import MakeChain, Pool, rpc

SOON = 0.1
"""Seconds until a transaction counts as stuck: nothing is mined meanwhile, so any time will do."""
ANY_WAIT = 60.0
LATE = 30.0


def waiting(chain: Chain) -> list[dict[str, Any]]:
    """The account's transactions in the pool, by nonce."""
    pool = rpc(chain, "txpool_content")["pending"]
    mine = {key.lower(): value for key, value in pool.items()}.get(chain.address.lower(), {})
    return [mine[nonce] for nonce in sorted(mine, key=int)]


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + ANY_WAIT
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)


class Sending(threading.Thread):
    """Sends in the background, as a party waits for its transaction."""

    def __init__(self, chain: Chain, amount: int = 1) -> None:
        super().__init__()
        self._chain = chain
        self._amount = amount
        self.outcome: Receipt | Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            self.outcome = self._chain.send(
                self._chain.contract("Probe").functions.add(5, self._amount)
            )
        except Exception as error:
            self.outcome = error

    def receipt(self) -> Receipt:
        self.join(ANY_WAIT)
        assert isinstance(self.outcome, Receipt), self.outcome
        return self.outcome


def total(chain: Chain) -> int:
    return int(chain.call(chain.contract("Probe").functions.total()))


def price(transaction: dict[str, Any]) -> Fees:
    return Fees(int(transaction["maxPriorityFeePerGas"], 16), int(transaction["maxFeePerGas"], 16))


def test_a_stuck_transaction_is_replaced_with_higher_fees(
    make_chain: MakeChain, pool: Pool
) -> None:
    replaced: list[str] = []
    chain = make_chain(stuck_seconds=SOON, on_replaced=replaced.append)
    before = total(chain)
    sending = Sending(chain)
    wait_until(lambda: len(waiting(chain)) == 1)
    first = waiting(chain)[0]
    wait_until(lambda: len(replaced) >= 2)
    [last] = waiting(chain)
    assert last["nonce"] == first["nonce"]
    assert all(b >= a * 1.15**2 for a, b in zip(price(first), price(last), strict=True))
    rpc(chain, "anvil_mine", 1)
    assert sending.receipt().succeeded
    assert total(chain) == before + 1
    assert set(replaced) == {"Probe.add"}


def test_who_is_outpriced_outbids_itself_long_before_it_counts_as_stuck(
    make_chain: MakeChain, pool: Pool
) -> None:
    """The base fee from 9 to 237 gwei in 70 s: a window of a private chain is shorter."""
    chain = make_chain(stuck_seconds=ANY_WAIT, timeout_seconds=2 * ANY_WAIT)
    sending = Sending(chain)
    pool.wait_for(1)
    [first] = waiting(chain)
    rpc(chain, "anvil_setNextBlockBaseFeePerGas", hex(10 * price(first).most))
    rpc(chain, "anvil_mine", 1)  # too dear for it: anvil drops it from its pool
    wait_until(lambda: any(price(each).most > 8 * price(first).most for each in waiting(chain)))
    rpc(chain, "anvil_mine", 1)
    assert sending.receipt().succeeded


def sending_again(chain: Chain, sending: Sending) -> None:
    """The price falls; anvil has dropped the transaction, so that its sender has to see that."""
    chain._the_sender()._options = replace(chain._the_sender()._options, stuck_seconds=SOON)
    rpc(chain, "anvil_setNextBlockBaseFeePerGas", hex(9 * GWEI))
    rpc(chain, "anvil_mine", 1)
    wait_until(lambda: bool(waiting(chain)))
    rpc(chain, "anvil_mine", 1)
    assert sending.receipt().succeeded


def test_who_is_outpriced_above_its_cap_says_so_while_it_waits(
    make_chain: MakeChain, pool: Pool
) -> None:
    cap = 60 * GWEI
    rpc(make_chain(), "anvil_setNextBlockBaseFeePerGas", hex(9 * GWEI))
    rpc(make_chain(), "anvil_mine", 1)
    chain = make_chain(stuck_seconds=ANY_WAIT, timeout_seconds=2 * ANY_WAIT, max_fee=cap)
    told: list[Exception] = []
    chain.tell_waiting(told.append)
    sending = Sending(chain)
    pool.wait_for(1)
    rpc(chain, "anvil_setNextBlockBaseFeePerGas", hex(237 * GWEI))
    rpc(chain, "anvil_mine", 1)
    wait_until(lambda: bool(told))
    assert sending.is_alive()  # it waits on: the price may fall
    assert isinstance(told[0], FeeTooHigh)
    assert "allowed are 60: nothing is sent until the price falls" in str(told[0])
    sending_again(chain, sending)


def test_the_fees_stay_below_the_cap(make_chain: MakeChain, pool: Pool) -> None:
    cap = 3 * GWEI + rpc_base_fee(make_chain())
    replaced: list[str] = []
    chain = make_chain(
        stuck_seconds=SOON, timeout_seconds=20 * SOON, max_fee=cap, on_replaced=replaced.append
    )
    sending = Sending(chain)
    wait_until(lambda: not sending.is_alive())
    assert isinstance(sending.outcome, TransactionTimeout)
    [left] = waiting(chain)
    assert 0.87 * cap < price(left).most <= cap  # another raise would pass it
    # The duty is not lost: the next life of the process takes its place, or has it mined.
    rpc(chain, "anvil_mine", 1)
    again = make_chain(max_fee=cap)
    again.settle_earlier()
    assert waiting(chain) == []


def rpc_base_fee(chain: Chain) -> int:
    return int(chain.w3.eth.get_block("latest")["baseFeePerGas"])


def test_a_dropped_transaction_is_sent_again(make_chain: MakeChain, pool: Pool) -> None:
    chain = make_chain(stuck_seconds=LATE)
    before = total(chain)
    sending = Sending(chain)
    wait_until(lambda: len(waiting(chain)) == 1)
    hurry(chain)
    rpc(chain, "anvil_dropTransaction", waiting(chain)[0]["hash"])
    wait_until(lambda: len(waiting(chain)) == 1)
    rpc(chain, "anvil_mine", 1)
    assert sending.receipt().succeeded
    assert total(chain) == before + 1


def hurry(chain: Chain) -> None:
    """Have what waits now count as stuck from now on."""
    sender = chain._the_sender()
    object.__setattr__(sender._options, "stuck_seconds", SOON)


def test_a_price_spike_is_waited_for(
    artifacts: dict[str, Artifact], receipts: list[Receipt]
) -> None:
    with start_anvil(accounts=1, seed=3) as anvil:
        chain = fresh(anvil, artifacts, max_fee=20 * GWEI)
        rpc(chain, "anvil_setNextBlockBaseFeePerGas", hex(50 * GWEI))
        rpc(chain, "anvil_mine", 1)
        before = chain.balance(chain.address)
        with pytest.raises(FeeTooHigh, match=r"43.8 gwei .* allowed are 20"):
            chain.send(chain.contract("Probe").functions.add(1, 1))
        assert chain.balance(chain.address) == before
        while rpc_base_fee(chain) > 15 * GWEI:
            rpc(chain, "anvil_mine", 1)  # empty blocks, each an eighth cheaper
        receipt = chain.send(chain.contract("Probe").functions.add(1, 1))
        assert receipt.succeeded
        assert receipt.fee <= receipt.gas_used * 20 * GWEI


def test_what_the_spike_threw_out_of_the_pool_is_sent_again(
    artifacts: dict[str, Artifact],
) -> None:
    """Anvil forgets a transaction that a block's base fee excludes."""
    with start_anvil(accounts=1, seed=3) as anvil:
        chain = fresh(anvil, artifacts, stuck_seconds=SOON)
        rpc(chain, "evm_setAutomine", False)
        sending = Sending(chain)
        wait_until(lambda: len(waiting(chain)) == 1)
        rpc(chain, "anvil_setNextBlockBaseFeePerGas", hex(500 * GWEI))
        rpc(chain, "anvil_mine", 1)
        wait_until(lambda: len(waiting(chain)) == 1)
        rpc(chain, "anvil_mine", 1)
        assert sending.receipt().fee > 400 * GWEI * 21_000


def fresh(anvil: Anvil, artifacts: dict[str, Artifact], **options: Any) -> Chain:
    """A connection to a chain of its own, with the probe deployed."""
    signer = KeySigner(Account.from_key(anvil.keys[0]))
    deployer = Chain(anvil.url, Deployment(anvil.chain_id, 0, {}), artifacts, signer)
    address, _receipt = deployer.deploy("Probe", deployer.address)
    where = Deployment(anvil.chain_id, 0, {"Probe": address})
    return Chain(anvil.url, where, artifacts, signer, poll_seconds=0.02, **options)


def leave_pending(make_chain: MakeChain) -> Chain:
    """A process that ends while its transaction is in the pool."""
    dead = make_chain(stuck_seconds=LATE, timeout_seconds=SOON)
    with pytest.raises(TransactionTimeout):
        dead.send(dead.contract("Probe").functions.add(5, 1))
    assert len(waiting(dead)) == 1
    return dead


def test_a_restarted_process_waits_for_what_it_left_pending(
    make_chain: MakeChain, pool: Pool
) -> None:
    before = total(leave_pending(make_chain))
    again = make_chain(stuck_seconds=LATE)
    miner = threading.Timer(SOON, lambda: rpc(make_chain(), "anvil_mine", 1))
    miner.start()
    again.settle_earlier()
    assert total(again) == before + 1  # done once, and known before anything is decided
    assert waiting(again) == []


def test_a_restarted_process_cancels_what_is_stuck(make_chain: MakeChain, pool: Pool) -> None:
    before = total(leave_pending(make_chain))
    again = make_chain(stuck_seconds=SOON)
    [stuck] = waiting(again)
    settling = threading.Thread(target=again.settle_earlier)
    settling.start()
    wait_until(lambda: waiting(again)[0]["hash"] != stuck["hash"])
    [cancelling] = waiting(again)
    assert cancelling["nonce"] == stuck["nonce"]
    assert int(cancelling["value"], 16) == 0
    assert cancelling["to"].lower() == again.address.lower()
    wait_until(lambda: mines(again, settling))
    rpc(again, "evm_setAutomine", True)
    assert again.send(again.contract("Probe").functions.add(5, 1)).succeeded
    assert total(again) == before + 1


def mines(chain: Chain, thread: threading.Thread) -> bool:
    """Mine a block; whether the thread has ended."""
    rpc(chain, "anvil_mine", 1)
    return not thread.is_alive()


def test_a_nonce_that_another_transaction_took_is_told(make_chain: MakeChain, pool: Pool) -> None:
    chain, other = make_chain(stuck_seconds=LATE), make_chain()
    sending = Sending(chain)
    wait_until(lambda: len(waiting(chain)) == 1)
    rpc(chain, "anvil_dropTransaction", waiting(chain)[0]["hash"])
    rival = Sending(other, amount=2)
    wait_until(lambda: len(waiting(chain)) == 1)
    rpc(chain, "anvil_mine", 1)
    assert rival.receipt().succeeded
    hurry(chain)
    sending.join(ANY_WAIT)
    assert isinstance(sending.outcome, TransactionLost)
    rpc(chain, "evm_setAutomine", True)
    assert chain.send(chain.contract("Probe").functions.add(5, 1)).succeeded


# --- fees


def history(base: int, *tips: int) -> Any:
    return {"baseFeePerGas": [base, base], "reward": [[tip] for tip in tips]}


def test_fees_offered() -> None:
    assert offered(history(10 * GWEI, 2 * GWEI, 3 * GWEI), None) == Fees(3 * GWEI, 23 * GWEI)
    assert offered(history(10 * GWEI), None) == Fees(GWEI, 21 * GWEI)
    assert offered(history(10 * GWEI, 3 * GWEI), 12 * GWEI) == Fees(2 * GWEI, 12 * GWEI)
    assert offered(history(10 * GWEI), 11 * GWEI) == Fees(GWEI, 11 * GWEI)
    with pytest.raises(FeeTooHigh):
        offered(history(10 * GWEI), 11 * GWEI - 1)


def test_fees_raised() -> None:
    low = Fees(100, 1000)
    assert low.raised(low, RAISE_PERCENT, None) == Fees(115, 1150)
    assert low.raised(Fees(300, 3000), RAISE_PERCENT, None) == Fees(300, 3000)
    assert low.raised(Fees(300, 3000), RAISE_PERCENT, 2000) == Fees(300, 2000)
    assert low.raised(low, RAISE_PERCENT, 1149) is None
