from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from d2m.chain.artifacts import compiler_of, load_artifacts
from d2m.chain.deployment.record import Deployment, Record, record_path
from d2m.chain.errors import BadDeployment, BadKeyFile, NotCompiled
from d2m.chain.signer import KeyFileSigner, KeySigner, write_key_file

KEY = bytes(range(1, 33))
ADDRESS = Account.from_key(KEY).address
HASH = "0x" + "ab" * 32
CREATED = {"address": ADDRESS, "block": 17, "transaction": HASH, "abi_hash": HASH}
RECORD = {
    "chain_id": 5,
    "block": 17,
    "parameters": {"stakeUnit": "1"},
    "compiler": {"version": "0.8.37"},
    "contracts": {"Jobs": CREATED},
}


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


def test_what_compiled_a_contract(tmp_path: Path) -> None:
    manifest = tmp_path / "__local__.json"
    settings = {"evmVersion": "cancun", "outputSelection": {"*": []}}
    known = {"name": "solidity", "version": "1", "settings": settings, "contractTypes": ["Jobs"]}
    manifest.write_text(json.dumps({"contractTypes": {}, "compilers": [known]}))
    expected = {"name": "solidity", "version": "1", "settings": {"evmVersion": "cancun"}}
    assert compiler_of("Jobs", manifest) == expected
    with pytest.raises(NotCompiled, match="what compiled Yoda"):
        compiler_of("Yoda", manifest)


def record(**changes: Any) -> Record:
    return Record.model_validate({**RECORD, **changes})


def test_a_deployment_reads_back_and_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deployment.json"
    record(block=16).write(path)
    record().write(path)
    assert Record.read(path) == record()
    assert Deployment.read(path) == Deployment(5, 17, {"Jobs": ADDRESS})
    assert [each.name for each in path.parent.iterdir()] == ["deployment.json"]


def test_a_folder_holds_a_record_for_each_chain(tmp_path: Path) -> None:
    for chain_id in (5, 11155111):
        record(chain_id=chain_id).write(record_path(tmp_path, chain_id))
    (tmp_path / "notes.json").write_text("{}")
    assert Deployment.read(tmp_path, 11155111).chain_id == 11155111
    with pytest.raises(BadDeployment, match=r"no record of chain 1 \(it has: 5, 11155111\)"):
        Deployment.read(tmp_path, 1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadDeployment, match=r"it has: none\): deploy there"):
        Deployment.read(tmp_path / "empty", 5)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"block": None}, "block: Input should be"),
        ({"chain_id": True}, "chain_id: Input should be"),
        ({"block": -1}, "block: Input should be"),
        ({"contracts": []}, "contracts: Input should be"),
        (
            {"contracts": {"Jobs": {**CREATED, "address": ADDRESS.lower()}}},
            "Jobs.address: .*checksum",
        ),
        ({"contracts": {"Jobs": {**CREATED, "transaction": "0x"}}}, "Jobs.transaction: "),
        ({"parameters": {"stakeUnit": 1}}, "stakeUnit: Input should be"),
        ({"extra": 1}, "extra: Extra inputs"),
    ],
)
def test_a_wrong_deployment_is_refused(tmp_path: Path, change: dict[str, Any], fault: str) -> None:
    path = tmp_path / "deployment.json"
    path.write_text(json.dumps({**RECORD, **change}))
    with pytest.raises(BadDeployment, match=fault) as caught:
        Deployment.read(path)
    assert "\n" not in str(caught.value)


def test_a_missing_or_torn_deployment_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deployment.json"
    with pytest.raises(BadDeployment, match="deploy first"):
        Deployment.read(path)
    path.write_text(json.dumps(RECORD)[:-3])
    with pytest.raises(BadDeployment, match="Invalid JSON"):
        Deployment.read(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadDeployment, match="no JSON"):
        Deployment.read(path)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys" / "seller.json"
    write_key_file(path, KEY, "pass", work=2)
    return path


def test_a_key_file_is_written_encrypted_and_for_its_owner_alone(key_file: Path) -> None:
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert KEY.hex() not in key_file.read_text()
    with pytest.raises(BadKeyFile, match="exists"):
        write_key_file(key_file, bytes(32), "pass")


def test_a_key_file_is_opened_once_and_only_to_sign(key_file: Path) -> None:
    asked: list[int] = []
    signer = KeyFileSigner(key_file, lambda: asked.append(1) or "pass")  # type: ignore[func-returns-value]
    assert signer.address == ADDRESS
    assert not asked
    assert signer.sign_text("a") == signer.sign_text("a")
    assert len(asked) == 1


def test_a_key_file_without_an_address_is_opened_for_it(key_file: Path) -> None:
    content = json.loads(key_file.read_text())
    del content["address"]
    key_file.write_text(json.dumps(content))
    assert KeyFileSigner(key_file, lambda: "pass").address == ADDRESS


@pytest.mark.parametrize("passphrase", ["", "Pass", "pass\n"])
def test_a_wrong_passphrase_is_told_without_showing_it(key_file: Path, passphrase: str) -> None:
    with pytest.raises(BadKeyFile, match="does not open: see passphrase and file") as caught:
        KeyFileSigner(key_file, lambda: passphrase).sign_text("a")
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"address": ""}', KEY.hex(), '{"crypto": {}, "address": "0x12"}'],
)
def test_what_is_no_key_file_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    with pytest.raises(BadKeyFile, match="is no encrypted key file") as caught:
        KeyFileSigner(path, str)
    assert len(text) < 20 or text not in str(caught.value)


@pytest.mark.parametrize("crypto", [{}, {"kdf": "scrypt"}, {"kdf": "md5", "ciphertext": "00"}])
def test_a_damaged_key_file_does_not_open(tmp_path: Path, crypto: dict[str, str]) -> None:
    path = tmp_path / "key"
    path.write_text(json.dumps({"version": 3, "crypto": crypto, "address": ADDRESS}))
    with pytest.raises(BadKeyFile, match="does not open"):
        KeyFileSigner(path, lambda: "pass").sign_text("a")


def test_a_missing_key_file(tmp_path: Path) -> None:
    with pytest.raises(BadKeyFile, match="not there"):
        KeyFileSigner(tmp_path / "key", str)


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
