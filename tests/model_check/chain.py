"""The contracts on a local node, a request of a millisecond or two for each thing."""

from __future__ import annotations

import http.client
import itertools
import json
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlparse

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from web3 import Account
from web3.utils import get_create_address

from d2m.clients.anvil import Anvil, start_anvil
from d2m.protocol.types import tag_of
from tests.model_check.calls import calldata, encoded
from tests.model_check.model.basics import Move
from tests.model_check.model.market import Setting

ACCOUNTS = 15  # the operator and every party with a key
CHAMELEONS = 4
STAKE = 10**18 + 9  # wei, odd so that penalties round
BOND = 10**17 + 1
TAGS = tuple(tag_of(name) for name in ("audio", "digits"))
TOKENS = 10**24  # of each token, to every party
GAS = 15_000_000
ENDLESS = 2**256 - 1


@dataclass
class Chain:
    """A node with the deployed market. Transactions cost nothing, so balances can be foretold."""

    anvil: Anvil
    codes: Mapping[str, bytes]
    addresses: dict[str, str] = field(default_factory=dict)
    chameleons: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        url = urlparse(self.anvil.url)
        assert url.hostname is not None
        self._connection = http.client.HTTPConnection(url.hostname, url.port)
        self._ids = itertools.count(1)
        keys = [Account.from_key(key) for key in self.anvil.keys]
        self.keys = {to_checksum_address(each.address).lower(): each for each in keys}
        self.operator, *self.people = self.keys
        self.rpc("anvil_setNextBlockBaseFeePerGas", "0x0")
        self._deploy()

    # Requests

    def rpc(self, method: str, *params: Any) -> Any:
        answer = self._ask(method, *params)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def _ask(self, method: str, *params: Any) -> dict[str, Any]:
        request = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        headers = {"Content-Type": "application/json"}
        self._connection.request("POST", "/", json.dumps(request), headers)
        return dict(json.loads(self._connection.getresponse().read()))

    def height(self) -> int:
        return int(self.rpc("eth_blockNumber"), 16)

    def mine(self, blocks: int) -> None:
        self.rpc("anvil_mine", hex(blocks))

    def snapshot(self) -> str:
        return str(self.rpc("evm_snapshot"))

    def revert(self, snapshot: str) -> None:
        assert self.rpc("evm_revert", snapshot)
        self.rpc("anvil_setNextBlockBaseFeePerGas", "0x0")

    # Moves

    def send(self, move: Move) -> bool:
        """Whether the transaction succeeds."""
        receipt = self.rpc("eth_sendTransactionSync", self._transaction(move))
        return int(receipt["status"], 16) == 1

    def refusal(self, move: Move) -> bytes | None:
        """What the transaction would revert with in the next block, None if it would succeed."""
        answer = self._ask("eth_call", self._transaction(move), "pending")
        if "error" not in answer:
            return None
        return bytes.fromhex((answer["error"].get("data") or "0x")[2:])

    def _transaction(self, move: Move) -> dict[str, str]:
        target, data = calldata(move, self.addresses)
        if move.sender not in self.chameleons or move.contract == "chameleon":
            sender = self.operator if move.contract == "chameleon" else move.sender
            return self._call(sender, target, data, move.value)
        wrapped = encoded("act(address,bytes)", target, data)
        return self._call(self.operator, move.sender, wrapped, move.value)

    def _call(self, sender: str, target: str, data: bytes, value: int = 0) -> dict[str, str]:
        return {
            "from": sender,
            "to": target,
            "data": "0x" + data.hex(),
            "value": hex(value),
            "gas": hex(GAS),
            "gasPrice": "0x0",
        }

    def words(self, signature: str, *args: Any) -> list[int]:
        """The words that the auditor answers in the next block."""
        data = encoded(signature, *args)
        call = {"to": self.addresses["auditor"], "data": "0x" + data.hex()}
        answer = bytes.fromhex(self.rpc("eth_call", call, "pending")[2:])
        quarters = struct.unpack(f">{len(answer) // 8}Q", answer)
        a, b, c, d = (quarters[i::4] for i in range(4))
        return [w << 192 | x << 128 | y << 64 | z for w, x, y, z in zip(a, b, c, d, strict=True)]

    # Deployment

    def _create(self, name: str, types: list[str], *args: Any) -> str:
        data = "0x" + (self.codes[name] + encode(types, args)).hex()
        call = {"from": self.operator, "data": data, "gas": hex(GAS), "gasPrice": "0x0"}
        receipt = self.rpc("eth_sendTransactionSync", call)
        assert int(receipt["status"], 16) == 1, f"{name} was not deployed"
        return str(receipt["contractAddress"]).lower()

    def _deploy(self) -> None:
        nonce = int(self.rpc("eth_getTransactionCount", self.operator, "latest"), 16)
        jobs = get_create_address(to_checksum_address(self.operator), nonce + 6).lower()
        registry = self._create("SellerRegistry", ["uint256"], BOND)
        randomness = self._create("ForgetfulRandomness", [])
        pool = self._create("ConePool", ["address", "uint256"], jobs, STAKE)
        yoda = self._create("Yoda", ["address"] * 3, jobs, pool, randomness)
        escrow = self._create("Escrow", ["address"] * 2, jobs, yoda)
        house = self._create("AuctionHouse", ["address"] * 2, jobs, escrow)
        parts = (registry, randomness, pool, yoda, escrow, house)
        assert self._create("Jobs", ["address"] * 6, *parts) == jobs
        self.addresses.update(
            registry=registry, pool=pool, yoda=yoda, escrow=escrow, house=house, jobs=jobs
        )
        self.chameleons = [self._create("Chameleon", []) for _ in range(CHAMELEONS)]
        self.tokens = [self._create(name, []) for name in ("PlainToken", "FalseToken", "FeeToken")]
        self._hand_out_tokens()
        types = ["address", "address", "address[]", "address[]", "bytes32[]"]
        accounts = [*self.people, *self.chameleons]
        args = (registry, jobs, accounts, self.tokens[:1], TAGS)
        self.addresses["auditor"] = self._create("Auditor", types, *args)

    def _hand_out_tokens(self) -> None:
        approval = encoded("approve(address,uint256)", self.addresses["escrow"], ENDLESS)
        for token in self.tokens:
            for account in [*self.people, *self.chameleons]:
                mint = encoded("mint(address,uint256)", account, TOKENS)
                self._must(self.operator, token, mint)
                if account in self.chameleons:
                    wrapped = encoded("act(address,bytes)", token, approval)
                    self._must(self.operator, account, wrapped)
                else:
                    self._must(account, token, approval)
        self._must(self.operator, self.tokens[1], encoded("stop(bool)", True))

    def _must(self, sender: str, target: str, data: bytes) -> None:
        receipt = self.rpc("eth_sendTransactionSync", self._call(sender, target, data))
        assert int(receipt["status"], 16) == 1

    # For the model

    def setting(self, unbonding: int) -> Setting:
        return Setting(
            chain_id=self.anvil.chain_id,
            addresses={k: v for k, v in self.addresses.items() if k != "auditor"},
            accounts=[*self.people, *self.chameleons],
            tags=TAGS,
            token=self.tokens[0],
            false_token=self.tokens[1],
            fee_token=self.tokens[2],
            stake_unit=STAKE,
            bond_unit=BOND,
            unbonding=unbonding,
        )


@contextmanager
def started(codes: Mapping[str, bytes]) -> Iterator[Chain]:
    """A fresh node with the market deployed."""
    with start_anvil(accounts=ACCOUNTS) as anvil:
        yield Chain(anvil, codes)
