"""A whole job with Ape's own key files, every party a process as a person would start it.

On a chain of another id than the one that Ape assumes of local networks.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from web3.types import RPCEndpoint

from d2m.chain.artifacts import load_artifacts
from d2m.chain.client import Chain
from d2m.chain.contracts.market import Market
from d2m.chain.deployment.record import Deployment
from d2m.clients.anvil import Anvil, start_anvil
from d2m.data.datasets import load
from d2m.data.files import write_samples
from d2m.parties.buyer.buyer import DELIVERY_FILE
from d2m.protocol.types import ETHER
from tests.scripts.conftest import EXAMPLE
from tests.support.world import small_spec

CHAIN_ID = 20251210
ME, SELLER, NODES = "me", "s0", ("c0", "c1", "c2", "c3", "c4")
ALIASES = (ME, SELLER, *NODES)
PASSPHRASE = "correct horse"
TAG = "digits"
AUCTION_BLOCKS = 2_000
"""Longer than a bid takes to come; the test then ends the auction by mining."""
WINDOW_BLOCKS = 2_000
"""Longer than any machine needs: windows end early when all have acted."""
MOST_SECONDS = 300
"""Before a market that stands still fails the test; on two busy cores all takes three minutes."""


@dataclass
class Person:
    """Somebody with key files in Ape's folder, at a shell."""

    anvil: Anvil
    folder: Path
    started: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Ape's folder, and for each key file the variable with its passphrase, as Ape names it."""
        secrets = {f"APE_ACCOUNTS_{alias}_PASSPHRASE": PASSPHRASE for alias in ALIASES}
        return {**os.environ, **secrets, "APE_DATA_FOLDER": str(self.folder / "ape")}

    @property
    def record(self) -> Path:
        return self.folder / f"{CHAIN_ID}.json"

    @property
    def contracts(self) -> Market:
        return Market(Chain(self.anvil.url, Deployment.read(self.record), load_artifacts()))

    def address(self, alias: str) -> Any:
        return Account.from_key(self.key(alias)).address

    def key(self, alias: str) -> bytes:
        return self.anvil.keys[ALIASES.index(alias)]

    def import_keys(self) -> None:
        """One by the command, as a person does it, the others by the function behind it."""
        typed = f"0x{self.key(ME).hex()}\n{PASSPHRASE}\n{PASSPHRASE}\n"
        self.run(ape("accounts", "import", ME), typed=typed)
        others = {alias: f"0x{self.key(alias).hex()}" for alias in ALIASES if alias != ME}
        script = (
            "import json, sys\n"
            "from ape_accounts import import_account_from_private_key as keep\n"
            "alias_keys, passphrase = json.load(sys.stdin)\n"
            "for alias, key in alias_keys.items(): keep(alias, passphrase, key)\n"
        )
        self.run([sys.executable, "-c", script], typed=json.dumps([others, PASSPHRASE]))

    def call(self, *command: str, alias: str) -> list[dict[str, Any]]:
        """Run a subcommand to its end; the objects that it printed."""
        printed = self.run(self._command(*command, alias=alias))
        return [json.loads(line) for line in printed.splitlines()]

    def start(self, *command: str, alias: str) -> None:
        """Start a subcommand that serves."""
        with (self.folder / f"{alias}.log").open("wb") as log:
            self.started[alias] = subprocess.Popen(
                self._command(*command, alias=alias),
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )

    def _command(self, *command: str, alias: str) -> list[str]:
        place = ("--deployment", str(self.record), "--store", str(self.folder / "store"))
        return ape("run", *command[:2], *self.network, "--account", alias, *place, *command[2:])

    @property
    def network(self) -> tuple[str, ...]:
        return ("--network", f"ethereum:local:{self.anvil.url}")

    def run(self, command: list[str], typed: str = "") -> str:
        done = subprocess.run(
            command,
            env=self.environment,
            input=typed,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,  # no terminal to read a passphrase from
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Until something is so on the chain, or a process has failed."""
        for _ in range(MOST_SECONDS * 4):
            if holds():
                return
            failed = [alias for alias, each in self.started.items() if each.poll()]
            assert not failed, (self.folder / f"{failed[0]}.log").read_text()
            time.sleep(0.25)
        logs = "\n".join(f"{a}: {(self.folder / f'{a}.log').read_text()}" for a in self.started)
        raise AssertionError(f"the market stood still\n{logs}")

    def stop(self) -> None:
        for each in self.started.values():
            each.kill()
            each.wait()


def ape(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).parent / "ape"), *arguments]


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    with ExitStack() as stack:
        anvil = stack.enter_context(
            start_anvil(accounts=len(ALIASES), chain_id=CHAIN_ID, block_seconds=0.25)
        )
        found = Person(anvil, tmp_path)
        stack.callback(found.stop)
        yield found


@pytest.mark.slow  # three minutes: a dozen processes, each of which loads Ape, most of them torch
def test_a_job_from_deployment_to_withdrawal(person: Person) -> None:
    folder = person.folder
    data = load("digits")
    write_samples(folder / "own.npz", data.train_inputs, data.train_labels)
    write_samples(folder / "evaluation.npz", data.evaluation_inputs, data.evaluation_labels)
    (folder / "job.json").write_bytes(small_spec().to_bytes())

    person.import_keys()
    person.run(
        ape("run", "deploy", *person.network, "--account", ME, "--yes",
            "--parameters", str(EXAMPLE), "--out", str(folder))
    )  # fmt: skip
    contracts = person.contracts
    assert contracts.chain.deployment.chain_id == CHAIN_ID

    once = ("--jobs", "1", "--yes", "--json")
    person.start(
        "seller", "serve", "--data", str(folder / "own.npz"), "--tag", TAG, *once, alias=SELLER
    )
    for node in NODES:
        person.start("cone", "serve", *once, alias=node)
    person.wait_until(lambda: bool(contracts.registry.offers_by(person.address(SELLER))))
    person.wait_until(
        lambda: all(contracts.pool.node(person.address(node)).stake for node in NODES)
    )

    opened = person.call(
        "buyer", "open", "--tag", TAG, "--spec", str(folder / "job.json"),
        "--evaluation", str(folder / "evaluation.npz"), "--rounds", "1", "--target", "1",
        "--window-blocks", str(WINDOW_BLOCKS), "--auction-blocks", str(AUCTION_BLOCKS),
        "--yes", "--json", alias=ME,
    )  # fmt: skip
    assert opened[0]["events"][0]["name"] == "AuctionOpened"
    assert opened[-1] == {"type": "answer", "auction": "1"}

    bid = ("--auction", "1", "--limit", "0.5 ether", "--folder", str(folder / "delivered"))
    person.start("buyer", "bid", *bid, "--yes", "--json", alias=ME)
    person.wait_until(lambda: bool(contracts.auctions.auction(1).highest_bid))
    missing = contracts.auctions.auction(1).close_block + 1 - contracts.chain.block_number()
    contracts.chain.w3.provider.make_request(RPCEndpoint("anvil_mine"), [hex(missing)])
    person.wait_until(lambda: all(each.poll() == 0 for each in person.started.values()))

    delivery = json.loads((folder / "delivered" / DELIVERY_FILE).read_text())
    assert delivery["hash_matches"]
    withdrawn = {log["args"]["account"] for log in contracts.chain.logs("Escrow", "Withdrawn")}
    assert person.address(SELLER) in withdrawn
    assert withdrawn & {person.address(node) for node in NODES}
    assert not any(contracts.lens.credits(person.address(alias), [ETHER])[0] for alias in ALIASES)

    told = objects_of(folder / f"{SELLER}.log")
    assert told[0]["type"] == "plan"
    steps = [each["step"] for each in told if each.get("type") == "transaction"]
    assert steps[:2] == ["SellerRegistry.offer", "Jobs.postUpdate"]
    assert steps[-1] == "Escrow.withdraw"

    said = person.run(
        ape("run", "market", "status", *person.network, "--deployment", str(person.record),
            "--account", SELLER, "--job", "1", "--json")
    )  # fmt: skip
    job, seller = map(json.loads, said.splitlines())
    assert (job["state"], job["price"], job["accepted"]) == ("settled", str(10**16), "1")
    assert (seller["account"], seller["offers"][0]["state"]) == (person.address(SELLER), "listed")


def objects_of(log: Path) -> list[dict[str, Any]]:
    """The objects among the notices of a log."""
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith('{"type"')]
