"""Playing one job from bid to withdrawal, every party a process of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from d2m.chain.artifacts import load_artifacts
from d2m.chain.client import Chain
from d2m.chain.deployment.deploy import deploy
from d2m.chain.deployment.genesis import Parameters
from d2m.chain.deployment.record import Deployment
from d2m.clients.anvil import Anvil, start_anvil
from d2m.demo.options import (
    BLOCK_SECONDS,
    BOND_UNIT,
    STAKE_UNIT,
    DemoOptions,
)
from d2m.demo.processes import Process, Processes
from d2m.demo.report import Progress
from d2m.demo.run import Run
from d2m.demo.stage import (
    OTHER_TAG,
    Member,
    Stage,
    accounts_needed,
    run_seed,
    set_stage,
    signer_of,
)
from d2m.demo.watch import LOOK_SECONDS, Watch
from d2m.protocol.constants import BPS, PPM
from d2m.protocol.types import tag_of

AUCTION_ID = 1
"""The only one on the demo's chain."""
WITHDRAW_ALL = ("--least-withdrawal", "1 wei")
"""The report shows that the contracts are left with nothing that they owe."""
PATIENCE_BLOCKS = 40
"""10 s: the winner pushes the job at once, the others only if it does not."""


@contextmanager
def play(options: DemoOptions, folder: Path, progress: Progress) -> Iterator[Run]:
    """Play a whole job; inside the context the chain still answers, for the report."""
    artifacts = load_artifacts()
    progress.phase(f"starting a local chain, a block every {BLOCK_SECONDS} s")
    with start_anvil(
        accounts=accounts_needed(options), seed=options.seed, block_seconds=BLOCK_SECONDS
    ) as anvil:
        progress.event(f"anvil answers at {anvil.url}")
        stage = set_stage(options, folder, anvil.keys)
        progress.event(f"wrote {len(stage.sellers)} sellers' own data files to {stage.folder}")
        deployment = _deploy(options, stage, anvil)
        run = Run(options, stage, anvil, Chain(anvil.url, deployment, artifacts), progress)
        progress.event(f"deployed {len(deployment.contracts)} contracts")
        with Processes(folder / "logs") as processes:
            _perform(run, processes)
        yield run


def _deploy(options: DemoOptions, stage: Stage, anvil: Anvil) -> Deployment:
    record = deploy(
        anvil.url,
        anvil.chain_id,
        load_artifacts(),
        signer_of(stage.deployer),
        Parameters(STAKE_UNIT, BOND_UNIT, run_seed(options, "randomness")),
    )
    record.write(stage.deployment)
    return record.deployment


def _perform(run: Run, processes: Processes) -> None:
    stage = run.stage
    with run.phase("registration", "sellers register, CONE nodes stake"):
        sellers = [_start_seller(run, processes, seller) for seller in stage.sellers]
        bystander = _start_seller(run, processes, stage.bystander)
        nodes = [_start_node(run, processes, node) for node in stage.nodes]
        buyers = {buyer.name: _start_buyer(run, processes, buyer) for buyer in stage.buyers}
        count = len(stage.members())
        run.progress.event(f"started {count} processes; on few cores they take a minute to load")
        bystander.open_gate()
        _let_in(run, processes, sellers, nodes)
    watch = Watch(run, processes)
    with run.phase("auction", "a buyer opens the auction, three bid"):
        processes.start("open", _open_arguments(run))
        watch.until(lambda: watch.auction_open)
        for buyer in buyers.values():
            buyer.open_gate()
        if run.options.is_sealed:
            _forget_to_reveal(run, processes, watch, buyers)
        watch.until(lambda: watch.auction_over)
    with run.phase("rounds", "rounds: sample, train, compute, commit, reveal, open"):
        watch.until(lambda: watch.job_over)
    with run.phase("settlement", "settlement: every party claims and withdraws"):
        with_job = [*sellers, *nodes] if run.job_id else []
        leaving = [*with_job, *buyers.values()]
        watch.until(lambda: all(party.popen.poll() is not None for party in leaving))


def _forget_to_reveal(
    run: Run, processes: Processes, watch: Watch, buyers: dict[str, Process]
) -> None:
    """Stop the lowest bidder before it reveals; it starts again when the auction is over."""
    lowest = run.stage.buyers[0]
    watch.until(lambda: lowest.name in watch.sealed or watch.auction_over)
    processes.stop([buyers[lowest.name]])
    run.progress.event(f"{lowest.name}'s process is stopped: it will not reveal its bid")
    watch.until(lambda: watch.auction_over)
    buyers[lowest.name] = _start_buyer(run, processes, lowest)
    buyers[lowest.name].open_gate()


def _let_in(run: Run, processes: Processes, sellers: list[Process], nodes: list[Process]) -> None:
    """Open the gates one after the other, so that indices and seats are the same in every run."""
    for position in range(max(len(sellers), len(nodes))):
        for process in sellers[position : position + 1] + nodes[position : position + 1]:
            process.open_gate()
        listed, seated = min(position + 1, len(sellers)), min(position + 1, len(nodes))
        while _registered(run) != (listed, seated):
            processes.check()
            time.sleep(LOOK_SECONDS)
        run.progress.event(f"{listed} sellers registered, {seated} nodes staked")


def _registered(run: Run) -> tuple[int, int]:
    """Sellers under the job's tag, and seats taken."""
    return run.market.registered(tag_of(run.options.dataset))


def _start_seller(run: Run, processes: Processes, seller: Member) -> Process:
    tag = OTHER_TAG if seller is run.stage.bystander else run.options.dataset
    arguments = ["--data", str(run.stage.data_file(seller)), "--tag", tag]
    return processes.start(
        seller.name,
        ["seller", *_common(run, seller), *arguments, *_serving(seller)],
    )


def _start_node(run: Run, processes: Processes, node: Member) -> Process:
    return processes.start(node.name, ["cone", *_common(run, node), *_serving(node)])


def _start_buyer(run: Run, processes: Processes, buyer: Member) -> Process:
    folder, limit = run.stage.delivery_folder(buyer), run.stage.limit(buyer)
    arguments = ["--auction", str(AUCTION_ID), "--limit", f"{limit} wei", "--folder", str(folder)]
    return processes.start(
        buyer.name, ["buyer", *_common(run, buyer), *arguments, *WITHDRAW_ALL, "--gate"]
    )


def _open_arguments(run: Run) -> list[str]:
    stage, options = run.stage, run.options
    rules, terms = options.rules(stage.spec.sample_size), options.terms
    sealed = ["--reveal-blocks", str(terms.reveal_blocks)] if options.is_sealed else []
    return [
        "open",
        *_common(run, stage.buyers[0]),
        *("--tag", options.dataset, "--spec", str(stage.spec_file)),
        *("--evaluation", str(stage.evaluation_file)),
        *("--target", str(options.target), "--rounds", str(rules.rounds)),
        *("--byzantine", str(rules.byzantine_bps / BPS), "--error", str(rules.error_ppm / PPM)),
        *("--base", str(rules.base), "--window-blocks", str(rules.update_blocks)),
        *("--kind", options.auction, "--auction-blocks", str(terms.window_blocks)),
        *sealed,
        *("--increment", str(terms.increment_bps / BPS), "--reserve", f"{terms.reserve} wei"),
    ]


def _common(run: Run, member: Member) -> list[str]:
    stage = run.stage
    return [
        *("--rpc", run.anvil.url, *stage.key_options(member)),
        *("--deployment", str(stage.deployment), "--store", str(stage.store)),
    ]


def _serving(member: Member) -> list[str]:
    serving = ["--behaviour", member.behaviour, "--patience", str(PATIENCE_BLOCKS)]
    return [*serving, *WITHDRAW_ALL, "--jobs", "1", "--gate"]
