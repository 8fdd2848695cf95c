"""The wallet-driven scripts, run as a user runs them, against a node of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

from eth_account import Account
from hexbytes import HexBytes

from d2m.chain.artifacts import load_artifacts
from d2m.chain.client import Chain
from d2m.chain.deployment.genesis import PARTS, PROXY
from d2m.chain.deployment.record import Deployment, Record
from d2m.clients.anvil import Anvil, start_anvil
from tests.scripts.conftest import CHAIN_ID, EXAMPLE, ape_command, ape_run, network

SEPOLIA = 11155111
MINED = " mined: "
"""In the line that tells of a transaction."""


def test_every_contract_points_at_the_others_and_at_nobody_else(deployed: Chain) -> None:
    jobs = deployed.contract("Jobs")
    for part in ("ConePool", "Yoda", "Escrow", "AuctionHouse", "Lens"):
        assert deployed.call(deployed.contract(part).functions.jobs()) == jobs.address
    names = {
        "registry": "SellerRegistry",
        "randomness": "BlockhashRandomness",
        "pool": "ConePool",
        "yoda": "Yoda",
        "escrow": "Escrow",
        "auctionHouse": "AuctionHouse",
    }
    for getter, name in names.items():
        found = deployed.call(getattr(jobs.functions, getter)())
        assert found == deployed.deployment.contracts[name]


def test_no_function_is_reserved_to_a_person(deployed: Chain) -> None:
    for name in deployed.deployment.contracts:
        functions = {entry["name"] for entry in load_artifacts()[name].abi if "name" in entry}
        assert not functions & {"owner", "admin", "transferOwnership", "upgradeTo", "unpause"}


def test_the_record_says_how_everything_came_to_be(deployed: Chain, record: Path) -> None:
    written = Record.read(record)
    assert written.parameters["stakeUnit"] == str(10**18)
    assert written.compiler["version"].startswith("0.8.37")
    assert written.compiler["settings"]["evmVersion"] == "cancun"
    for created in written.contracts.values():
        receipt = deployed.w3.eth.get_transaction_receipt(HexBytes(created.transaction))
        assert receipt["blockNumber"] == created.block


def test_a_deployment_is_read_back(node: Anvil, record: Path) -> None:
    for place in (record, record.parent):
        done = check(node, place)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "everything is as recorded" in done.stdout
        assert "FAULT" not in done.stdout


def test_a_forged_record_is_found_out(node: Anvil, record: Path, tmp_path: Path) -> None:
    """Contracts of somebody's own, under the names of the market's."""
    written = Record.read(record)
    forged = {**written.contracts, "Escrow": written.contracts["Lens"]}
    path = tmp_path / "deployment.json"
    written.model_copy(update={"contracts": forged}).write(path)
    done = check(node, path)
    assert done.returncode == 1
    assert "FAULT addresses follow from parameters and code: Escrow is" in done.stdout
    assert "of the above are not as they should be" in done.stdout + done.stderr


def test_a_chain_without_a_record_is_named(node: Anvil, record: Path, tmp_path: Path) -> None:
    Record.read(record).write(tmp_path / "5.json")
    done = check(node, tmp_path)
    assert done.returncode == 1
    assert f"has no record of chain {CHAIN_ID} (it has: 5)" in done.stdout + done.stderr


def test_deploying_again_changes_nothing(funded: Anvil, record: Path) -> None:
    before = record.read_text()
    done = deploy(funded, EXAMPLE, record.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    assert MINED not in done.stdout
    assert record.read_text() == before


def test_the_record_of_another_market_is_kept(funded: Anvil, record: Path, tmp_path: Path) -> None:
    before = record.read_text()
    done = deploy(funded, parameters(tmp_path, "7 ether"), record.parent)
    assert done.returncode == 1
    assert "records another market: name another folder" in done.stdout + done.stderr
    assert record.read_text() == before


def test_a_deployment_that_is_killed_goes_on(funded: Anvil, tmp_path: Path) -> None:
    """kill -9 after the third transaction; what is there already is not paid for again."""
    path, out = parameters(tmp_path, "3 ether"), tmp_path / "out"
    command = ape_command("deploy", *network(funded), *options(path, out))
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    first: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            first += [line] if MINED in line else []
            if len(first) == 3:
                process.kill()
                break
        process.wait()
    assert process.returncode == -signal.SIGKILL
    assert not out.exists()
    done = deploy(funded, path, out)
    assert done.returncode == 0, done.stdout + done.stderr
    second = [line for line in done.stdout.splitlines() if MINED in line]
    # The fourth transaction may have been on its way when the process was killed.
    assert len(second) in (len(PARTS) + 1 - 3, len(PARTS) + 1 - 4)
    assert not {step(line) for line in first} & {step(line) for line in second}
    assert check(funded, out).returncode == 0


def test_a_dry_run_deploys_nothing(funded: Anvil, deployed: Chain, tmp_path: Path) -> None:
    before, path, out = deployed.block_number(), parameters(tmp_path, "5 ether"), tmp_path / "out"
    dry = ("--dry-run", "--json", "--parameters", str(path), "--out", str(out))
    done = ape_run("deploy", *network(funded), *dry)
    assert done.returncode == 0, done.stderr
    preview = json.loads(done.stdout)
    assert preview["step"] == "deploy Genesis"
    assert preview["arguments"]["stakeUnit"] == str(5 * 10**18)
    assert preview["to"] == PROXY
    assert not out.exists()
    blocks = range(before + 1, deployed.block_number() + 1)
    assert not any(deployed.w3.eth.get_block(each)["transactions"] for each in blocks)


def test_a_dry_run_of_what_is_there_writes_nothing(
    funded: Anvil, record: Path, tmp_path: Path
) -> None:
    dry = ("--dry-run", "--parameters", str(EXAMPLE), "--out", str(tmp_path / "out"))
    done = ape_run("deploy", *network(funded), *dry)
    assert done.returncode == 0, done.stderr
    assert "nothing would be sent now" in done.stdout
    assert not (tmp_path / "out").exists()


def test_a_key_file_on_a_chain_with_sepolia_s_id(tmp_path: Path) -> None:
    """The path of a testnet, but for its node: a live network's name, a key file, a passphrase."""
    account = Account.create()
    key_file = tmp_path / "ape" / "accounts" / "deployer.json"
    key_file.parent.mkdir(parents=True)
    # The least work for the key's derivation: nobody is kept out here.
    key_file.write_text(json.dumps(Account.encrypt(account.key, "passphrase", iterations=2)))
    environment = {
        **os.environ,
        "APE_DATA_FOLDER": str(tmp_path / "ape"),
        "APE_ACCOUNTS_deployer_PASSPHRASE": "passphrase",
    }
    with start_anvil(accounts=1, chain_id=SEPOLIA) as anvil:
        reader = Chain(anvil.url, Deployment(SEPOLIA, 0, {}), {})
        reader.w3.provider.make_request("anvil_setBalance", [account.address, hex(10**18)])
        where = ("--network", f"ethereum:sepolia:{anvil.url}")
        command = ape_command("deploy", *where, "--account", "deployer")
        command += options(EXAMPLE, tmp_path / "out")
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        checking = ape_command("market", "check", *where, "--deployment", str(tmp_path / "out"))
        done = subprocess.run(checking, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
    assert Record.read(tmp_path / "out", SEPOLIA).chain_id == SEPOLIA


def test_foreseeable_draws_are_refused_off_local_chains(node: Anvil, tmp_path: Path) -> None:
    path = parameters(tmp_path, "1 ether", 'randomSeed: "0x' + "01" * 32 + '"')
    done = deploy(node, path, tmp_path)
    assert done.returncode != 0
    assert "randomSeed makes every draw foreseeable" in done.stdout + done.stderr


def test_gas_that_is_dearer_than_allowed_is_not_paid(funded: Anvil, tmp_path: Path) -> None:
    cap = ("--max-fee", "1 wei", *options(parameters(tmp_path, "7 ether"), tmp_path / "out"))
    done = ape_run("deploy", *network(funded), *cap)
    assert done.returncode == 1
    assert "--max-fee is raised" in done.stdout + done.stderr
    assert MINED not in done.stdout


def test_parameters_that_a_contract_refuses_cost_nothing(funded: Anvil, tmp_path: Path) -> None:
    done = deploy(funded, parameters(tmp_path, "1 wei"), tmp_path / "out")
    assert done.returncode == 1
    assert "stakeUnit: 1 wei (1) is not from 10000 to" in done.stdout + done.stderr
    assert MINED not in done.stdout


def parameters(folder: Path, stake: str, more: str = "") -> Path:
    path = folder / "parameters.yaml"
    path.write_text(f"stakeUnit: {stake}\nbondUnit: 0.1 ether\n{more}\n")
    return path


def deploy(node: Anvil, chosen: Path, out: Path) -> subprocess.CompletedProcess[str]:
    return ape_run("deploy", *network(node), *options(chosen, out))


def options(chosen: Path, out: Path) -> tuple[str, ...]:
    return ("--yes", "--parameters", str(chosen), "--out", str(out))


def check(node: Anvil, place: Path) -> subprocess.CompletedProcess[str]:
    where = ("--network", f"ethereum:local:{node.url}")
    return ape_run("market", "check", *where, "--deployment", str(place))


def step(line: str) -> str:
    """ "deploy Jobs" out of a line about a mined transaction."""
    return line.split(MINED)[0]
