from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from eth_account import Account
from web3.contract.contract import ContractFunctions

from d2m.chain.artifacts import Artifact
from d2m.chain.client import BATCH_SIZE, Chain
from d2m.chain.deployment.record import Deployment
from d2m.chain.errors import (
    ChainError,
    NodeRefused,
    NotCompiled,
    NotDeployed,
    Reverted,
    TransactionTimeout,
    WrongChain,
)
from d2m.chain.signer import KeySigner
from d2m.chain.transactions import Receipt, SendingOptions, Transaction
from d2m.clients.anvil import Anvil
from tests.chain.conftest import MakeChain, Pool, rpc

SPIN_GAS = 1_000_000  # gas: too little for SPINS turns
SPINS = 100_000


@pytest.fixture
def probe(chain: Chain) -> ContractFunctions:
    return chain.contract("Probe").functions


# --- reads


def test_call_decodes(chain: Chain, probe: ContractFunctions) -> None:
    assert chain.call(probe.owner()) == chain.address


def test_a_party_without_a_signer_reads_but_cannot_send(
    node: Anvil, deployment: Deployment, artifacts: dict[str, Artifact]
) -> None:
    reader = Chain(node.url, deployment, artifacts)
    functions = reader.contract("Probe").functions
    assert reader.call(functions.closed(0)) is False
    with pytest.raises(ChainError, match="signer"):
        reader.send(functions.add(1, 1))


def test_call_at_an_earlier_block(chain: Chain, probe: ContractFunctions) -> None:
    before = chain.call(probe.total())
    receipt = chain.send(probe.add(1, 5))
    assert chain.call(probe.total()) == before + 5
    assert chain.call(probe.total(), block=receipt.block - 1) == before


def test_call_many_keeps_the_order_over_several_batches(
    chain: Chain, probe: ContractFunctions
) -> None:
    functions = [probe.owner() if n % 3 else probe.closed(0) for n in range(2 * BATCH_SIZE + 1)]
    expected = [chain.address if n % 3 else False for n in range(2 * BATCH_SIZE + 1)]
    assert chain.call_many(functions) == expected
    assert chain.call_many([]) == []


def test_call_many_raises_the_named_error(chain: Chain, probe: ContractFunctions) -> None:
    with pytest.raises(Reverted) as caught:
        chain.call_many([probe.owner(), probe.ask(b"no".ljust(32, b"\0"))])
    assert caught.value.name == "Refused"
    assert chain.call(probe.owner()) == chain.address  # and the client still works


# --- errors by name


@pytest.mark.parametrize(
    ("provoke", "name", "arguments"),
    [
        (lambda f: f.addBefore(1), "WindowClosed", {"deadline": 1}),
        (lambda f: f.ask(b"\7" * 32), "Refused", {"why": b"\7" * 32}),  # in another contract's ABI
        (lambda f: f.demand(False), "Error", {"message": "the demand is not met"}),
        (lambda f: f.divide(0), "Panic", {"code": 0x12}),
    ],
)
def test_reverts_carry_name_arguments_and_step(
    chain: Chain,
    probe: ContractFunctions,
    receipts: list[Receipt],
    provoke: Callable[[ContractFunctions], Any],
    name: str,
    arguments: dict[str, Any],
) -> None:
    for attempt in (chain.call, chain.send):
        with pytest.raises(Reverted) as caught:
            attempt(provoke(probe))
        assert caught.value.name == name
        assert arguments.items() <= caught.value.arguments.items()
        assert caught.value.step.startswith("Probe.")
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
    assert receipts == []  # foreseen, so nothing was sent


def test_a_revert_after_mining_is_explained(
    chain: Chain, probe: ContractFunctions, receipts: list[Receipt]
) -> None:
    """With a gas limit given there is no estimate that could foresee it."""
    before = chain.block_number()
    with pytest.raises(Reverted) as caught:
        chain.send(probe.addBefore(before), gas=200_000)
    assert caught.value.name == "WindowClosed"
    assert caught.value.arguments == {"deadline": before, "found": before + 1}
    assert [(r.step, r.succeeded) for r in receipts] == [("Probe.addBefore", False)]
    assert receipts[0].gas_used > 21_000


def test_losing_a_race_inside_a_block_is_explained(
    chain: Chain, probe: ContractFunctions, receipts: list[Receipt], pool: Pool
) -> None:
    """Before that block the second would have passed."""
    close = Transaction(probe.close(1), gas=200_000)
    miner = pool.mine_once_it_has(2)
    with pytest.raises(Reverted) as caught:
        chain.send_many([close, close])
    miner.join()
    assert caught.value.name == "AlreadyClosed"
    assert [r.succeeded for r in receipts] == [True, False]
    assert receipts[0].block == receipts[1].block


def test_what_waits_in_the_pool_counts_before_sending(
    make_chain: MakeChain, receipts: list[Receipt], pool: Pool
) -> None:
    first, second = make_chain(0), make_chain(1, timeout_seconds=1.0)
    sender = threading.Thread(target=lambda: first.send(first.contract("Probe").functions.close(2)))
    sender.start()
    pool.wait_for(1)
    with pytest.raises(Reverted) as caught:
        second.send(second.contract("Probe").functions.close(2))
    pool.mine_once_it_has(1).join()
    sender.join()
    assert caught.value.name == "AlreadyClosed"
    assert [r.sender for r in receipts] == [first.address]


def test_out_of_gas_is_named(chain: Chain, probe: ContractFunctions) -> None:
    with pytest.raises(Reverted) as caught:
        chain.send(probe.spin(SPINS), gas=SPIN_GAS)
    assert (caught.value.name, caught.value.arguments) == ("OutOfGas", {"limit": SPIN_GAS})


def test_what_the_node_refuses_is_not_a_revert(chain: Chain, probe: ContractFunctions) -> None:
    with pytest.raises(NodeRefused, match=r"(?i)funds"):
        chain.send(probe.add(1, 1), value=10**30)
    assert chain.send(probe.add(1, 1)).succeeded


# --- transactions


def test_send_reports_the_receipt(
    chain: Chain, probe: ContractFunctions, receipts: list[Receipt]
) -> None:
    balance = chain.balance(chain.address)
    receipt = chain.send(probe.add(3, 4), value=10**18)
    assert receipts == [receipt]
    assert (receipt.step, receipt.sender) == ("Probe.add", chain.address)
    assert receipt.succeeded
    assert chain.balance(chain.address) == balance - 10**18 - receipt.fee


def test_a_step_can_be_named(chain: Chain, probe: ContractFunctions) -> None:
    [receipt] = chain.send_many([Transaction(probe.add(1, 1), step="first payment")])
    assert receipt.step == "first payment"


def test_many_sends_share_a_block_and_keep_their_order(
    chain: Chain, probe: ContractFunctions, pool: Pool
) -> None:
    miner = pool.mine_once_it_has(40)
    sent = chain.send_many([Transaction(probe.add(77, n)) for n in range(40)])
    miner.join()
    assert len({receipt.block for receipt in sent}) == 1
    amounts = [
        log["args"]["amount"] for receipt in sent for log in chain.events(receipt, "Probe", "Added")
    ]
    assert amounts == list(range(40))
    logs = chain.logs("Probe", "Added", argument_filters={"kind": 77})
    assert [log["args"]["amount"] for log in logs] == list(range(40))


def test_send_many_settles_all_before_it_raises(
    chain: Chain, probe: ContractFunctions, receipts: list[Receipt]
) -> None:
    total = chain.call(probe.total())
    with pytest.raises(Reverted) as caught:
        chain.send_many(
            [
                Transaction(probe.add(1, 1)),
                Transaction(probe.addBefore(0), gas=200_000),
                Transaction(probe.add(1, 1)),
            ]
        )
    assert caught.value.name == "WindowClosed"
    assert [r.succeeded for r in receipts] == [True, False, True]
    assert chain.call(probe.total()) == total + 2


def test_send_many_stops_at_what_cannot_be_sent(
    chain: Chain, probe: ContractFunctions, receipts: list[Receipt]
) -> None:
    with pytest.raises(Reverted):
        chain.send_many(
            [
                Transaction(probe.add(1, 1)),
                Transaction(probe.addBefore(0)),
                Transaction(probe.add(1, 1)),
            ]
        )
    assert [r.step for r in receipts] == ["Probe.add"]
    assert chain.send(probe.add(1, 1)).succeeded


def test_the_nonce_recovers_when_another_program_uses_the_key(make_chain: MakeChain) -> None:
    one, other = make_chain(), make_chain()
    total = one.call(one.contract("Probe").functions.total())
    for _ in range(3):
        for each in (one, other):
            each.send(each.contract("Probe").functions.add(1, 1))
    assert one.call(one.contract("Probe").functions.total()) == total + 6


def test_the_nonce_recovers_when_the_node_lost_a_transaction(
    make_chain: MakeChain, pool: Pool
) -> None:
    chain = make_chain(timeout_seconds=0.05)
    add = chain.contract("Probe").functions.add(1, 1)
    with pytest.raises(TransactionTimeout, match=r"Probe\.add \(0x"):
        chain.send(add)
    rpc(chain, "anvil_dropAllTransactions")
    miner = pool.mine_once_it_has(1)
    chain._the_sender()._options = SendingOptions(poll_seconds=0.02)
    assert chain.send(add).succeeded
    miner.join()


def test_a_repeated_request_counts_once(
    chain: Chain, probe: ContractFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer to the first request is lost; the node then refuses its repetition."""
    total = chain.call(probe.total())
    send = chain.w3.eth.send_raw_transaction

    def send_twice(raw: bytes) -> Any:
        send(raw)
        return send(raw)

    monkeypatch.setattr(chain.w3.eth, "send_raw_transaction", send_twice)
    assert chain.send(probe.add(1, 1)).succeeded
    assert chain.call(probe.total()) == total + 1


# --- events


def test_logs_are_decoded_filtered_and_in_order(make_chain: MakeChain) -> None:
    chain, other = make_chain(2), make_chain(3)
    start = chain.block_number() + 1
    for each, kind in ((chain, 8), (other, 9), (chain, 9)):
        each.send(each.contract("Probe").functions.add(kind, kind * 10))
    found = chain.logs("Probe", "Added", start)
    assert [log["args"]["amount"] for log in found] == [80, 90, 90]
    nines = chain.logs("Probe", "Added", start, argument_filters={"kind": 9})
    assert [log["args"]["by"] for log in nines] == [other.address, chain.address]
    assert chain.logs("Probe", "Added", start, start)[0]["args"]["kind"] == 8
    assert chain.logs("Probe", "Added") == chain.logs("Probe", "Added", chain.deployment.block)


def test_events_of_one_receipt_are_told_apart(
    node: Anvil, chain: Chain, deployment: Deployment, artifacts: dict[str, Artifact]
) -> None:
    address, _ = chain.deploy("Probe", chain.address)
    both = Deployment(node.chain_id, 0, {**deployment.contracts, "Second": address})
    signer = KeySigner(Account.from_key(node.keys[0]))
    party = Chain(node.url, both, {**artifacts, "Second": artifacts["Probe"]}, signer)
    receipt = party.send(party.contract("Second").functions.add(6, 60), value=7)
    [added] = party.events(receipt, "Second", "Added")
    [paid] = party.events(receipt, "Second", "Paid")
    assert (added["args"]["kind"], added["args"]["amount"], paid["args"]["amount"]) == (6, 60, 7)
    assert party.events(receipt, "Probe", "Added") == []


# --- what is not there


def test_another_chain_is_refused(node: Anvil, make_chain: MakeChain) -> None:
    with pytest.raises(WrongChain, match=f"is chain {node.chain_id}, .* on 5"):
        make_chain(where=Deployment(5, 0, {}))


def test_a_contract_that_is_not_there(chain: Chain, make_chain: MakeChain) -> None:
    with pytest.raises(NotDeployed, match=r"no Escrow .*Probe"):
        chain.contract("Escrow")
    gone = make_chain(where=Deployment(chain.deployment.chain_id, 0, {"Probe": chain.address}))
    with pytest.raises(NotDeployed, match="no code of Probe"):
        gone.contract("Probe")
    with pytest.raises(NotCompiled, match="ape compile"):
        chain.deploy("Escrow")


def test_a_contract_that_the_chain_has_lost_is_named(
    chain: Chain, probe: ContractFunctions
) -> None:
    """As a killed node's, between two looks at the head."""
    owner, address = probe.owner(), chain.contract("Probe").address
    code = chain.w3.eth.get_code(address).to_0x_hex()
    rpc(chain, "anvil_setCode", address, "0x")
    try:
        with pytest.raises(NotDeployed, match="no code of Probe"):
            chain.call(owner)
    finally:
        rpc(chain, "anvil_setCode", address, code)
    assert chain.call(owner) == chain.address


def test_a_span_without_blocks_has_no_logs(chain: Chain) -> None:
    future = chain.block_number() + 1
    assert not chain.has_logs(["Probe"], future, future - 1)  # anvil refuses the question
