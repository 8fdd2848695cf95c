"""Deploying the market's contracts, wired to one another and to nobody's key."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial

from eth_typing import ChecksumAddress
from hexbytes import HexBytes
from web3.types import BlockIdentifier, TxParams

from d2m.chain.artifacts import Artifact, compiler_of
from d2m.chain.client import Chain
from d2m.chain.contracts.genesis import Genesis
from d2m.chain.deployment.check import check
from d2m.chain.deployment.genesis import GENESIS, PROXY, SALT, Layout, Parameters
from d2m.chain.deployment.record import Created, Deployment, Record
from d2m.chain.errors import (
    BadDeployment,
    FeeCapped,
    NotDeployed,
    Reverted,
    TransactionTimeout,
)
from d2m.chain.feecap import check_fee_cap
from d2m.chain.prepared import Prepared
from d2m.chain.sender import GAS_HEADROOM_PERCENT
from d2m.chain.signer import Signer
from d2m.chain.transactions import RawCall, Receipt, Transaction

CHOOSY = ("SellerRegistry", "ConePool")
"""The parts whose constructors refuse some parameters."""
PENDING_SECONDS = 120.0  # for a step that is on its way, sent by another or by an earlier run
LOOK_SECONDS = 0.25


def deploy(
    rpc: str,
    chain_id: int,
    artifacts: Mapping[str, Artifact],
    signer: Signer,
    parameters: Parameters,
    *,
    max_fee: int | None = None,
    on_receipt: Callable[[Receipt], None] | None = None,
    on_ready: Callable[[Prepared], None] | None = None,
) -> Record:
    """Deploy what is not there yet: what an earlier run or another account did stays.

    The addresses follow from `parameters` and the code alone, on every chain. `max_fee` in wei per
    gas. Raises Reverted before the first transaction for parameters that a contract refuses,
    NotDeployed where the chain lacks the deterministic deployment proxy, FeeTooHigh where gas is
    dearer than `max_fee`, FeeCapped where the node passes on nothing that may cost as much as the
    dearest step, BadDeployment where reading everything back finds a fault.
    """
    plan = Layout(parameters, artifacts)
    nothing_but_genesis = Deployment(chain_id, 0, {GENESIS: plan.genesis})
    chain = Chain(
        rpc,
        nothing_but_genesis,
        artifacts,
        signer,
        max_fee=max_fee,
        on_receipt=on_receipt,
        on_ready=on_ready,
    )
    _check_proxy(chain)
    _check_parameters(chain, plan)
    _check_fee_cap(chain, plan)
    beginning = RawCall(PROXY, SALT + plan.genesis_code, parameters.recorded())
    begin = Transaction(beginning, step=f"deploy {GENESIS}")
    _ensure(chain, GENESIS, plan.genesis, partial(chain.send_many, [begin]))
    genesis = Genesis(chain)
    for name, address in plan.addresses.items():
        create = partial(genesis.create, name, plan.creation_code(name))
        _ensure(chain, name, address, create)
    record = _record(chain, plan)
    reader = Chain(rpc, record.deployment, artifacts)
    for each in check(reader, record, artifacts):
        if each.fault:
            raise BadDeployment(f"the deployment is not as it should be: {each.what}: {each.fault}")
    return record


def _record(chain: Chain, plan: Layout) -> Record:
    """Record of how everything came to be, as `Genesis` tells it, whoever sent the transactions."""
    genesis = Genesis(chain)
    begun = genesis.start_block()
    contracts = {GENESIS: _created(chain, plan, GENESIS, begun)}
    for part, name in enumerate(plan.names):
        contracts[name] = _created(chain, plan, name, genesis.created_in(part))
    return Record(
        chain_id=chain.deployment.chain_id,
        block=begun,
        parameters=plan.parameters.recorded(),
        compiler=compiler_of(GENESIS),
        contracts=contracts,
    )


def _created(chain: Chain, plan: Layout, name: str, block: int) -> Created:
    address = plan.genesis if name == GENESIS else plan.addresses[name]
    event = "Begun" if name == GENESIS else "PartCreated"
    logs = chain.logs(GENESIS, event, block, block)
    (transaction,) = [
        log["transactionHash"] for log in logs if log["args"].get("at", address) == address
    ]
    return Created(
        address=address,
        block=block,
        transaction=transaction.to_0x_hex(),
        abi_hash=plan.artifacts[name].abi_hash,
    )


def _check_proxy(chain: Chain) -> None:
    if not _has_code(chain, PROXY):
        raise NotDeployed(
            f"this chain has no deterministic deployment proxy at {PROXY}: have it put there once"
            " (docs/deploy.md, A chain without the proxy)"
        )


def _check_parameters(chain: Chain, plan: Layout) -> None:
    """Play the creations that may be refused: `Genesis` itself would take any parameters."""
    for name in CHOOSY:
        code = plan.creation_code(name) + plan.arguments(name)
        creation: TxParams = {"data": HexBytes(code)}
        try:
            chain.w3.eth.call(creation)
        except Reverted as error:
            raise error.during(f"deploy {name}") from None


def _check_fee_cap(chain: Chain, plan: Layout) -> None:
    """Have the node look at the fee of the dearest step that is left, before the first is paid."""
    left = [name for name, address in plan.addresses.items() if not _has_code(chain, address)]
    if not left:
        return
    size = {name: len(plan.artifacts[name].runtime) // 2 - 1 for name in left}
    dearest = max(left, key=lambda name: size[name])
    # Its code cannot be created before what it is wired to: so many zeros stand for it, and what
    # comes after the RETURN is paid for as data.
    zeros = b"\x62" + size[dearest].to_bytes(3, "big") + b"\x5f\xf3"  # PUSH3 PUSH0 RETURN
    code = zeros + plan.creation_code(dearest)
    gas = chain.w3.eth.estimate_gas({"data": HexBytes(code)})
    limit = gas * (100 + GAS_HEADROOM_PERCENT) // 100
    try:
        check_fee_cap(chain.w3, chain.deployment.chain_id, limit, chain.price().fees)
    except FeeCapped as error:
        raise FeeCapped(
            f"nothing was paid yet: deploy {dearest} would be too dear: {error}"
        ) from None


def _ensure(
    chain: Chain, name: str, address: ChecksumAddress, create: Callable[[], object]
) -> None:
    """Have a contract created, by this transaction or by one that came before it."""
    if _has_code(chain, address):
        return
    try:
        create()
    except Reverted:
        if not _appears(chain, name, address):
            raise


def _appears(chain: Chain, name: str, address: ChecksumAddress) -> bool:
    """Whether the contract is there after all, waiting for a transaction that brings it."""
    deadline = time.monotonic() + PENDING_SECONDS
    while not _has_code(chain, address):
        if not _has_code(chain, address, "pending"):
            return _has_code(chain, address)  # mined between the two looks
        if time.monotonic() > deadline:
            raise TransactionTimeout(
                f"deploy {name}: another transaction does it, but was not mined in"
                f" {PENDING_SECONDS:g} s: run the same command again later"
            )
        time.sleep(LOOK_SECONDS)
    return True


def _has_code(chain: Chain, address: ChecksumAddress, block: BlockIdentifier = "latest") -> bool:
    return bool(chain.w3.eth.get_code(address, block))
