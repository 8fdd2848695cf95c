"""A deployment's parameters, as people get them wrong."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from d2m.chain.artifacts import load_artifacts
from d2m.chain.deployment.genesis import BLOCK_HASHES, Parameters
from d2m.chain.deployment.parameters import parameter_kinds, read_parameters
from d2m.chain.errors import BadDeployment, BadParameters

EXAMPLE = Path(__file__).parents[3] / "scripts" / "deployment.example.yaml"
ETHER = 10**18
SEED = "ab" * 32
WHOLE = {"stakeUnit": "1 ether", "bondUnit": "0.1 ether"}
ARTIFACTS = load_artifacts()


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "deployment.yaml"
    path.write_text(text)
    return path


def test_the_example_is_a_market() -> None:
    assert read_parameters(EXAMPLE, ARTIFACTS) == Parameters(ETHER, ETHER // 10, BLOCK_HASHES)


def test_the_example_s_seed_can_be_uncommented(tmp_path: Path) -> None:
    path = written(tmp_path, EXAMPLE.read_text().replace("# randomSeed", "randomSeed"))
    assert read_parameters(path, ARTIFACTS).random_seed == bytes(31) + b"\x01"


def test_every_parameter_of_the_contract_can_be_given() -> None:
    kinds = parameter_kinds(ARTIFACTS)
    assert list(kinds) == list(Parameters(1, 1).recorded())
    assert len(kinds) == len(fields(Parameters))


@pytest.mark.parametrize(
    "amount", ["1000000000000000000", "1 ether", "1000000000 gwei", "'1 ether'"]
)
def test_amounts_have_units_or_are_wei(tmp_path: Path, amount: str) -> None:
    path = written(tmp_path, f"stakeUnit: {amount}\nbondUnit: 1\nrandomSeed: '0x{SEED}'")
    assert read_parameters(path, ARTIFACTS) == Parameters(ETHER, 1, bytes.fromhex(SEED))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "must give a value to each of stakeUnit, bondUnit, randomSeed"),
        ("- 1", "must give a value"),
        ("stakeUnit: [", "is no YAML"),
        ("stakeUnit: 1 ether", "bondUnit is missing, of type uint128"),
        ("stakeUnit: 10000\nbondUnit: 1\nfee: 1", "fee is none of the parameters"),
        ("stakeUnit: 10000\nbondUnit: 1\ncodeHashes: []", "codeHashes is none of the parameters"),
        ("stakeUnit: 10000\nbondUnit: 1.5", "write an amount"),
        ("stakeUnit: 10000\nbondUnit: true", "write an amount"),
        ("stakeUnit: 10000\nbondUnit:", "write an amount"),
        ("stakeUnit: 10000\nbondUnit: 1 euro", "is no amount"),
        ("stakeUnit: 10000\nbondUnit: -1", "-1 is not from 1 to"),
        (f"stakeUnit: {2**128}\nbondUnit: 1", "is not from 10000 to"),
        (f"stakeUnit: 10000\nbondUnit: 1\nrandomSeed: 0x{SEED}", "in quotes"),
        ("stakeUnit: 10000\nbondUnit: 1\nrandomSeed: text", "in quotes"),
        (f"stakeUnit: 10000\nbondUnit: 1\nrandomSeed: '{SEED}00'", "which is no bytes32"),
        ("stakeUnit: !!python/object/apply:os.getcwd []\nbondUnit: 1", "is no YAML"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(BadParameters, match=fault) as caught:
        read_parameters(written(tmp_path, text), ARTIFACTS)
    assert "\n" not in str(caught.value)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deployment.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadParameters, match="cannot be read"):
        read_parameters(path, ARTIFACTS)


def test_a_record_keeps_them() -> None:
    chosen = Parameters(2**128 - 1, 1, bytes.fromhex(SEED))
    assert Parameters.of_record(chosen.recorded()) == chosen


@pytest.mark.parametrize(
    "change", [{"stakeUnit": "much"}, {"bondUnit": "-1"}, {"randomSeed": "0x" + SEED + "00"}]
)
def test_what_no_record_holds_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(BadDeployment, match="unreadable"):
        Parameters.of_record({**Parameters(1, 1).recorded(), **change})
    with pytest.raises(BadDeployment, match="unreadable"):
        Parameters.of_record({})
