"""What is shown before a signature, and what then becomes of it."""

from __future__ import annotations

import pytest

from d2m.chain.errors import Declined
from d2m.chain.prepared import Prepared
from tests.chain.conftest import MakeChain, Pool, rpc


def decline(_prepared: Prepared) -> None:
    raise Declined("no")


def test_what_is_signed_is_shown_before(make_chain: MakeChain) -> None:
    shown: list[Prepared] = []
    chain = make_chain(on_ready=shown.append)
    receipt = chain.send(chain.contract("Probe").functions.add(1, 3))
    (prepared,) = shown
    assert (prepared.step, prepared.arguments) == ("Probe.add", {"kind": 1, "amount": 3})
    assert prepared.to == chain.deployment.contracts["Probe"]
    assert receipt.gas_used <= prepared.gas < prepared.gas_limit
    assert receipt.fee <= prepared.fee_now < prepared.fee_most
    assert not prepared.replaces


def test_a_creation_is_shown_with_its_arguments(make_chain: MakeChain) -> None:
    shown: list[Prepared] = []
    chain = make_chain(on_ready=shown.append)
    chain.deploy("Probe", chain.address)
    assert shown[0].step == "deploy Probe"
    assert list(shown[0].arguments.values()) == [chain.address.lower()]


def test_what_is_declined_is_not_sent(make_chain: MakeChain) -> None:
    chain = make_chain(on_ready=decline)
    count = chain.w3.eth.get_transaction_count
    before = count(chain.address)
    with pytest.raises(Declined):
        chain.send(chain.contract("Probe").functions.add(1, 3))
    assert count(chain.address, "pending") == before


def test_higher_fees_are_shown_again_and_may_be_declined(make_chain: MakeChain, pool: Pool) -> None:
    shown: list[Prepared] = []

    def agree_once(prepared: Prepared) -> None:
        shown.append(prepared)
        if prepared.replaces:
            mining.append(pool.mine_once_it_has(1))
            decline(prepared)

    mining: list[object] = []
    chain = make_chain(on_ready=agree_once, stuck_seconds=0.2)
    receipt = chain.send(chain.contract("Probe").functions.add(1, 4))
    mining[0].join()  # type: ignore[attr-defined]
    assert [each.replaces for each in shown[:2]] == [False, True]
    assert shown[1].fee_most > shown[0].fee_most
    assert receipt.fee <= shown[0].fee_most  # the first version was mined, as agreed


def test_all_events_of_the_deployment_are_told(make_chain: MakeChain) -> None:
    chain = make_chain()
    receipt = chain.send(chain.contract("Probe").functions.add(1, 5))
    ((contract, event),) = chain.all_events(receipt)
    assert contract == "Probe"
    assert event["args"]["amount"] == 5
    stranger = make_chain(where=chain.deployment.__class__(chain.deployment.chain_id, 0, {}))
    assert stranger.all_events(receipt) == []


def test_the_price_of_gas(make_chain: MakeChain) -> None:
    chain = make_chain()
    price = chain.price()
    base = int(rpc(chain, "eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16)
    assert 0.87 * base <= price.base_fee <= 1.13 * base  # it moves by an eighth a block at most
    assert price.now(100) == 100 * (price.base_fee + price.fees.tip)
    assert price.most(100) == 100 * price.fees.most > price.now(100)
