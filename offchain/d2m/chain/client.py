"""A thin client for daemons: reads in batches, transactions with local nonces, receipts checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from eth_typing import ChecksumAddress
from web3 import Web3
from web3.contract import Contract
from web3.contract.contract import ContractConstructor, ContractFunction
from web3.exceptions import BadFunctionCallOutput
from web3.middleware import AttributeDictMiddleware
from web3.types import BlockIdentifier, EventData, RPCEndpoint, TxParams

from d2m.chain.addresses import shown
from d2m.chain.artifacts import Artifact
from d2m.chain.deployment.record import Deployment
from d2m.chain.errors import (
    ChainError,
    NotCompiled,
    NotDeployed,
    Reverted,
    WrongChain,
)
from d2m.chain.gas import rules_of
from d2m.chain.heads import HeadWatch
from d2m.chain.prepared import Prepared, Price
from d2m.chain.provider import NamedErrorProvider
from d2m.chain.reverts import ErrorLibrary
from d2m.chain.sender import Sender
from d2m.chain.signer import Signer
from d2m.chain.transactions import (
    STUCK_SECONDS,
    TIMEOUT_SECONDS,
    Payload,
    RawCall,
    Receipt,
    SendingOptions,
    Transaction,
)

BATCH_SIZE = 100  # calls per request; public nodes refuse larger ones


def read_deployment(place: Path, rpc_url: str) -> Deployment:
    """The deployment of a record, or of that of a node's chain in a folder of records.

    Raises ``BadDeployment``, and for a folder ``ChainUnreachable``.
    """
    if not place.is_dir():
        return Deployment.read(place)
    return Deployment.read(place, chain_id_of(rpc_url))


def chain_id_of(rpc_url: str) -> int:
    """The id of a node's chain. Raises ``ChainUnreachable``."""
    return Web3(NamedErrorProvider(rpc_url, ErrorLibrary(()))).eth.chain_id


class Chain:
    """One party's view of one deployment. For one thread; any number of processes may share a node.

    Raises ``ChainUnreachable`` or ``WrongChain`` at once when the node is not the one meant.
    Transactions are estimated against the pending block, where they would be mined: one that would
    revert there raises ``Reverted`` and costs nothing.
    """

    def __init__(
        self,
        rpc_url: str,
        deployment: Deployment,
        artifacts: Mapping[str, Artifact],
        signer: Signer | None = None,
        *,
        on_receipt: Callable[[Receipt], None] | None = None,
        on_replaced: Callable[[str], None] | None = None,
        on_ready: Callable[[Prepared], None] | None = None,
        max_fee: int | None = None,
        poll_seconds: float = 0.25,
        stuck_seconds: float = STUCK_SECONDS,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        """The keyword options are those of `SendingOptions`."""
        provider = NamedErrorProvider(rpc_url, ErrorLibrary(artifacts.values()))
        # A contract must not make its reader fetch the web addresses that it names.
        provider.global_ccip_read_enabled = False
        self.w3 = Web3(provider, middleware=[AttributeDictMiddleware])
        self.heads = HeadWatch(self.w3)
        self.deployment = deployment
        self._artifacts = artifacts
        self._handles: dict[str, Contract] = {}
        self._names = {address: name for name, address in deployment.contracts.items()}
        found = self.w3.eth.chain_id
        if found != deployment.chain_id:
            raise WrongChain(
                f"{shown(rpc_url)} is chain {found}, the contracts are on {deployment.chain_id}:"
                " name a node of that chain"
            )
        sending = SendingOptions(
            max_fee,
            poll_seconds,
            stuck_seconds,
            timeout_seconds,
            on_receipt,
            on_replaced,
            on_ready,
        )
        self._sender = Sender(self.w3, signer, found, sending) if signer else None

    @property
    def address(self) -> ChecksumAddress:
        """The account that signs."""
        return self._the_sender().address

    def contract(self, name: str) -> Contract:
        """The deployed contract, as a web3 handle; `d2m.chain.contracts` has its calls."""
        if name not in self._handles:
            self._handles[name] = self._open(name)
        return self._handles[name]

    # --- reads

    def call(self, function: ContractFunction, *, block: BlockIdentifier = "latest") -> Any:
        """The decoded result of a view function. Raises ``Reverted``, or ``NotDeployed``."""
        try:
            return function.call(self._call_parameters(), block)
        except Reverted as error:
            raise error.during(self._step(function)) from None
        except BadFunctionCallOutput:
            self._see_that_there_is_code(function)
            raise

    def call_many(
        self, functions: Sequence[ContractFunction], *, block: BlockIdentifier = "latest"
    ) -> list[Any]:
        """The decoded results of several view functions, in order, in few requests."""
        results: list[Any] = []
        for start in range(0, len(functions), BATCH_SIZE):
            with self.w3.batch_requests() as batch:
                for function in functions[start : start + BATCH_SIZE]:
                    batch.add(function.call(self._call_parameters(), block))
                results.extend(batch.execute())
        return results

    def block_number(self) -> int:
        """The number of the latest block."""
        return self.w3.eth.block_number

    def balance(self, address: ChecksumAddress) -> int:
        """In wei, at the latest block."""
        return self.w3.eth.get_balance(address)

    def has_code(self, address: str) -> bool:
        """Whether a contract is there, at the latest block."""
        return bool(self.w3.eth.get_code(cast(ChecksumAddress, address)))

    def logs(
        self,
        contract: str,
        event: str,
        from_block: int | None = None,
        to_block: int | None = None,
        argument_filters: dict[str, Any] | None = None,
    ) -> list[EventData]:
        """Decoded events in chain order, from the deployment's block to the latest by default."""
        found = (
            self.contract(contract)
            .events[event]()
            .get_logs(
                from_block=self.deployment.block if from_block is None else from_block,
                to_block="latest" if to_block is None else to_block,
                argument_filters=argument_filters,
            )
        )
        return sorted(found, key=lambda log: (log["blockNumber"], log["logIndex"]))

    def has_logs(self, contracts: Sequence[str], from_block: int, to_block: int) -> bool:
        """Whether any of the contracts emitted an event. Decodes nothing: cheap enough to poll.

        A span that ends before it begins holds none; some nodes would refuse the question.
        """
        if to_block < from_block:
            return False
        addresses = [self.deployment.contracts[name] for name in contracts]
        span = {"address": addresses, "fromBlock": hex(from_block), "toBlock": hex(to_block)}
        return bool(self.w3.provider.make_request(RPCEndpoint("eth_getLogs"), [span])["result"])

    def events(self, receipt: Receipt, contract: str, event: str) -> list[EventData]:
        """The events of one kind that one transaction emitted from ``contract``, decoded."""
        handle = self.contract(contract)
        found = handle.events[event]()
        return [  # web3's process_receipt would take other contracts' events of that form, too
            found.process_log(log)
            for log in receipt.raw["logs"]
            if log["address"] == handle.address and log["topics"][0].to_0x_hex() == found.topic
        ]

    def all_events(self, receipt: Receipt) -> list[tuple[str, EventData]]:
        """Every event that the deployment's contracts emitted in one transaction, in order.

        Each with its contract's name. Events of other contracts, such as tokens, are left out.
        """
        found: list[tuple[str, EventData]] = []
        for log in receipt.raw["logs"]:
            name = self._names.get(log["address"])
            if name is None:
                continue
            handle = self.contract(name)
            names = [entry["name"] for entry in handle.abi if entry["type"] == "event"]
            kinds = {str(kind.topic): kind for kind in (handle.events[each]() for each in names)}
            kind = kinds.get(log["topics"][0].to_0x_hex())
            if kind is not None:
                found.append((name, kind.process_log(log)))
        return found

    def price(self) -> Price:
        """Current gas price. Raises FeeTooHigh."""
        return self._the_sender().price()

    def rules(self) -> str:
        """Name of the rules that the chain runs by now: "osaka" or "amsterdam"."""
        return rules_of(self.w3.eth.get_block("latest"))

    # --- transactions

    def send(
        self,
        function: Payload,
        *,
        value: int = 0,
        gas: int | None = None,
        size: int | None = None,
        most_gas: int | None = None,
    ) -> Receipt:
        """Send one transaction and wait until it is mined; the arguments are `Transaction`'s.

        Raises ``Reverted`` (before sending where it can be foreseen) or ``TransactionTimeout``.
        """
        return self.send_many([Transaction(function, value, gas, size=size, most_gas=most_gas)])[0]

    def send_many(self, transactions: Sequence[Transaction]) -> list[Receipt]:
        """Send all, then wait for all; the first failure is raised once all are accounted for."""
        named = [
            each if each.step else each._replace(step=self._step(each.function))
            for each in transactions
        ]
        receipts = self._the_sender().send_all(named)
        for receipt in receipts:
            self.heads.saw(receipt.block, bytes(receipt.raw["blockHash"]))
        return receipts

    def tell_waiting(self, tell: Callable[[ChainError], None]) -> None:
        """Have `tell` told what keeps a transaction that was sent from being mined."""
        self._the_sender().on_waiting = tell

    def forget_nonce(self) -> None:
        """Ask the node for the account's next nonce again."""
        self._the_sender().forget()

    def forget(self) -> None:
        """Believe nothing of what a re-organisation may have taken away: nonce, contracts."""
        self._handles.clear()
        if self._sender is not None:
            self._sender.forget()

    def settle_earlier(self) -> None:
        """Wait for, or replace, what an earlier life of the process left pending.

        To be called before anything is decided: what is pending may be what one is about to do.
        """
        self._the_sender().settle_earlier()

    def deploy(self, name: str, *arguments: Any) -> tuple[ChecksumAddress, Receipt]:
        """Create a contract from its artifact: its address, and the receipt."""
        artifact = self._artifact(name)
        factory = self.w3.eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
        creation = Transaction(factory.constructor(*arguments), step=f"deploy {name}")
        receipt = self.send_many([creation])[0]
        address = receipt.raw["contractAddress"]
        assert address is not None  # every successful creation has one
        return address, receipt

    # --- inside

    def _open(self, name: str) -> Contract:
        address = self.deployment.contracts.get(name)
        if address is None:
            known = ", ".join(sorted(self.deployment.contracts)) or "none"
            raise NotDeployed(f"the deployment has no {name} (it has: {known}): deploy it")
        if not self.w3.eth.get_code(address):
            raise NotDeployed(
                f"no code of {name} at {address} on chain {self.deployment.chain_id}: deploy again"
            )
        return self.w3.eth.contract(address=address, abi=self._artifact(name).abi)

    def _see_that_there_is_code(self, function: ContractFunction) -> None:
        """Open a contract of the market anew that answered with nothing. Raises NotDeployed."""
        name = self._names.get(function.address)
        if name is not None:
            self._handles.pop(name, None)
            self.contract(name)

    def _artifact(self, name: str) -> Artifact:
        try:
            return self._artifacts[name]
        except KeyError:
            raise NotCompiled(f"there is no compiled {name}: run `ape compile`") from None

    def _step(self, function: Payload) -> str:
        if isinstance(function, ContractConstructor):
            return "deploy"
        if isinstance(function, RawCall):
            return self._names.get(function.address, function.address)
        return f"{self._names.get(function.address, function.address)}.{function.fn_name}"

    def _call_parameters(self) -> TxParams:
        return {"from": self._sender.address} if self._sender else {}

    def _the_sender(self) -> Sender:
        if self._sender is None:
            raise ChainError("this party only reads: give it a signer to send transactions")
        return self._sender
