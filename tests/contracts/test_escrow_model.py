"""Any settlement at all, on a real escrow, against the rule in Python."""

from __future__ import annotations

from typing import Any

import ape
import pytest
from eth_abi.abi import decode
from hypothesis import given, settings
from hypothesis import strategies as st
from web3.utils import get_create_address

from offchain.chain.records import Pots
from offchain.learning.contributions import (
    NO_ROOT,
    SHARES_ONE,
    contribution_proof,
    contributions_root,
    shares,
)
from tests.contracts.evm import (
    NOBODY,
    deploy,
    helper,
    refusal,
    rpc,
    simulate,
)
from tests.contracts.play import People


@pytest.fixture(scope="module")
def driver(people: People) -> Any:
    """Stands for the job contract and YODA, around a real escrow."""
    container = helper("EscrowDriver")
    nonce = int(rpc("eth_getTransactionCount", people.deployer.address, "latest"), 16)
    foretold = get_create_address(people.deployer.address, nonce + 1)
    escrow = deploy(ape.project.Escrow, foretold, foretold, sender=people.deployer)
    driver = deploy(container, escrow, sender=people.deployer)
    assert driver.address == foretold
    rpc("anvil_setBalance", driver.address, hex(2**140))
    return driver


@st.composite
def settlements(draw: st.DrawFn) -> tuple[int, int, int, list[int], list[int], list[int]]:
    """Price, earned and total rounds, contributions, the order of claims, votes by node."""
    small, large = st.integers(1, 100), st.integers(1, 2**128 - 1)
    price = draw(small | large)
    total = draw(st.integers(1, 256))
    earned = draw(st.integers(0, total))
    contributions = draw(
        st.lists(st.integers(0, 5) | st.integers(0, 10**6), min_size=1, max_size=9)
    )
    order = draw(st.permutations([share.seller for share in shares(contributions)]))
    votes = draw(st.lists(st.integers(1, 8), min_size=1, max_size=12))
    return price, earned, total, contributions, order, votes


@settings(max_examples=120)
@given(case=settlements())
def test_a_settlement_pays_out_the_price_to_the_wei(driver: Any, case: Any) -> None:
    price, earned_rounds, total, contributions, order, votes = case
    root = contributions_root(contributions)
    claims = [contribution_proof(contributions, seller) for seller in order]
    settlement = ("0x" + "b0" * 20, earned_rounds, total, 8, sum(votes), root)
    args = (1, price, settlement, [(*share, proof) for share, proof in claims], votes)
    answer = simulate(driver.run, *args, sender=NOBODY)
    pots_type = "(uint128,uint128,uint128,uint128,uint32,uint32,uint16,bool,bytes32)"
    pots, refund, sellers, nodes = decode([pots_type, "uint256", "uint256[]", "uint256[]"], answer)
    pots = Pots(*pots)

    earned = price * earned_rounds // total
    assert pots.cone_pot == earned * 3 // 10
    assert pots.seller_pot == (earned - pots.cone_pot if root != NO_ROOT else 0)
    assert refund == price - pots.cone_pot - pots.seller_pot
    assert refund + sum(sellers) + sum(nodes) == price
    assert sum(sellers) == pots.seller_paid == pots.seller_pot
    assert sum(nodes) == pots.cone_pot
    for (share, _), paid in zip(claims, sellers, strict=True):
        exact = pots.seller_pot * (share.end - share.start)
        assert abs(paid * SHARES_ONE - exact) < SHARES_ONE, "within one wei of the exact share"
    for count, paid in zip(votes, nodes, strict=True):
        assert abs(paid * sum(votes) - pots.cone_pot * count) < sum(votes)


def test_more_votes_than_were_counted_exceed_the_pot(driver: Any) -> None:
    """The escrow does not trust the count of votes to fit: other jobs' money lies beside it."""
    settlement = ("0x" + "b0" * 20, 1, 1, 8, 5, NO_ROOT)
    escrow = ape.project.Escrow.at(driver.escrow())
    refusal(escrow.PotExceeded, driver.run, 1, 1000, settlement, [], [3, 3], sender=NOBODY)
    simulate(driver.run, 1, 1000, settlement, [], [3, 2], sender=NOBODY)
