from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from offchain.chain.artifacts import load_artifacts
from offchain.chain.deployment import Deployment
from offchain.chain.errors import BadDeployment, BadKeyFile, NotCompiled
from offchain.chain.signer import KeySigner, write_key_file

KEY = bytes(range(1, 33))
ADDRESS = Account.from_key(KEY).address
RECORD = {"chain_id": 5, "block": 17, "contracts": {"Jobs": ADDRESS}}


def test_artifacts_of_a_project_that_is_not_compiled(tmp_path: Path) -> None:
    manifest = tmp_path / "__local__.json"
    with pytest.raises(NotCompiled, match="make setup"):
        load_artifacts(manifest)
    for text in ("", "{}"):
        manifest.write_text(text)
        with pytest.raises(NotCompiled, match="ape compile"):
            load_artifacts(manifest)


def test_an_interface_has_no_bytecode(tmp_path: Path) -> None:
    manifest = tmp_path / "__local__.json"
    manifest.write_text(json.dumps({"contractTypes": {"IJobs": {"abi": []}}}))
    assert load_artifacts(manifest)["IJobs"].bytecode == "0x"


def test_a_deployment_reads_back_and_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deployment.json"
    Deployment(5, 16, {}).write(path)
    written = Deployment(5, 17, {"Jobs": ADDRESS})
    written.write(path)
    assert Deployment.read(path) == written
    assert [each.name for each in path.parent.iterdir()] == ["deployment.json"]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"block": None}, "block must be"),
        ({"chain_id": True}, "chain_id must be"),
        ({"block": -1}, "block must be"),
        ({"contracts": []}, "addresses by name"),
        ({"contracts": {"Jobs": ADDRESS.lower()}}, "address of Jobs"),
        ({"extra": 1}, "keys must be"),
    ],
)
def test_a_wrong_deployment_is_refused(tmp_path: Path, change: dict[str, Any], fault: str) -> None:
    path = tmp_path / "deployment.json"
    path.write_text(json.dumps({**RECORD, **change}))
    with pytest.raises(BadDeployment, match=fault):
        Deployment.read(path)


def test_a_missing_or_torn_deployment_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deployment.json"
    with pytest.raises(BadDeployment, match="deploy first"):
        Deployment.read(path)
    path.write_text(json.dumps(RECORD)[:-3])
    with pytest.raises(BadDeployment, match="no JSON"):
        Deployment.read(path)


def test_a_key_file_is_written_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "seller"
    write_key_file(path, KEY)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KeySigner.load(path).address == ADDRESS
    with pytest.raises(BadKeyFile, match="exists"):
        write_key_file(path, bytes(32))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    write_key_file(path, KEY)
    path.chmod(mode)
    with pytest.raises(BadKeyFile, match=f"chmod 600 {path}"):
        KeySigner.load(path)


@pytest.mark.parametrize("text", ["", "0x12", "a secret", KEY.hex() + "00", "00" * 32, "ff" * 32])
def test_what_is_no_key_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key"
    path.touch(0o600)
    path.write_text(text)
    with pytest.raises(BadKeyFile, match="no private key") as caught:
        KeySigner.load(path)
    assert caught.value.__suppress_context__
    assert not text or text not in str(caught.value)


def test_a_missing_key_file(tmp_path: Path) -> None:
    with pytest.raises(BadKeyFile, match="not there"):
        KeySigner.load(tmp_path / "key")


def test_the_signature_is_the_account_s() -> None:
    transaction = {
        "chainId": 5,
        "nonce": 0,
        "gas": 21_000,
        "to": ADDRESS,
        "value": 1,
        "maxFeePerGas": 1,
        "maxPriorityFeePerGas": 1,
    }
    raw = KeySigner(Account.from_key(KEY)).sign_transaction(transaction)
    assert Account.recover_transaction(raw) == ADDRESS
