"""Nobody can make `Genesis` create anything else than the market, and nobody can stop it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_utils.crypto import keccak
from web3.types import TxParams

from d2m.chain.artifacts import Artifact, load_artifacts
from d2m.chain.client import Chain
from d2m.chain.deployment.deploy import deploy
from d2m.chain.deployment.genesis import GENESIS, PARTS, PROXY, SALT, Layout, Parameters
from d2m.chain.deployment.record import Deployment, Record
from d2m.chain.errors import NotDeployed, Reverted
from d2m.chain.signer import KeySigner
from d2m.chain.transactions import RawCall, Receipt, Transaction
from d2m.clients.anvil import Anvil, start_anvil

ETHER = 10**18
PARAMETERS = Parameters(ETHER, ETHER // 10)
GAS_OF_A_TRANSACTION = 2**24
"""EIP-7825: the most that one transaction may ask for."""
INIT_CODE_BYTES = 49_152
"""EIP-3860: the most that a creation may carry."""
DEPLOYER, STRANGER = 0, 1
DEPLOY_GUIDE = Path(__file__).parents[2] / "docs" / "deploy.md"


class Refusal:
    """The errors of `Genesis` by name."""

    WrongCode = "WrongCode"
    Complete = "Complete"
    PartFailed = "PartFailed"
    WrongNumberOfParts = "WrongNumberOfParts"


@pytest.fixture(scope="module")
def artifacts(_compiled_afresh: None) -> dict[str, Artifact]:
    return load_artifacts()


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with start_anvil(accounts=2, chain_id=777) as anvil:
        yield anvil


@pytest.fixture
def fresh(node: Anvil) -> Iterator[Anvil]:
    """The node with nothing deployed but the proxy."""
    reader = Chain(node.url, Deployment(node.chain_id, 0, {}), {})
    snapshot = reader.w3.provider.make_request("evm_snapshot", [])["result"]
    yield node
    assert reader.w3.provider.make_request("evm_revert", [snapshot])["result"]


@pytest.fixture
def plan(artifacts: dict[str, Artifact]) -> Layout:
    return Layout(PARAMETERS, artifacts)


def signer(node: Anvil, account: int) -> KeySigner:
    return KeySigner(Account.from_key(node.keys[account]))


def client(node: Anvil, plan: Layout, account: int = DEPLOYER) -> Chain:
    where = Deployment(node.chain_id, 0, {GENESIS: plan.genesis, **plan.addresses})
    return Chain(node.url, where, plan.artifacts, signer(node, account), poll_seconds=0.01)


def begin(chain: Chain, plan: Layout) -> Any:
    """`Genesis` without parts."""
    chain.send_many([Transaction(RawCall(PROXY, SALT + plan.genesis_code), step="begin")])
    return chain.contract(GENESIS)


def create(chain: Chain, plan: Layout, name: str) -> Receipt:
    return chain.send(chain.contract(GENESIS).functions.create(plan.creation_code(name)))


def deployed(
    node: Anvil, artifacts: dict[str, Artifact], account: int = DEPLOYER, **options: Any
) -> Record:
    where = signer(node, account)
    return deploy(node.url, node.chain_id, artifacts, where, PARAMETERS, **options)


def refused(chain: Chain, plan: Layout, code: bytes) -> Reverted:
    """How a creation is refused, sent with the dearest limit there is."""
    before = chain.w3.eth.get_transaction_count(plan.genesis)
    with pytest.raises(Reverted) as caught:
        chain.send(chain.contract(GENESIS).functions.create(code), gas=GAS_OF_A_TRANSACTION)
    assert chain.w3.eth.get_transaction_count(plan.genesis) == before
    return caught.value


# The whole


def test_every_part_points_at_the_others_and_nobody_has_a_key(fresh: Anvil, plan: Layout) -> None:
    found = deployed(fresh, dict(plan.artifacts)).deployment
    assert found.contracts == {GENESIS: plan.genesis, **plan.addresses}
    chain = client(fresh, plan)
    at = found.contracts
    jobs = chain.contract("Jobs").functions
    getters = ("registry", "randomness", "pool", "yoda", "escrow", "auctionHouse")
    named = [chain.call(jobs[getter]()) for getter in getters]
    assert named == [at[name] for name in plan.names[:6]]
    for name in ("ConePool", "Yoda", "Escrow", "AuctionHouse", "Lens"):
        assert chain.call(chain.contract(name).functions.jobs()) == at["Jobs"]
    assert chain.call(chain.contract("ConePool").functions.stakeUnit()) == PARAMETERS.stake_unit
    assert chain.call(chain.contract("SellerRegistry").functions.bondUnit()) == PARAMETERS.bond_unit
    abi = plan.artifacts[GENESIS].abi
    changing = {
        each["name"]
        for each in abi
        if each.get("stateMutability") == "nonpayable" and "name" in each
    }
    assert changing == {"create"}


def test_the_foretold_addresses_are_the_contract_s_own(fresh: Anvil, plan: Layout) -> None:
    chain = client(fresh, plan)
    genesis = begin(chain, plan)
    told = [chain.call(genesis.functions.addressOf(part)) for part in range(len(PARTS))]
    assert told == list(plan.addresses.values())


def test_two_chains_and_two_deployers_get_the_same_addresses(
    artifacts: dict[str, Artifact],
) -> None:
    with ExitStack() as stack:
        here = stack.enter_context(start_anvil(accounts=2, seed=1, chain_id=5))
        # Where transactions are limited to 2^24 gas.
        there = stack.enter_context(start_anvil(accounts=2, seed=2, chain_id=6, hardfork="osaka"))
        one = deployed(here, artifacts, DEPLOYER)
        two = deployed(there, artifacts, STRANGER)
    assert one.deployment.contracts == two.deployment.contracts


@pytest.mark.parametrize(
    "other",
    [
        Parameters(ETHER + 1, ETHER // 10),
        Parameters(ETHER, ETHER // 10 + 1),
        Parameters(ETHER, ETHER // 10, keccak(b"seed")),
    ],
)
def test_other_parameters_are_another_market(plan: Layout, other: Parameters) -> None:
    assert Layout(other, plan.artifacts).genesis != plan.genesis


def test_other_code_is_another_market(plan: Layout) -> None:
    lens = plan.artifacts["Lens"]
    changed = Artifact(lens.name, lens.abi, lens.bytecode + "00")
    assert Layout(PARAMETERS, {**plan.artifacts, "Lens": changed}).genesis != plan.genesis


def test_every_step_fits_into_a_transaction(fresh: Anvil, plan: Layout) -> None:
    receipts: list[Receipt] = []
    deployed(fresh, dict(plan.artifacts), on_receipt=receipts.append)
    assert [each.step for each in receipts] == [f"deploy {name}" for name in (GENESIS, *plan.names)]
    # With the headroom that the client asks for on top.
    assert max(each.gas_used for each in receipts) * 5 // 4 < GAS_OF_A_TRANSACTION
    codes = [plan.creation_code(name) + plan.arguments(name) for name in (GENESIS, *plan.names)]
    assert max(map(len, codes)) < INIT_CODE_BYTES


def test_a_local_market_draws_from_its_seed(fresh: Anvil, artifacts: dict[str, Artifact]) -> None:
    seeded = Parameters(ETHER, ETHER // 10, keccak(b"seed"))
    plan = Layout(seeded, artifacts)
    where = signer(fresh, DEPLOYER)
    found = deploy(fresh.url, fresh.chain_id, artifacts, where, seeded)
    assert "SeededRandomness" in found.contracts
    chain = client(fresh, plan)
    purpose = keccak(b"purpose")
    seed, _ = chain.call(chain.contract("SeededRandomness").functions.read(0, purpose))
    assert seed == keccak(purpose + seeded.random_seed)


def test_genesis_tells_how_everything_came_to_be(fresh: Anvil, plan: Layout) -> None:
    chain = client(fresh, plan)
    begun = chain.send_many([Transaction(RawCall(PROXY, SALT + plan.genesis_code), step="begin")])[
        0
    ]
    events = chain.contract(GENESIS).events
    event = events.Begun().process_log(begun.raw["logs"][0])
    chosen = {"stakeUnit": ETHER, "bondUnit": ETHER // 10, "randomSeed": bytes(32)}
    assert event["args"] == chosen
    genesis = chain.contract(GENESIS).functions
    assert chain.call(genesis.startBlock()) == begun.block
    getters = [genesis.stakeUnit(), genesis.bondUnit(), genesis.randomSeed()]
    assert [chain.call(each) for each in getters] == list(chosen.values())
    for part, name in enumerate(plan.names):
        assert chain.call(genesis.created()) == part
        assert chain.call(genesis.createdIn(part)) == 0
        assert chain.call(genesis.codeHashes(part)) == keccak(plan.creation_code(name))
        receipt = create(chain, plan, name)
        event = events.PartCreated().process_log(receipt.raw["logs"][-1])
        assert event["args"] == {"part": part, "at": plan.addresses[name]}
        assert chain.call(genesis.createdIn(part)) == receipt.block


# Others step in


def test_wrong_code_is_refused_and_costs_no_address(fresh: Anvil, plan: Layout) -> None:
    chain = client(fresh, plan, STRANGER)
    begin(chain, plan)
    right = plan.creation_code("SellerRegistry")
    for wrong in (b"", right[:-1], right + b"\0", plan.creation_code("Jobs")):
        error = refused(chain, plan, wrong)
        assert (error.name, error.arguments) == (Refusal.WrongCode, {"next": 0})
    create(chain, plan, "SellerRegistry")
    assert chain.w3.eth.get_code(plan.addresses["SellerRegistry"])


def test_parts_come_in_order_and_once(fresh: Anvil, plan: Layout) -> None:
    chain = client(fresh, plan)
    begin(chain, plan)
    for position, name in enumerate(plan.names):
        for other in plan.names[:position] + plan.names[position + 1 :]:
            assert refused(chain, plan, plan.creation_code(other)).name == Refusal.WrongCode
        create(chain, plan, name)
    for name in plan.names:
        assert refused(chain, plan, plan.creation_code(name)).name == Refusal.Complete


def test_a_stranger_can_only_help(fresh: Anvil, plan: Layout) -> None:
    """Every second step is the stranger's, the first one included."""
    stranger = client(fresh, plan, STRANGER)
    begin(stranger, plan)
    create(stranger, plan, "SellerRegistry")
    create(client(fresh, plan), plan, plan.names[1])
    create(stranger, plan, "ConePool")
    receipts: list[Receipt] = []
    found = deployed(fresh, dict(plan.artifacts), on_receipt=receipts.append)
    assert [each.step for each in receipts] == [f"deploy {name}" for name in plan.names[3:]]
    assert found.deployment.contracts == {GENESIS: plan.genesis, **plan.addresses}


@pytest.mark.parametrize("taken", [GENESIS, "SellerRegistry", "Jobs", "Lens"])
def test_a_step_taken_under_the_deployer_s_nose_is_no_failure(
    fresh: Anvil, plan: Layout, taken: str
) -> None:
    """The stranger sees the deployer's next step coming and is faster."""
    stranger = client(fresh, plan, STRANGER)

    class Overtaken(KeySigner):
        def sign_transaction(self, transaction: dict[str, Any]) -> bytes:
            steps = (GENESIS, *plan.names)
            done = sum(bool(stranger.w3.eth.get_code(at)) for at in where)
            if steps[done] == taken:
                if taken == GENESIS:
                    begin(stranger, plan)
                else:
                    create(stranger, plan, taken)
            return super().sign_transaction(transaction)

    where = [plan.genesis, *plan.addresses.values()]
    deployer = Overtaken(Account.from_key(fresh.keys[DEPLOYER]))
    found = deploy(fresh.url, fresh.chain_id, plan.artifacts, deployer, PARAMETERS)
    assert list(found.deployment.contracts.values()) == where


def test_code_that_others_put_through_the_proxy_is_elsewhere(fresh: Anvil, plan: Layout) -> None:
    """Another init code, or another salt, has another address."""
    chain = client(fresh, plan, STRANGER)
    for data in (SALT + plan.genesis_code + b"\0", keccak(SALT) + plan.genesis_code):
        chain.send_many([Transaction(RawCall(PROXY, data), step="elsewhere")])
        assert not chain.w3.eth.get_code(plan.genesis)


def test_ether_sent_ahead_stops_nothing(fresh: Anvil, plan: Layout) -> None:
    chain = client(fresh, plan, STRANGER)
    for address in (plan.genesis, *plan.addresses.values()):
        chain.send_many([Transaction(RawCall(address, b""), value=1, step="gift")])
    deployed(fresh, dict(plan.artifacts))


# Half-way


@pytest.mark.parametrize("stopped_after", range(len(PARTS) + 1))
def test_another_account_continues_an_interrupted_deployment(
    fresh: Anvil, plan: Layout, stopped_after: int
) -> None:
    class Interrupted(Exception):
        pass

    done: list[Receipt] = []

    def stop(receipt: Receipt) -> None:
        done.append(receipt)
        if len(done) == stopped_after + 1:
            raise Interrupted

    with pytest.raises(Interrupted):
        deployed(fresh, dict(plan.artifacts), on_receipt=stop)
    found = deployed(fresh, dict(plan.artifacts), STRANGER, on_receipt=done.append)
    assert [each.step for each in done] == [f"deploy {name}" for name in (GENESIS, *plan.names)]
    assert found == deployed(fresh, dict(plan.artifacts))
    assert len(done) == 1 + len(PARTS)
    assert found.block == done[0].block
    assert [each.block for each in found.contracts.values()] == [each.block for each in done]
    hashes = [each.raw["transactionHash"].to_0x_hex() for each in done]
    assert [each.transaction for each in found.contracts.values()] == hashes


# A part that cannot be created


def test_too_little_gas_burns_no_step(fresh: Anvil, plan: Layout) -> None:
    """Whoever sends the right code with little gas must not spoil the address of the part."""
    chain = client(fresh, plan, STRANGER)
    genesis = begin(chain, plan)
    code = plan.creation_code("SellerRegistry")
    enough = chain.w3.eth.estimate_gas(_call(chain, genesis, code))
    for percent in (30, 50, 70, 80, 90, 95, 97, 99):
        with pytest.raises(Reverted) as caught:
            chain.send(genesis.functions.create(code), gas=enough * percent // 100)
        assert caught.value.name in ("OutOfGas", Refusal.PartFailed, "Unexplained", "Panic")
        assert chain.call(genesis.functions.created()) == 0
        assert chain.w3.eth.get_transaction_count(plan.genesis) == 1
    create(chain, plan, "SellerRegistry")
    assert chain.w3.eth.get_code(plan.addresses["SellerRegistry"])


def _call(chain: Chain, genesis: Any, code: bytes) -> TxParams:
    call: TxParams = genesis.functions.create(code).build_transaction(
        {"from": chain.address, "gas": 0}
    )
    return {key: call[key] for key in ("from", "to", "data")}  # type: ignore[literal-required,return-value]


def test_a_constructor_that_refuses_burns_no_step(
    fresh: Anvil, artifacts: dict[str, Artifact]
) -> None:
    """`ConePool` takes no stake of 1 wei: the step fails again and again, with the reason."""
    plan = Layout(Parameters(1, ETHER), artifacts)
    chain = client(fresh, plan)
    begin(chain, plan)
    create(chain, plan, "SellerRegistry")
    create(chain, plan, "BlockhashRandomness")
    for _ in range(2):
        error = refused(chain, plan, plan.creation_code("ConePool"))
        assert error.name == Refusal.PartFailed
        assert error.arguments == {"part": 2, "reason": keccak(text="BadStakeUnit()")[:4]}


def test_refused_parameters_cost_nothing(fresh: Anvil, artifacts: dict[str, Artifact]) -> None:
    for parameters, name in (
        (Parameters(1, ETHER), "BadStakeUnit"),
        (Parameters(ETHER, 0), "BadBondUnit"),
    ):
        with pytest.raises(Reverted, match=name):
            deploy(fresh.url, fresh.chain_id, artifacts, signer(fresh, DEPLOYER), parameters)
    assert client(fresh, Layout(PARAMETERS, artifacts)).block_number() == 0


def test_a_part_in_another_s_place_is_never_created(fresh: Anvil, plan: Layout) -> None:
    """Whoever begins with two parts exchanged has another address, and gets no market."""
    jobs, lens = plan.artifacts["Jobs"], plan.artifacts["Lens"]
    wrong = Layout(PARAMETERS, {**plan.artifacts, "Jobs": lens, "Lens": jobs})
    assert wrong.genesis != plan.genesis
    chain = client(fresh, wrong, STRANGER)
    begin(chain, wrong)
    for name in wrong.names[:6]:
        create(chain, wrong, name)
    assert refused(chain, wrong, wrong.creation_code("Jobs")).name == Refusal.PartFailed
    assert refused(chain, wrong, plan.creation_code("Jobs")).name == Refusal.WrongCode


def test_a_wrong_number_of_hashes_is_refused(fresh: Anvil, plan: Layout) -> None:
    chain = client(fresh, plan)
    factory = chain.w3.eth.contract(
        abi=plan.artifacts[GENESIS].abi, bytecode=plan.artifacts[GENESIS].bytecode
    )
    for count in (0, len(PARTS) - 1, len(PARTS) + 1):
        with pytest.raises(Reverted, match=f"{Refusal.WrongNumberOfParts}.expected={len(PARTS)}"):
            chain.send(factory.constructor(ETHER, ETHER, bytes(32), [bytes(32)] * count))


def test_the_documented_transaction_puts_the_proxy_on_a_chain(
    fresh: Anvil, artifacts: dict[str, Artifact]
) -> None:
    text = DEPLOY_GUIDE.read_text()
    (raw,) = re.findall(r"^0x[0-9a-f]{300,}$", text, re.MULTILINE)
    sender = Account.recover_transaction(raw)
    assert sender in text
    chain = client(fresh, Layout(PARAMETERS, artifacts))
    code = chain.w3.eth.get_code(PROXY)
    for method, *parameters in (
        ("anvil_setCode", PROXY, "0x"),
        ("anvil_setNonce", PROXY, "0x0"),
        ("anvil_setBalance", sender, hex(ETHER // 100)),
    ):
        chain.w3.provider.make_request(method, parameters)
    chain.w3.eth.wait_for_transaction_receipt(chain.w3.eth.send_raw_transaction(raw))
    assert chain.w3.eth.get_code(PROXY) == code
    deployed(fresh, artifacts)


def test_a_chain_without_the_proxy_is_told_so(fresh: Anvil, artifacts: dict[str, Artifact]) -> None:
    chain = client(fresh, Layout(PARAMETERS, artifacts))
    chain.w3.provider.make_request("anvil_setCode", [PROXY, "0x"])
    with pytest.raises(NotDeployed, match="no deterministic deployment proxy"):
        deployed(fresh, artifacts)
