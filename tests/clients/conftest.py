"""The three chains that the market is tried on: anvil, geth by mainnet's rules, by Sepolia's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from web3 import HTTPProvider
from web3.types import RPCEndpoint

from d2m.clients.anvil import Anvil, start_anvil
from d2m.clients.geth import ACCOUNT_ETHER, CHAIN_ID, Geth, Rules, start_geth
from tests.support.as_anvil import ape_keys

BLOCK_SECONDS = 0.2
ANVIL = "anvil"
CHAINS = (
    ANVIL,
    *(pytest.param(rules, id=f"geth, {rules.value}", marks=pytest.mark.clients) for rules in Rules),
)


@pytest.fixture(scope="module", params=CHAINS)
def chain_node(request: pytest.FixtureRequest, accounts: Any) -> Iterator[Anvil | Geth]:
    """A chain with a block every `BLOCK_SECONDS`, on which Ape's first test account has ether."""
    if request.param != ANVIL:
        with start_geth(request.param, keys=ape_keys(), block_seconds=BLOCK_SECONDS) as geth:
            yield geth
        return
    with start_anvil(accounts=30, chain_id=CHAIN_ID, block_seconds=BLOCK_SECONDS) as anvil:
        ether = [accounts[0].address, hex(ACCOUNT_ETHER * 10**18)]
        HTTPProvider(anvil.url).make_request(RPCEndpoint("anvil_setBalance"), ether)
        yield anvil
