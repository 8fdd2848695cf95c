"""A deployment read back: whatever is not as recorded is found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from eth_account import Account

from d2m.chain.artifacts import load_artifacts
from d2m.chain.client import Chain
from d2m.chain.deployment.check import WIRING, check, immutable_offsets, same_code
from d2m.chain.deployment.deploy import deploy
from d2m.chain.deployment.genesis import GENESIS, PARTS, Parameters
from d2m.chain.deployment.record import Created, Record
from d2m.chain.errors import BadDeployment
from d2m.chain.signer import KeySigner
from d2m.clients.anvil import Anvil, start_anvil
from tests.support.relay import Answer, Ask, refused, relay

PARAMETERS = Parameters(10**18, 10**17)
ARTIFACTS = load_artifacts()
STRANGE = "0x" + "ab" * 32
CREATED_SLOT = "0x" + "00" * 32
"""Where `Genesis.created` is kept."""


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with start_anvil(accounts=1, chain_id=4243) as anvil:
        yield anvil


@pytest.fixture(scope="module")
def record(node: Anvil) -> Record:
    signer = KeySigner(Account.from_key(node.keys[0]))
    return deploy(node.url, node.chain_id, ARTIFACTS, signer, PARAMETERS)


@pytest.fixture
def chain(node: Anvil, record: Record) -> Iterator[Chain]:
    """What a test does to the chain is undone."""
    chain = Chain(node.url, record.deployment, ARTIFACTS)
    snapshot = ask(chain, "evm_snapshot")
    yield chain
    assert ask(chain, "evm_revert", snapshot)


def ask(chain: Chain, method: Any, *parameters: Any) -> Any:
    return chain.w3.provider.make_request(method, list(parameters))["result"]


def faults(chain: Chain, record: Record) -> dict[str, str]:
    return {each.what: each.fault for each in check(chain, record, ARTIFACTS) if each.fault}


def changed(record: Record, name: str, **changes: Any) -> Record:
    created = Created.model_validate({**record.contracts[name].model_dump(), **changes})
    return record.model_copy(update={"contracts": {**record.contracts, name: created}})


def test_a_deployment_is_as_recorded(chain: Chain, record: Record) -> None:
    found = list(check(chain, record, ARTIFACTS))
    assert [each for each in found if each.fault] == []
    read = {each.what for each in found}
    assert "Jobs: registry, randomness, pool, yoda, escrow, auctionHouse" in read
    assert "ConePool: jobs, stakeUnit" in read
    assert "SellerRegistry: bondUnit" in read
    assert f"{GENESIS}: stakeUnit, bondUnit, randomSeed, created" in read
    for name in record.contracts:
        assert {f"{name}: creation", f"{name}: code"} <= read


def test_every_address_that_a_contract_names_is_read_back(record: Record) -> None:
    """A getter of a contract's address that the check does not know would go unread."""
    for name in record.contracts:
        for entry in ARTIFACTS[name].abi:
            outputs = [each["type"] for each in entry.get("outputs", [])]
            if entry["type"] == "function" and not entry["inputs"] and outputs == ["address"]:
                assert entry["name"] in WIRING


def test_other_parameters_have_other_addresses(chain: Chain, record: Record) -> None:
    other = Parameters(PARAMETERS.stake_unit + 1, PARAMETERS.bond_unit)
    found = faults(chain, record.model_copy(update={"parameters": other.recorded()}))
    assert found["addresses follow from parameters and code"].startswith("Genesis is ")
    assert "ConePool: jobs, stakeUnit" in found


def test_an_address_of_somebody_s_own(chain: Chain, record: Record) -> None:
    """The trap of a forged record: contracts that look right, at another address."""
    forged = changed(record, "Escrow", address=record.contracts["Lens"].address)
    assert "Escrow is " in faults(chain, forged)["addresses follow from parameters and code"]


def test_a_contract_too_many_or_too_few(chain: Chain, record: Record) -> None:
    more = {**record.contracts, "Fees": record.contracts["Jobs"]}
    less = {name: each for name, each in record.contracts.items() if name != "Escrow"}
    for contracts in (more, less):
        assert faults(chain, record.model_copy(update={"contracts": contracts}))


def test_a_creation_that_was_not(chain: Chain, record: Record) -> None:
    lens = record.contracts["Lens"]
    assert "not 1" in faults(chain, changed(record, "Lens", block=1))["Lens: creation"]
    unknown = faults(chain, changed(record, "Lens", transaction=STRANGE))
    assert unknown == {"Lens: creation": f"block {lens.block} has no transaction {STRANGE}"}
    assert lens.block != 1
    later = faults(chain, changed(record, "Lens", transaction=STRANGE, block=10**9))
    assert "it should be in block 1000000000" in later["Lens: creation"]


def forgetful(*forgotten: str) -> Answer:
    """A node that has dropped what these requests ask for, in its client's way."""

    def answer(ask: Ask, method: str, params: list[Any]) -> dict[str, Any]:
        if method not in forgotten:
            return ask(method, params)
        if method == "eth_getBlockByNumber":
            return refused("pruned history unavailable", 4444)
        return {"jsonrpc": "2.0", "result": None}

    return answer


def test_a_node_without_its_index_of_transactions_finds_them_in_their_blocks(
    node: Anvil, record: Record
) -> None:
    """geth drops it after 2,350,000 blocks."""
    with relay(node.url, forgetful("eth_getTransactionReceipt")) as url:
        reader = Chain(url, record.deployment, ARTIFACTS)
        assert [each for each in check(reader, record, ARTIFACTS) if each.fault] == []
        assert [each for each in check(reader, record, ARTIFACTS) if each.unknown] == []
        wrong = faults(reader, changed(record, "Lens", block=1))
        assert wrong["Lens: creation"].startswith("block 1 has no transaction")


@pytest.mark.parametrize("words", ["transaction indexing is in progress", ""])
def test_what_a_node_no_longer_knows_is_no_fault(node: Anvil, record: Record, words: str) -> None:
    drop = forgetful("eth_getTransactionReceipt", "eth_getBlockByNumber")

    def answer(ask: Ask, method: str, params: list[Any]) -> dict[str, Any]:
        if words and method == "eth_getTransactionReceipt":
            return refused(words)
        return drop(ask, method, params)

    with relay(node.url, answer) as url:
        reader = Chain(url, record.deployment, ARTIFACTS)
        found = list(check(reader, record, ARTIFACTS))
        assert [each for each in found if each.fault] == []
        unknown = {each.what: each.unknown for each in found if each.unknown}
        assert list(unknown) == [f"{name}: creation" for name in record.contracts]
        assert "this node no longer has block" in str(unknown["Lens: creation"])


def test_another_interface(chain: Chain, record: Record) -> None:
    found = faults(chain, changed(record, "Jobs", abi_hash=STRANGE))
    assert list(found) == ["Jobs: code"]


@pytest.mark.parametrize("name", [GENESIS, "SellerRegistry", "Yoda", "Lens"])
def test_other_code(chain: Chain, record: Record, name: str) -> None:
    address = record.contracts[name].address
    code = bytearray(chain.w3.eth.get_code(record.deployment.contracts[name]))
    code[1] ^= 1  # no immutable
    ask(chain, "anvil_setCode", address, "0x" + code.hex())
    assert "not what is compiled here" in faults(chain, record)[f"{name}: code"]
    ask(chain, "anvil_setCode", address, "0x")
    assert "there is no code" in faults(chain, record)[f"{name}: code"]


def test_another_wiring(chain: Chain, record: Record) -> None:
    """An immutable is no fault of the code, but of what the getter says."""
    escrow, yoda = record.contracts["Escrow"].address, record.contracts["Yoda"].address
    code = bytes(chain.w3.eth.get_code(record.deployment.contracts["Escrow"]))
    wrong = code.replace(bytes.fromhex(yoda[2:]), bytes.fromhex(escrow[2:]))
    ask(chain, "anvil_setCode", escrow, "0x" + wrong.hex())
    assert faults(chain, record) == {"Escrow: jobs, yoda": f"yoda is {escrow}, not {yoda}"}


def test_a_deployment_that_is_not_complete(chain: Chain, record: Record) -> None:
    at, count = record.contracts[GENESIS].address, len(PARTS)
    ask(chain, "anvil_setStorageAt", at, CREATED_SLOT, "0x" + f"{count - 1:064x}")
    fault = f"created is {count - 1}, not {count}"
    assert faults(chain, record) == {f"{GENESIS}: stakeUnit, bondUnit, randomSeed, created": fault}


def test_a_deployment_that_is_not_as_it_should_be_gives_no_record(
    chain: Chain, node: Anvil, record: Record
) -> None:
    signer = KeySigner(Account.from_key(node.keys[0]))
    ask(chain, "anvil_setCode", record.contracts["Lens"].address, "0x00")
    with pytest.raises(BadDeployment, match="Lens: code"):
        deploy(node.url, node.chain_id, ARTIFACTS, signer, PARAMETERS)
    assert chain.block_number() == max(each.block for each in record.contracts.values())


def test_code_is_the_same_but_for_immutables() -> None:
    word, zero = bytes(range(1, 33)), bytes(32)
    push = b"\x7f"
    assert same_code(b"\x01" + push + zero, b"\x01" + push + word)
    assert not same_code(b"\x01" + push + zero, b"\x02" + push + word)
    assert not same_code(push + word, push + zero)
    assert not same_code(push + zero, push + word + b"\x00")
    # What another push carries is no operation.
    assert immutable_offsets(b"\x60" + push + zero) == []
    assert immutable_offsets(b"\x60\x00" + push + zero) == [3]
