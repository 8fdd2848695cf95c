"""Deploy the market's contracts: `ape run deploy --account me --network ethereum:sepolia:node`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ape
import click
from ape.api import AccountAPI
from eth_utils.crypto import keccak

from offchain.chain.artifacts import load_artifacts
from offchain.market.deploy import deploy
from offchain.parties.commands import one_line_errors
from offchain.parties.options import Wei
from scripts._wallet import ApeSigner, asking_options, rpc_url, wallet_command, wallet_of

LOCAL_CHAIN_IDS = (1337, 31337)
"""Chains of one machine, where foreseeable draws harm nobody."""


@wallet_command
@click.option("--stake-unit", type=Wei(), default="1 ether", show_default=True, help="Of a seat.")
@click.option(
    "--bond-unit", type=Wei(), default="0.1 ether", show_default=True, help="Of an offer."
)
@click.option(
    "--random-seed", help="Draw from this text in place of block hashes; local chains only."
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("build/deployment.json"),
    show_default=True,
    help="Where the record of the contracts goes.",
)
@asking_options
def cli(
    account: AccountAPI,
    stake_unit: int,
    bond_unit: int,
    random_seed: str | None,
    out: Path,
    **options: Any,
) -> None:
    """Deploy all contracts, wired to one another; nobody keeps a key to them."""
    provider = ape.networks.provider
    # Asked of the node itself: Ape assumes 1337 of every local network.
    chain_id: int = provider.web3.eth.chain_id
    if random_seed is not None and chain_id not in LOCAL_CHAIN_IDS:
        raise click.UsageError("--random-seed makes every draw foreseeable: local chains only")
    wallet = wallet_of(options)
    with one_line_errors(wallet):
        deployment = deploy(
            rpc_url(provider),
            chain_id,
            load_artifacts(),
            ApeSigner(account, provider),
            stake_unit=stake_unit,
            bond_unit=bond_unit,
            random_seed=keccak(text=random_seed) if random_seed is not None else None,
            on_receipt=wallet.report_creation,
            on_ready=wallet.approve,
        )
    deployment.write(out)
    listed = [f"{name:20} {address}" for name, address in deployment.contracts.items()]
    text = "\n".join([*listed, f"record: {out}"])
    wallet.answer(text, record=str(out), contracts=deployment.contracts)
