"""`ape run market verification-input`: what block explorers ask for to show the source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ape
import click

from d2m.chain.artifacts import load_artifacts
from d2m.chain.client import Chain
from d2m.chain.deployment.check import check
from d2m.chain.deployment.genesis import Parameters, Plan
from d2m.chain.deployment.record import Record
from d2m.chain.errors import BadDeployment
from d2m.cli.commands import one_line_errors
from d2m.cli.options import deployment_option, folder_path
from scripts._network import NodeCommand
from scripts._wallet import rpc_url

INPUT_FILE = "standard-input.json"
OUTPUTS = [
    "abi",
    "evm.bytecode.object",
    "evm.deployedBytecode.object",
    "evm.deployedBytecode.immutableReferences",
]


@click.command(cls=NodeCommand)
@deployment_option
@click.option(
    "--out",
    type=folder_path,
    default=Path("build/verification"),
    show_default=True,
    help="Folder to write to.",
)
def verification_command(deployment: Path, out: Path) -> None:
    """Write the compiler's standard JSON input, and for each contract its constructor arguments."""
    provider = ape.networks.provider
    with one_line_errors():
        record = Record.read(deployment, provider.web3.eth.chain_id)
        artifacts = load_artifacts()
        chain = Chain(rpc_url(provider), record.deployment, artifacts)
        for each in check(chain, record, artifacts):
            if each.fault:
                raise BadDeployment(f"{each.what}: {each.fault}")
        plan = Plan(Parameters.of_record(record.parameters), artifacts)
    click.echo("collecting sources…")
    version, standard_input = _standard_input()
    out.mkdir(parents=True, exist_ok=True)
    _write(out / INPUT_FILE, standard_input)
    sources = {name: kind.source_id for name, kind in ape.project.load_contracts().items()}
    for name, created in record.contracts.items():
        contract = {
            "address": created.address,
            "contract": f"{sources[name]}:{name}",
            "compiler": f"v{version}",
            "constructor_arguments": plan.arguments(name).hex(),  # explorers want no 0x
        }
        _write(out / f"{name}.json", contract)
    click.echo(f"{out / INPUT_FILE}, the same for all, and {len(record.contracts)} contracts")


def _standard_input() -> tuple[str, dict[str, Any]]:
    """The compiler's full version, and the input from which Ape has it compile."""
    with ape.project.isolate_in_tempdir() as copy:
        paths = [copy.path / source for source in ape.project.sources]
        inputs = ape.compilers.solidity.get_standard_input_json(paths, project=copy)
    ((version, found),) = inputs.items()
    found["settings"]["outputSelection"] = {"*": {"*": OUTPUTS}}
    return str(version), found


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
