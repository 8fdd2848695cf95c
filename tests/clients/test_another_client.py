"""A whole job on another client than anvil, so that not only anvil is believed."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from eth_account import Account

from offchain.chain.records import JobState
from offchain.chain.signer import KeySigner
from offchain.data.datasets import load
from offchain.data.partition import dirichlet
from offchain.learning.updates import EvaluationSet
from offchain.market.deploy import deploy
from offchain.market.genesis import Parameters
from offchain.parties.buyer import DELIVERY_FILE
from offchain.parties.seller import Samples
from tests.clients.ethereumjs import EthereumJs, start_ethereumjs
from tests.parties.world import BOND, RULES, SELLERS, STAKE, TERMS, World, artifacts

ACCOUNTS = 30
ONE_ROUND = RULES._replace(rounds=1)
SHORT_AUCTION = TERMS._replace(window_blocks=100)
"""As logs of many blocks take this client long; bids need about 30 blocks."""

pytestmark = [pytest.mark.slow, pytest.mark.clients]


class OtherWorld(World):
    """On a client that does not mine at once."""

    anvil: EthereumJs  # type: ignore[assignment]

    def mine_to(self, number: int) -> None:
        """Block after block."""
        self.anvil.mine(max(0, number - self.chain(0).block_number()))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EthereumJs]:
    with start_ethereumjs(tmp_path_factory.mktemp("ethereumjs"), ACCOUNTS) as running:
        yield running


@pytest.fixture(scope="module")
def world(client: EthereumJs, tmp_path_factory: pytest.TempPathFactory) -> OtherWorld:
    data = load("digits")
    parts = dirichlet(data.train_labels, len(SELLERS), 0.5, 1)
    record = deploy(
        client.url,
        client.chain_id,
        artifacts(),
        KeySigner(Account.from_key(client.keys[0])),
        Parameters(STAKE, BOND),
    )
    return OtherWorld(
        client,
        tmp_path_factory.mktemp("market"),
        record,
        [Samples(data.train_inputs[part], data.train_labels[part]) for part in parts],
        EvaluationSet(data.evaluation_inputs, data.evaluation_labels),
    )


def test_a_job_from_registration_to_withdrawal(world: OtherWorld) -> None:
    assert world.anvil.rpc("web3_clientVersion").startswith("EthereumJS")
    world.register()
    world.open(ONE_ROUND, terms=SHORT_AUCTION)
    world.play()
    assert world.job().state == JobState.SETTLED
    delivery = json.loads(next(world.folder.glob(f"*/{DELIVERY_FILE}")).read_text())
    assert delivery["hash_matches"]
