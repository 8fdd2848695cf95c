"""What geth itself refuses, says or forgets: each under its own name, with what to do about it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from d2m.chain.client import Chain
from d2m.chain.contracts.market import Market
from d2m.chain.deployment.check import check
from d2m.chain.deployment.deploy import deploy
from d2m.chain.deployment.genesis import Parameters
from d2m.chain.deployment.record import Deployment
from d2m.chain.errors import (
    AlreadyKnown,
    FeeCapped,
    LogsUnready,
    NodeBehind,
    NonceTaken,
    NotEnoughEther,
    Reverted,
    Underpriced,
)
from d2m.chain.fees import GWEI
from d2m.chain.heads import HeadWatch
from d2m.chain.lag import FLOOR_SECONDS, NodeState
from d2m.chain.remedies import explained
from d2m.chain.signer import KeySigner
from d2m.chain.transactions import RawCall
from d2m.clients.geth import Geth, Rules, start_geth
from d2m.protocol.types import ETHER
from tests.support.world import ACCOUNTS, STAKE, World, artifacts, world_on

BLOCK_SECONDS = 0.1
FIRST, SECOND, FRIEND = 3, 4, 5
"""Accounts: two bidders, and somebody whom one of them trusts."""
KEPT_BLOCKS = 8

pytestmark = [pytest.mark.slow, pytest.mark.clients]


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A market on a geth that makes a block when it is told to; its clock is not ahead."""
    with start_geth(Rules.MAINNET, accounts=ACCOUNTS) as geth:
        with geth.keep_mining(BLOCK_SECONDS):
            found = world_on(geth, tmp_path_factory.mktemp("market"))
        yield found


def geth_of(market: World) -> Geth:
    assert isinstance(market.anvil, Geth)
    return market.anvil


def reader(market: World) -> Chain:
    return Chain(market.anvil.url, market.deployment, artifacts())


def test_logs_of_blocks_that_a_rollback_took_are_the_index_s_matter(market: World) -> None:
    """A party asks up to the head that it has seen; then that is gone."""
    geth, chain = geth_of(market), reader(market)
    geth.mine(30)
    seen = chain.block_number()
    geth.forget(20)
    with pytest.raises(
        LogsUnready, match="block range extends beyond current head block: it makes"
    ):
        chain.has_logs(["Jobs"], seen - 10, seen)
    coming = threading.Timer(0.3, geth.mine, (20,))
    coming.start()
    assert chain.has_logs(["Jobs"], seen - 10, seen) is False  # asked again until they are there
    coming.join()


def test_geth_is_behind_when_it_makes_no_blocks_any_more(market: World) -> None:
    geth, chain = geth_of(market), reader(market)
    geth.mine(40)
    head, _ = HeadWatch(chain.w3).next()
    ahead = max(0.0, head.timestamp - time.time())  # the chain's clock, of so many blocks at once
    NodeState(chain.w3, lambda: time.time() + ahead).check(head)
    with pytest.raises(NodeBehind, match="its latest block is 17 minutes old"):
        NodeState(chain.w3, lambda: head.timestamp + 17 * 60.0).check(head)
    assert FLOOR_SECONDS < 17 * 60


def test_the_pool_s_words(market: World) -> None:
    geth, chain = geth_of(market), market.chain(6)
    account = Account.from_key(geth.keys[6])

    def send(nonce: int, tip: int, key: Any = account) -> None:
        fees = {"maxFeePerGas": 100 * GWEI, "maxPriorityFeePerGas": tip}
        signed = key.sign_transaction(
            {
                **fees,
                "type": 2,
                "chainId": geth.chain_id,
                "nonce": nonce,
                "to": account.address,
                "value": 0,
                "gas": 21_000,
            }
        )
        chain.w3.eth.send_raw_transaction(signed.raw_transaction)

    send(0, 2 * GWEI)
    with pytest.raises(AlreadyKnown):
        send(0, 2 * GWEI)
    with pytest.raises(Underpriced, match="replacement"):
        send(0, 2 * GWEI + 1)
    with pytest.raises(Underpriced, match="minimum needed"):
        send(1, 0)
    geth.mine()
    with pytest.raises(NonceTaken):
        send(0, 3 * GWEI)
    with pytest.raises(NotEnoughEther, match="send ether"):
        send(0, GWEI, Account.create())


@pytest.mark.parametrize("rules", Rules)
def test_a_deployment_that_meets_geth_s_fee_cap_is_told_before_anything_is_paid(
    rules: Rules,
) -> None:
    with start_geth(rules, accounts=1, options=("--rpc.txfeecap", "0.001")) as geth:
        geth.mine(4)
        signer = KeySigner(Account.from_key(geth.keys[0]))
        place = (geth.url, geth.chain_id, artifacts(), signer, Parameters(STAKE, STAKE))
        told = r"nothing was paid yet: deploy \w+ would be too dear: .*--rpc.txfeecap"
        with pytest.raises(FeeCapped, match=told):
            deploy(*place)
        chain = Chain(geth.url, Deployment(geth.chain_id, 0, {}), artifacts(), signer)
        assert chain.w3.eth.get_transaction_count(chain.address, "pending") == 0
        with pytest.raises(FeeCapped, match="exceeds the configured cap"):
            chain.send(RawCall(chain.address, b""), gas=2_000_000)


def test_a_deployment_that_geth_has_dropped_from_its_index_is_found_right(tmp_path: Path) -> None:
    """As after 2,350,000 blocks; the index is in memory, too, so geth is started again."""
    folder = tmp_path / "geth"
    with start_geth(Rules.MAINNET, folder=folder) as geth:
        signer = KeySigner(Account.from_key(geth.keys[0]))
        with geth.keep_mining(BLOCK_SECONDS):
            record = deploy(geth.url, geth.chain_id, artifacts(), signer, Parameters(STAKE, STAKE))
        geth.mine(2 * KEPT_BLOCKS)
    forgetting = ("--history.transactions", str(KEPT_BLOCKS))
    with start_geth(Rules.MAINNET, folder=folder, options=forgetting) as geth:
        chain = Chain(geth.url, record.deployment, artifacts())
        wait_until_forgotten(geth, record.contracts["Genesis"].transaction)
        found = list(check(chain, record, artifacts()))
        assert [each for each in found if each.fault or each.unknown] == []
        other = record.contracts["Lens"].transaction
        jobs = record.contracts["Jobs"].model_copy(update={"transaction": other})
        wrong = record.model_copy(update={"contracts": {**record.contracts, "Jobs": jobs}})
        faults = {each.what for each in check(chain, wrong, artifacts()) if each.fault}
        assert faults == {"Jobs: creation"}


def wait_until_forgotten(geth: Geth, transaction: str) -> None:
    for _ in range(600):
        if geth.control("eth_getTransactionReceipt", transaction) is None:
            return
        geth.mine()
        time.sleep(0.1)
    raise AssertionError("geth has not dropped its index")


def test_who_is_delegated_to_code_that_takes_no_ether_names_another_recipient(
    market: World,
) -> None:
    """EIP-7702: contracts take a recipient, so the commands do."""
    geth = geth_of(market)
    with geth.keep_mining(BLOCK_SECONDS):
        market.open()
        auctions = market.contracts.auctions.functions
        for account, price in ((FIRST, STAKE), (SECOND, 2 * STAKE)):
            market.chain(account).send(auctions.bid(market.auction_id, price), value=price)
        delegate(market, FIRST, market.deployment.contracts["Lens"])
        contracts = Market(market.chain(FIRST))
        with pytest.raises(Reverted) as caught:
            contracts.escrow.withdraw(ETHER)
        refusal = explained(caught.value)
        assert market.signer(FIRST).address.lower() in refusal
        assert "name another recipient with --to" in refusal
        friend = market.signer(FRIEND).address
        before = contracts.chain.balance(friend)
        assert contracts.escrow.withdraw(ETHER, friend) == STAKE
        assert contracts.chain.balance(friend) == before + STAKE


def test_a_party_pays_to_whom_it_was_told(
    market: World, capsys: pytest.CaptureFixture[str]
) -> None:
    with geth_of(market).keep_mining(BLOCK_SECONDS):
        market.open()
        auctions = market.contracts.auctions.functions
        for account, price in ((2, STAKE), (SECOND, 2 * STAKE)):
            market.chain(account).send(auctions.bid(market.auction_id, price), value=price)
        delegate(market, 2, market.deployment.contracts["Lens"])
        buyer = market.buyer(1)
        buyer.withdraw(ETHER)
        assert "name another recipient with --to" in capsys.readouterr().out
        buyer.pay_to = friend = market.signer(FRIEND).address
        before = buyer.chain.balance(friend)
        buyer.withdraw(ETHER)
        assert buyer.chain.balance(friend) == before + STAKE


def delegate(market: World, account: int, code: str) -> None:
    """Have an account's ether transfers and calls meet `code`; somebody else pays for that."""
    chain, owner = market.chain(0), Account.from_key(market.anvil.keys[account])
    nonce = chain.w3.eth.get_transaction_count(owner.address)
    agreed = owner.sign_authorization(
        {"chainId": market.anvil.chain_id, "address": code, "nonce": nonce}
    )
    payer = Account.from_key(market.anvil.keys[0])
    signed = payer.sign_transaction(
        {
            "type": 4,
            "chainId": market.anvil.chain_id,
            "nonce": chain.w3.eth.get_transaction_count(payer.address),
            "to": owner.address,
            "value": 0,
            "gas": 200_000,
            "maxFeePerGas": 100 * GWEI,
            "maxPriorityFeePerGas": GWEI,
            "authorizationList": [agreed],
        }
    )
    hash_ = chain.w3.eth.send_raw_transaction(signed.raw_transaction)
    chain.w3.eth.wait_for_transaction_receipt(hash_, poll_latency=BLOCK_SECONDS)
    assert chain.has_code(owner.address)
