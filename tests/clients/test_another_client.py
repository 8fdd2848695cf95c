"""A market and a whole job on another client than anvil, so that not only anvil is believed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account

from offchain.chain.client import Chain
from offchain.chain.deployment import Deployment
from offchain.chain.errors import NotDeployed
from offchain.chain.records import JobState
from offchain.chain.transactions import RawCall
from offchain.market.genesis import PROXY
from tests.clients.ethereumjs import EthereumJs, start_ethereumjs
from tests.parties.world import ACCOUNTS, RULES, TERMS, World, artifacts, world_on

DOCUMENT = Path(__file__).parents[2] / "docs" / "deploy.md"
PROXY_PAYMENT = 10**16  # wei, as the document says
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


@pytest.fixture
def client(tmp_path: Path) -> Iterator[EthereumJs]:
    with start_ethereumjs(tmp_path, ACCOUNTS) as running:
        yield running


def put_proxy(client: EthereumJs, chain: Chain) -> None:
    """What the document has a chain's operator do."""
    [raw] = re.findall(r"^0xf8a5[0-9a-f]+$", DOCUMENT.read_text(), re.MULTILINE)
    payer = Account.recover_transaction(raw)
    assert payer in DOCUMENT.read_text()
    chain.send(RawCall(payer, b""), value=PROXY_PAYMENT)
    client.rpc("eth_sendRawTransaction", raw)
    client.mine(2)
    assert client.rpc("eth_getCode", PROXY, "latest") != "0x"


def test_a_market_and_a_job_to_withdrawal(client: EthereumJs, tmp_path: Path) -> None:
    """Three minutes: the client answers a question in a tenth of a second."""
    assert client.rpc("web3_clientVersion").startswith("EthereumJS")
    with pytest.raises(NotDeployed, match="A chain without the proxy"):
        world_on(client, tmp_path)  # type: ignore[arg-type]
    nothing = Deployment(client.chain_id, 0, {})
    signer = World.signer(World(client, tmp_path, nothing, [], None), 0)  # type: ignore[arg-type]
    put_proxy(client, Chain(client.url, nothing, artifacts(), signer))

    market = world_on(client, tmp_path, kind=OtherWorld)  # type: ignore[arg-type]
    market.register()
    market.open(ONE_ROUND, terms=SHORT_AUCTION)
    market.play()
    assert market.job().state == JobState.SETTLED
    assert market.job().accepted_rounds == 1
    delivery = json.loads(next(market.folder.glob("*/delivery.json")).read_text())
    assert delivery["hash_matches"]
