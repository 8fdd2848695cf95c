"""The market's commands, which need no account: status, incentives, export, peers, check."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from eth_typing import ChecksumAddress

from d2m.chain.artifacts import load_artifacts
from d2m.chain.client import Chain, chain_id_of
from d2m.chain.deployment.check import Check, check
from d2m.chain.deployment.genesis import Layout, Parameters
from d2m.chain.deployment.record import Record
from d2m.chain.errors import BadDeployment
from d2m.cli.access import Access
from d2m.cli.confirmation import Confirmation, Mode
from d2m.cli.formatting import plain
from d2m.cli.options.common import (
    Place,
    auction_option,
    deployment_option,
    folder_path,
    place_options,
)
from d2m.cli.session import one_line_errors
from d2m.cli.status import (
    account_status,
    auction_status,
    job_status,
    market_status,
    read_only,
)
from d2m.cli.tables import print_facts, print_market
from d2m.cli.types import Wei, number_of
from d2m.incentives import formatting
from d2m.incentives.auction import job_incentives
from d2m.jobs.contents import Content
from d2m.jobs.export import export_job
from d2m.jobs.reach import peers_of, reach
from d2m.parties.logs import log_as_json
from d2m.store.choice import open_store

INPUT_FILE = "standard-input.json"
OUTPUTS = [
    "abi",
    "evm.bytecode.object",
    "evm.deployedBytecode.object",
    "evm.deployedBytecode.immutableReferences",
]


def commands(access: Access) -> click.Group:
    """The group `market`."""

    @click.group()
    def market() -> None:
        """Look at the market and keep what it made."""

    @access.reading
    @deployment_option
    @click.option("--job", "job_id", type=number_of, help="All of this job, with its vote.")
    @click.option("--auction", "auction_id", type=number_of, help="All of this auction.")
    @click.option(
        "--account", type=access.address, help="Seat, offers, credits and duties of this one."
    )
    @access.json
    def status(
        rpc: str,
        deployment: Path,
        job_id: int | None,
        auction_id: int | None,
        account: ChecksumAddress | None,
        as_json: bool,
    ) -> None:
        """Show running and latest jobs and auctions, or all of one job, auction or account."""
        with _looking(as_json):
            contracts = read_only(rpc, deployment)
            parts = []
            if job_id is not None:
                parts.append(job_status(contracts, job_id))
            if auction_id is not None:
                parts.append(auction_status(contracts, auction_id))
            if account is not None:
                parts.append(account_status(contracts, account))
            chosen = parts or [market_status(contracts)]
        for facts in chosen:
            if as_json:
                click.echo(json.dumps({"type": "answer", **plain(facts)}))
            elif parts:
                print_facts(facts)
            else:
                print_market(facts)

    @access.reading
    @place_options
    @click.option("--job", "job_id", type=number_of, required=True, help="Id of the job.")
    @click.option(
        "--out",
        type=click.Path(dir_okay=False, path_type=Path),
        required=True,
        help="File to write.",
    )
    def export(rpc: str, place: Place, job_id: int, out: Path) -> None:
        """Write all content of a job to a CAR file, which `ipfs dag import` reads."""
        with one_line_errors():
            contracts = read_only(rpc, place.deployment)
            missing = export_job(contracts, open_store(place.store, place.ipfs), job_id, out)
        for content in missing:
            click.echo(f"not to be had: {content.role} of round {content.round}, {content.cid}")
        click.echo(f"{out}: {out.stat().st_size} bytes")

    @access.reading
    @deployment_option
    @auction_option
    @click.option(
        "--price",
        type=Wei(),
        required=True,
        help="What the job would cost, like '2 ether'; of a token, what that is worth.",
    )
    @access.json
    def incentives(rpc: str, deployment: Path, auction_id: int, price: int, as_json: bool) -> None:
        """Show whether bribing CONE nodes would pay in an auction's job, and what to change."""
        with _looking(as_json):
            job = job_incentives(read_only(rpc, deployment), auction_id, price)
        if as_json:
            click.echo(json.dumps({"type": "answer", **plain(formatting.as_json(job))}))
        else:
            click.echo("\n".join(formatting.lines(job)))

    @access.reading
    @place_options
    @click.option("--job", "job_id", type=int, help="Also read all contents of this job.")
    def peers(rpc: str, place: Place, job_id: int | None) -> None:
        """Show whom the IPFS node is connected to, and what of a job it can read, and whose.

        Needs no account. The contents that it reads it pins, as a member of the job does. Ends
        with status 1 when it has no peer, or cannot read something.
        """
        log_as_json(logging.WARNING, sys.stderr)
        unread = 0
        with one_line_errors():
            opened = open_store(place.store, place.ipfs)
            found = peers_of(opened)
            for peer in found:
                direction = "" if peer.is_outbound else "dialled us"
                click.echo(f"peer {peer.peer_id} {peer.address} {direction}")
            if job_id is not None:
                for content, why_not in reach(read_only(rpc, place.deployment), opened, job_id):
                    unread += bool(why_not)
                    click.echo(_read_line(content, why_not))
        if not found:
            raise click.ClickException(
                "the node has no peer: connect it with the other parties' nodes"
            )
        if unread:
            raise click.ClickException(f"{unread} of the above cannot be read")

    def check_(rpc: str, deployment: Path) -> None:
        """Compare a deployment with its record and with the code that is compiled here.

        Sends nothing and needs no account. Ends with status 1 when something is not as it should
        be; what this node no longer knows is marked with "?".
        """
        with one_line_errors():
            record = Record.read(deployment, chain_id_of(rpc))
            artifacts = load_artifacts()
            chain = Chain(rpc, record.deployment, artifacts)
            faults = unknown = 0
            for each in check(chain, record, artifacts):
                faults += each.fault is not None
                unknown += each.unknown is not None
                click.echo(_check_line(each))
        if faults:
            raise click.ClickException(f"{faults} of the above are not as they should be")
        unless = f", but for {unknown} that this node cannot tell" if unknown else ""
        click.echo(
            f"chain {record.chain_id}: everything is as recorded, and as compiled here{unless}"
        )

    @access.reading
    @deployment_option
    @click.option(
        "--out",
        type=folder_path,
        default=Path("build/verification"),
        show_default=True,
        help="Folder to write to.",
    )
    def verification_input(rpc: str, deployment: Path, out: Path) -> None:
        """Write the compiler's standard JSON input, and each contract's constructor arguments."""
        with one_line_errors():
            record = Record.read(deployment, chain_id_of(rpc))
            artifacts = load_artifacts()
            chain = Chain(rpc, record.deployment, artifacts)
            for each in check(chain, record, artifacts):
                if each.fault:
                    raise BadDeployment(f"{each.what}: {each.fault}")
        click.echo("collecting sources…")
        _write_verification(record, Layout(Parameters.of_record(record.parameters), artifacts), out)
        click.echo(f"{out / INPUT_FILE}, the same for all, and {len(record.contracts)} contracts")

    for command in (status, export, incentives, peers):
        market.add_command(command)
    market.add_command(access.reading(deployment_option(check_)), "check")
    market.add_command(verification_input, "verification-input")
    return market


@contextmanager
def _looking(as_json: bool) -> Iterator[None]:
    """Log warnings alone; machines hear of errors, too."""
    log_as_json(logging.WARNING, sys.stderr)
    with one_line_errors(Confirmation(Mode(as_json=as_json))):
        yield


def _read_line(content: Content, why_not: str) -> str:
    mark = "CANNOT READ" if why_not else "ok"
    line = f"{mark:11} {content.role} of round {content.round} by {content.author}"
    return f"{line}: {why_not}" if why_not else line


def _check_line(each: Check) -> str:
    mark = "FAULT" if each.fault else "?" if each.unknown else "ok"
    why = each.fault or each.unknown
    return f"{mark:5} {each.what}" + (f": {why}" if why else "")


def _write_verification(record: Record, plan: Layout, out: Path) -> None:
    import ape  # takes seconds, and only its compiler is wanted

    version, standard_input = _standard_input(ape)
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


def _standard_input(ape: Any) -> tuple[str, dict[str, Any]]:
    """The compiler's full version, and the input from which Ape has it compile."""
    with ape.project.isolate_in_tempdir() as copy:
        paths = [copy.path / source for source in ape.project.sources]
        inputs = ape.compilers.solidity.get_standard_input_json(paths, project=copy)
    ((version, found),) = inputs.items()
    found["settings"]["outputSelection"] = {"*": {"*": OUTPUTS}}
    return str(version), found


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
