"""Law L8: a process spends no more than its owner agreed to, whatever a stranger's token does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from d2m.chain.contracts.market import Market
from d2m.chain.errors import TooMuchGas
from d2m.parties.daemon import TOKEN_GAS, Party
from d2m.protocol.types import ETHER
from tests.support.world import RULES, STAKE, TERMS, World, world

OUTBID = 1
"""The account that a token is owed to."""


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("withdrawals")) as found:
        yield found


def owed(market: World, name: str) -> str:
    """A token in which an outbid account has a credit."""
    token = market.token(name, holders=(1, 2))
    market.open(RULES, terms=TERMS._replace(token=token))
    for account, amount in ((OUTBID, STAKE), (2, 2 * STAKE)):
        contracts = Market(market.chain(account))
        escrow = contracts.escrow.address
        contracts.chain.send(market.tokens[token].functions.approve(escrow, amount))
        contracts.auctions.bid(market.auction_id, amount)
    assert market.contracts.lens.credits(market.signer(OUTBID).address, [token]) == [STAKE]
    return token


def withdrawn(party: Party, *tokens: str) -> tuple[int, list[str]]:
    """Transactions that a withdrawal sends, and what is logged."""
    count = party.chain.w3.eth.get_transaction_count
    before = count(party.chain.address)
    with capture_logs() as logs:
        party.withdraw(*tokens)
    return count(party.chain.address) - before, [each["event"] for each in logs]


def test_a_token_that_is_not_listed_stays_a_credit(market: World) -> None:
    token, party = owed(market, "PlainToken"), market.buyer(0)
    assert withdrawn(party, token) == (0, ["left as credit"])
    party.tokens = frozenset({token})
    assert withdrawn(party, token) == (1, ["withdrew"])
    assert market.holdings(token, OUTBID) == 10 * STAKE


def test_a_listed_token_that_wants_more_gas_than_is_allowed_gets_none(market: World) -> None:
    token, party = owed(market, "GreedyToken"), market.buyer(0)
    party.tokens = frozenset({token})
    greedy = market.tokens[token].functions.stop
    market.chain(0).send(greedy(True))
    assert withdrawn(party, token) == (0, ["not withdrawn"])
    escrow = Market(market.chain(OUTBID)).escrow
    with pytest.raises(TooMuchGas, match=r"Escrow\.withdraw would take \d+ gas: at most 1000000"):
        escrow.withdraw(token, most_gas=TOKEN_GAS)
    assert escrow.withdraw(token) == STAKE, "a person who was shown the fee may pay it"


def test_less_ether_than_a_withdrawal_costs_stays_a_credit(
    market: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    party = market.buyer(0)
    monkeypatch.setattr(party.market.lens, "credits", lambda _account, _tokens: [1])
    party.least_withdrawal = None
    assert withdrawn(party, ETHER) == (0, ["left as credit"])
    party.least_withdrawal = 2
    assert withdrawn(party, ETHER) == (0, ["left as credit"])
