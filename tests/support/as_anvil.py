"""geth behind the methods of anvil that the contracts' tests use, so that they run on it as well.

A relay before geth: transactions are signed with the keys that it knows and mined at once, a
snapshot is a block to go back to, and a balance is raised by a withdrawal from the beacon chain.
What anvil alone can do (code and storage set by hand) is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from eth_account import Account

from d2m.clients.binaries import ClientFailed
from d2m.clients.geth import Geth, Rules
from tests.support.relay import Ask, relay

GWEI = 10**9
MAX_FEE = 1000 * GWEI
"""Above what the base fee of a chain of tests rises to."""
TIP = GWEI
MOST_GAS = 1 << 24
"""Of a transaction by mainnet's rules (EIP-7825); by Sepolia's it counts without new state."""
BLOCK_GAS = 60_000_000


class AsAnvil:
    """Answers what anvil answers; one for each geth."""

    def __init__(self, geth: Geth) -> None:
        self._geth = geth
        self._accounts = {Account.from_key(key).address.lower(): key for key in geth.keys}
        self._snapshots: dict[int, int] = {}
        self._waiting: list[str] = []
        self._mines_at_once = True
        self._next_time = 0
        self._withdrawals = 0
        self._methods: dict[str, Callable[..., Any]] = {
            "anvil_mine": self._mine,
            "evm_mine": self._mine_at,
            "anvil_impersonateAccount": self._require_key,
            "anvil_setBalance": self._set_balance,
            "anvil_getAutomine": lambda: self._mines_at_once,
            "anvil_setAutomine": self._set_automine,
            "evm_setAutomine": self._set_automine,
            "evm_setNextBlockTimestamp": self._set_time,
            "evm_snapshot": self._snapshot,
            "evm_revert": self._revert,
            "eth_sendTransaction": self._send,
            "eth_sendRawTransaction": self._send_raw,
            "web3_clientVersion": lambda: "anvil's methods before geth",
        }

    def __call__(self, ask: Ask, method: str, params: list[Any]) -> dict[str, Any]:
        """The answer to a request; what is not anvil's own is geth's to answer."""
        if method not in self._methods:
            return ask(method, params)
        try:
            return {"jsonrpc": "2.0", "result": self._methods[method](*params)}
        except ClientFailed as error:
            return {"jsonrpc": "2.0", "error": {"code": -32000, "message": str(error)}}

    # --- transactions

    def _send(self, call: dict[str, Any]) -> str:
        sender = call["from"].lower()
        self._require_key(sender)
        nonce = int(self._geth.control("eth_getTransactionCount", sender, "latest"), 16)
        transaction = {
            "type": 2,
            "chainId": self._geth.chain_id,
            "nonce": nonce + sum(self._sender_of(raw) == sender for raw in self._waiting),
            "value": int(call.get("value", "0x0"), 16),
            "data": call.get("data", "0x"),
            "gas": self._gas(call),
            "maxFeePerGas": MAX_FEE,
            "maxPriorityFeePerGas": TIP,
        }
        if call.get("to"):
            transaction["to"] = call["to"]
        signed = Account.sign_transaction(transaction, self._accounts[sender])
        return self._take(signed.raw_transaction.to_0x_hex(), signed.hash.to_0x_hex())

    def _require_key(self, address: str) -> None:
        if address.lower() not in self._accounts:
            raise ClientFailed(f"there is no key of {address}")

    def _send_raw(self, raw: str) -> str:
        hash_: str = self._geth.control("eth_sendRawTransaction", raw)
        return self._take(raw, hash_)

    def _take(self, raw: str, hash_: str) -> str:
        """Have a transaction mined: now, or with the next block in the order of their coming."""
        self._waiting.append(raw)
        if self._mines_at_once:
            self._make_block()
        return hash_

    def _gas(self, call: dict[str, Any]) -> int:
        """What is asked for; "as much as there is" differs by the rules."""
        asked = int(call.get("gas", hex(BLOCK_GAS)), 16)
        most = MOST_GAS if self._geth.rules is Rules.MAINNET else BLOCK_GAS
        return asked if asked < MOST_GAS else most

    @staticmethod
    def _sender_of(raw: str) -> str:
        return str(Account.recover_transaction(raw)).lower()

    # --- blocks

    def _make_block(self, **attributes: Any) -> None:
        if self._next_time:
            attributes["timestamp"] = hex(self._next_time)
        waiting, self._waiting, self._next_time = self._waiting, [], 0
        self._geth.mine(transactions=waiting, **attributes)

    def _mine(self, blocks: str | int = 1) -> None:
        for _ in range(blocks if isinstance(blocks, int) else int(blocks, 16)):
            self._make_block()

    def _mine_at(self, timestamp: int | str = 0) -> str:
        self._set_time(timestamp)
        self._make_block()
        return "0x0"

    def _set_time(self, timestamp: int | str) -> None:
        self._next_time = timestamp if isinstance(timestamp, int) else int(timestamp, 16)

    def _set_automine(self, is_on: bool) -> None:
        self._mines_at_once = is_on

    def _snapshot(self) -> str:
        number = 1 + max(self._snapshots, default=0)
        self._snapshots[number] = int(self._geth.head()["number"], 16)
        return hex(number)

    def _revert(self, snapshot: str) -> bool:
        """Back to a snapshot's block; it stays, so that its number is not given away again."""
        block = self._snapshots.get(int(snapshot, 16))
        if block is None:
            return False
        self._waiting.clear()
        self._geth.forget(int(self._geth.head()["number"], 16) - block)
        return True

    def _set_balance(self, address: str, amount: str) -> None:
        """Raise it, to whole gwei: a withdrawal runs no code of the account that it is for."""
        present = int(self._geth.control("eth_getBalance", address, "latest"), 16)
        missing = (int(amount, 16) - present) // GWEI
        if not 0 <= missing < 1 << 64:
            raise ClientFailed(f"a withdrawal cannot bring {address} to {amount}")
        self._withdrawals += 1
        number = hex(self._withdrawals)
        withdrawal = {"index": number, "validatorIndex": "0x0", "address": address}
        self._make_block(withdrawals=[withdrawal | {"amount": hex(missing)}])


@contextmanager
def as_anvil(geth: Geth) -> Iterator[str]:
    """The address at which a geth answers as anvil does."""
    with relay(geth.url, AsAnvil(geth)) as url:
        yield url


def ape_keys() -> list[bytes]:
    """The private keys of Ape's test accounts, as many as the project's tests have."""
    import ape
    from ape.utils.testing import generate_dev_accounts

    count = ape.config.get_config("test").number_of_accounts
    accounts = generate_dev_accounts(number_of_accounts=count)
    return [bytes.fromhex(each.private_key.removeprefix("0x")) for each in accounts]
