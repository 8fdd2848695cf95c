"""What is handed to a block explorer, compiled again as an explorer does it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from d2m.chain.client import Chain
from d2m.chain.deployment.check import immutable_offsets
from d2m.chain.deployment.genesis import GENESIS, SALT
from d2m.chain.deployment.record import Record
from d2m.cli.commands.market import INPUT_FILE
from d2m.clients.anvil import Anvil
from tests.scripts.conftest import ape_run

pytestmark = pytest.mark.slow  # all contracts are compiled once more, with the optimiser
SOLC = Path(os.environ["SOLCX_BINARY_PATH"]) / "solc-v0.8.37"


@pytest.fixture(scope="module")
def folder(node: Anvil, record: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command writes."""
    out = tmp_path_factory.mktemp("verification") / "out"
    where = ("--network", f"ethereum:local:{node.url}", "--deployment", str(record))
    done = ape_run("market", "verification-input", *where, "--out", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def compiled(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The compiler's output for the input alone, in a folder where no source lies."""
    done = subprocess.run(
        [str(SOLC), "--standard-json"],
        input=(folder / INPUT_FILE).read_text(),
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path_factory.mktemp("empty"),
    )
    output: dict[str, Any] = json.loads(done.stdout)
    errors = [each for each in output.get("errors", []) if each["severity"] == "error"]
    assert errors == []
    return output["contracts"]


def test_compiling_again_gives_what_is_on_the_chain(
    folder: Path, compiled: dict[str, Any], deployed: Chain, record: Path
) -> None:
    for name, created in Record.read(record).contracts.items():
        given = json.loads((folder / f"{name}.json").read_text())
        assert given["address"] == created.address
        assert given["compiler"].startswith("v0.8.37+commit.")
        source, contract = given["contract"].split(":")
        evm = compiled[source][contract]["evm"]
        whole = bytes.fromhex(evm["bytecode"]["object"] + given["constructor_arguments"])
        assert whole == created_with(deployed, name, created.transaction)

        runtime = bytearray.fromhex(evm["deployedBytecode"]["object"])
        found = bytes(deployed.w3.eth.get_code(deployed.deployment.contracts[name]))
        room = [
            each["start"]
            for places in evm["deployedBytecode"].get("immutableReferences", {}).values()
            for each in places
        ]
        # How the check of a deployment finds them, without asking the compiler.
        assert immutable_offsets(bytes(runtime)) == sorted(room)
        for start in room:
            runtime[start : start + 32] = found[start : start + 32]
        assert bytes(runtime) == found


def created_with(deployed: Chain, name: str, transaction: str) -> bytes:
    """The init code of a contract, from the chain's own trace.

    Of the latest few thousand blocks only: this file's name puts it before the others.
    """
    if name == GENESIS:
        data = bytes(deployed.w3.eth.get_transaction(transaction)["input"])  # type: ignore[arg-type]
        return data[len(SALT) :]
    tracer = [transaction, {"tracer": "callTracer"}]
    trace = deployed.w3.provider.make_request("debug_traceTransaction", tracer)["result"]  # type: ignore[arg-type]
    (creation,) = [each for each in trace["calls"] if each["type"] == "CREATE"]
    return bytes.fromhex(creation["input"][2:])


def test_what_is_not_the_market_is_not_vouched_for(
    node: Anvil, record: Path, tmp_path: Path
) -> None:
    written = Record.read(record)
    forged = {**written.contracts, "Escrow": written.contracts["Lens"]}
    path = tmp_path / "deployment.json"
    written.model_copy(update={"contracts": forged}).write(path)
    where = ("--network", f"ethereum:local:{node.url}", "--deployment", str(path))
    done = ape_run("market", "verification-input", *where, "--out", str(tmp_path / "out"))
    assert done.returncode == 1
    assert "Escrow is" in done.stdout + done.stderr
    assert not (tmp_path / "out").exists()
