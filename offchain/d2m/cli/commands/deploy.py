"""The command that deploys the market's contracts."""

from __future__ import annotations

from pathlib import Path

import click

from d2m.chain.artifacts import load_artifacts
from d2m.chain.client import chain_id_of
from d2m.chain.deployment.deploy import deploy
from d2m.chain.deployment.genesis import BLOCK_HASHES, GENESIS, Layout, Parameters
from d2m.chain.deployment.parameters import read_parameters
from d2m.chain.deployment.record import Record, record_path
from d2m.chain.errors import BadDeployment
from d2m.cli.access import Access, Caller
from d2m.cli.options.common import existing_file, folder_path

LOCAL_CHAIN_IDS = (1337, 31337)
"""Chains of one machine, where foreseeable draws harm nobody."""


def command(access: Access) -> click.Command:
    """The command `deploy`."""

    @access.signing
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
    def deploy_(caller: Caller, parameters: Path, out: Path) -> None:
        """Deploy all contracts, wired to one another; nobody keeps a key to them.

        Interrupted, it goes on where it stopped when it is run again, by whichever account. The
        addresses follow from the parameters and the code, and are the same on every chain.
        """
        with caller.confirming() as confirmation:
            chain_id = chain_id_of(caller.rpc)
            path = record_path(out, chain_id)
            artifacts = load_artifacts()
            chosen = read_parameters(parameters, artifacts)
            _check_seed(chosen, chain_id)
            _check_record(path, Layout(chosen, artifacts))
            record = deploy(
                caller.rpc,
                chain_id,
                artifacts,
                caller.connected(),
                chosen,
                max_fee=caller.max_fee,
                on_receipt=confirmation.report_creation,
                on_ready=confirmation.approve,
            )
        if caller.mode.dry_run:
            return confirmation.nothing_to_send()
        record.write(path)
        contracts = record.deployment.contracts
        listed = [f"{name:20} {address}" for name, address in contracts.items()]
        text = "\n".join([*listed, f"read back and found in order; record: {path}"])
        return confirmation.answer(text, record=str(path), contracts=contracts)

    return deploy_


def _check_seed(chosen: Parameters, chain_id: int) -> None:
    if chosen.random_seed != BLOCK_HASHES and chain_id not in LOCAL_CHAIN_IDS:
        raise click.UsageError("randomSeed makes every draw foreseeable: local chains only")


def _check_record(path: Path, plan: Layout) -> None:
    """A record of another market must not be lost."""
    if not path.exists():
        return
    there = Record.read(path).contracts
    if GENESIS not in there or there[GENESIS].address != plan.genesis:
        raise BadDeployment(f"{path} records another market: name another folder with --out")
