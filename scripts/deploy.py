"""Deploy the market's contracts: `ape run deploy --account me --network ethereum:sepolia:node`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ape
import click
from ape.api import AccountAPI

from d2m.chain.artifacts import load_artifacts
from d2m.chain.deployment.deploy import deploy
from d2m.chain.deployment.genesis import BLOCK_HASHES, GENESIS, Parameters, Plan
from d2m.chain.deployment.parameters import read_parameters
from d2m.chain.deployment.record import Record, record_path
from d2m.chain.errors import BadDeployment
from d2m.cli.commands import one_line_errors
from d2m.cli.options import existing_file, folder_path, max_fee_option
from scripts._wallet import ApeSigner, asking_options, rpc_url, wallet_command, wallet_of

LOCAL_CHAIN_IDS = (1337, 31337)
"""Chains of one machine, where foreseeable draws harm nobody."""


@wallet_command
@click.option(
    "--parameters",
    type=existing_file,
    required=True,
    help="YAML file, like scripts/deployment.example.yaml.",
)
@click.option(
    "--out",
    type=folder_path,
    default=Path("build/deployments"),
    show_default=True,
    help="Folder of the records, one file for each chain.",
)
@max_fee_option
@asking_options
def cli(
    account: AccountAPI, parameters: Path, out: Path, max_fee: int | None, **options: Any
) -> None:
    """Deploy all contracts, wired to one another; nobody keeps a key to them.

    Interrupted, it goes on where it stopped when it is run again, by whichever account. The
    addresses follow from the parameters and the code, and are the same on every chain.
    """
    provider = ape.networks.provider
    # Asked of the node itself: Ape assumes 1337 of every local network.
    chain_id: int = provider.web3.eth.chain_id
    path = record_path(out, chain_id)
    wallet = wallet_of(options)
    with one_line_errors(wallet):
        artifacts = load_artifacts()
        chosen = read_parameters(parameters, artifacts)
        _check_seed(chosen, chain_id)
        _check_record(path, Plan(chosen, artifacts))
        record = deploy(
            rpc_url(provider),
            chain_id,
            artifacts,
            ApeSigner(account, provider),
            chosen,
            max_fee=max_fee,
            on_receipt=wallet.report_creation,
            on_ready=wallet.approve,
        )
    if wallet.manner.dry_run:
        return wallet.nothing_to_send()
    record.write(path)
    contracts = record.deployment.contracts
    listed = [f"{name:20} {address}" for name, address in contracts.items()]
    text = "\n".join([*listed, f"read back and found in order; record: {path}"])
    return wallet.answer(text, record=str(path), contracts=contracts)


def _check_seed(chosen: Parameters, chain_id: int) -> None:
    if chosen.random_seed != BLOCK_HASHES and chain_id not in LOCAL_CHAIN_IDS:
        raise click.UsageError("randomSeed makes every draw foreseeable: local chains only")


def _check_record(path: Path, plan: Plan) -> None:
    """A record of another market must not be lost."""
    if not path.exists():
        return
    there = Record.read(path).contracts
    if GENESIS not in there or there[GENESIS].address != plan.genesis:
        raise BadDeployment(f"{path} records another market: name another folder with --out")
