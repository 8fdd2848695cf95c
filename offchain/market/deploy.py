"""Deploying the market's contracts, wired to one another and to nobody's key."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from eth_typing import ChecksumAddress
from web3.types import Nonce
from web3.utils.address import get_create_address

from offchain.chain.artifacts import Artifact
from offchain.chain.client import Chain
from offchain.chain.deployment import Deployment
from offchain.chain.prepared import Prepared
from offchain.chain.signer import Signer
from offchain.chain.transactions import Receipt

PARTS_BEFORE_JOBS = 6
"""Contracts deployed ahead of `Jobs`: its address follows from the deployer's nonce."""


def deploy(
    rpc: str,
    chain_id: int,
    artifacts: Mapping[str, Artifact],
    signer: Signer,
    *,
    stake_unit: int,
    bond_unit: int,
    random_seed: bytes | None = None,
    on_receipt: Callable[[Receipt], None] | None = None,
    on_ready: Callable[[Prepared], None] | None = None,
) -> Deployment:
    """Deploy every contract; `stake_unit` (of a node) and `bond_unit` (of an offer) in wei.

    With `random_seed` (32 bytes) draws come from that seed instead of block hashes: for local
    chains only, where a run shall be repeatable.
    """
    nothing = Deployment(chain_id=chain_id, block=0, contracts={})
    chain = Chain(rpc, nothing, artifacts, signer, on_receipt=on_receipt, on_ready=on_ready)
    nonce = chain.w3.eth.get_transaction_count(signer.address)
    jobs = get_create_address(signer.address, Nonce(nonce + PARTS_BEFORE_JOBS))
    block = chain.block_number()
    contracts: dict[str, ChecksumAddress] = {}

    def create(name: str, *arguments: object) -> ChecksumAddress:
        contracts[name], _receipt = chain.deploy(name, *arguments)
        return contracts[name]

    registry = create("SellerRegistry", bond_unit)
    if random_seed is None:
        randomness = create("BlockhashRandomness")
    else:
        randomness = create("SeededRandomness", random_seed)
    pool = create("ConePool", jobs, stake_unit)
    yoda = create("Yoda", jobs, pool, randomness)
    escrow = create("Escrow", jobs, yoda)
    auctions = create("AuctionHouse", jobs, escrow)
    # Reverts with WrongWiring if another transaction of the deployer came in between.
    create("Jobs", registry, randomness, pool, yoda, escrow, auctions)
    create("Lens", jobs)
    create("KeyRings")
    return Deployment(chain_id=chain_id, block=block, contracts=contracts)
