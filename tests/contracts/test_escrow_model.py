"""Any settlement at all, in ether or a token, on a real escrow, against the rule in Python."""

from __future__ import annotations

from typing import Any, NamedTuple

import ape
import pytest
from eth_abi.abi import decode
from hypothesis import given, settings
from hypothesis import strategies as st
from web3.utils import get_create_address

from d2m.learning.earnings import (
    NO_ROOT,
    SHARES_ONE,
    contribution_proof,
    contributions_root,
    shares,
)
from d2m.protocol.types import ETHER, Pots
from tests.support.evm import NOBODY, deploy, helper, refusal, rpc, send, simulate
from tests.support.play import People

BUYER = "0x" + "b0" * 20
POTS = "(address,bool,uint32,uint32,uint128,uint128,uint128,uint128,uint128,bytes32)"
PAID = "(uint256,uint256)"
MOST = 2**128 - 1


class Claim(NamedTuple):
    """A seller's share, or of a node (by seat) the votes from `start` to `end`."""

    index: int
    start: int
    end: int
    of_seller: bool
    proof: list[bytes]


class Case(NamedTuple):
    """A job's money and all claims on it, in their order."""

    in_token: bool
    surplus: int
    price: int
    slashes: list[int]
    earned: int
    total: int
    contributions: list[int]
    claims: list[Claim]

    @property
    def votes(self) -> int:
        return sum(each.end - each.start for each in self.claims if not each.of_seller)


@pytest.fixture(scope="module")
def driver(people: People) -> Any:
    """Stands for all other contracts, around a real escrow."""
    nonce = int(rpc("eth_getTransactionCount", people.deployer.address, "latest"), 16)
    foretold = get_create_address(people.deployer.address, nonce + 1)
    escrow = deploy(ape.project.Escrow, foretold, foretold, sender=people.deployer)
    driver = deploy(helper("EscrowDriver"), escrow, sender=people.deployer)
    assert driver.address == foretold
    rpc("anvil_setBalance", driver.address, hex(2**140))
    return driver


@pytest.fixture(scope="module")
def token(driver: Any, people: People) -> Any:
    token = deploy(helper("PlainToken"), sender=people.deployer)
    send(token.mint, driver.address, 2**140, sender=people.deployer)
    return token


@st.composite
def cases(draw: st.DrawFn) -> Case:
    price = draw(st.integers(1, 100) | st.integers(1, MOST))
    total = draw(st.integers(1, 256))
    amounts = st.integers(0, 5) | st.integers(0, 10**6)
    contributions = draw(st.lists(amounts, min_size=1, max_size=9))
    proofs = [contribution_proof(contributions, share.seller) for share in shares(contributions)]
    claims = [Claim(*share, True, proof) for share, proof in proofs]
    for seat, parts in enumerate(draw(st.lists(st.lists(st.integers(1, 9), max_size=3)))):
        ends = [sum(parts[: k + 1]) for k in range(len(parts))]
        claims += [
            Claim(seat, end - part, end, False, []) for end, part in zip(ends, parts, strict=True)
        ]
    return Case(
        in_token=draw(st.booleans()),
        surplus=draw(st.integers(0, MOST - price)),
        price=price,
        slashes=draw(st.lists(st.integers(0, 9) | st.integers(0, MOST // 3), max_size=3)),
        earned=draw(st.integers(0, total)),
        total=total,
        contributions=contributions,
        claims=draw(st.permutations(claims)),
    )


def arguments(case: Case, token: Any) -> tuple[Any, ...]:
    """What `EscrowDriver.run` takes."""
    root = contributions_root(case.contributions)
    settlement = (BUYER, case.earned, case.total, case.votes, root)
    currency = token.address if case.in_token else ETHER
    purse = case.price + case.surplus
    return (currency, purse, case.price, case.slashes, settlement, case.claims)


@settings(max_examples=150)
@given(case=cases())
def test_every_unit_and_every_wei_is_paid_out(driver: Any, token: Any, case: Case) -> None:
    answer = simulate(driver.run, *arguments(case, token), sender=NOBODY)
    pots, refund, paid = decode([POTS, PAID, f"{PAID}[]"], answer)
    pots = Pots(*pots)

    earned = case.price * case.earned // case.total
    nodes_part = earned * 3 // 10
    anybody_kept = contributions_root(case.contributions) != NO_ROOT
    assert pots.cone_pot == (nodes_part if case.votes else 0)
    assert pots.seller_pot == (earned - nodes_part if anybody_kept else 0)
    assert pots.slash_pot == (sum(case.slashes) if case.votes else 0)
    assert (pots.seller_paid, pots.paid_votes) == (pots.seller_pot, case.votes)

    of_price = case.price - pots.cone_pot - pots.seller_pot + case.surplus
    of_slashes = sum(case.slashes) - pots.slash_pot
    everything = [refund, *paid]
    if case.in_token:
        assert refund == (of_price, of_slashes)
        assert sum(tokens for tokens, _ in everything) == case.price + case.surplus
        assert sum(wei for _, wei in everything) == sum(case.slashes)
    else:
        assert refund == (of_price + of_slashes, 0)
        assert sum(wei for wei, _ in everything) == case.price + case.surplus + sum(case.slashes)
    for claim, (tokens, wei) in zip(case.claims, paid, strict=True):
        is_within_rounding(case, pots, claim, tokens, wei)


def is_within_rounding(case: Case, pots: Pots, claim: Claim, tokens: int, wei: int) -> None:
    """A claim gets its exact part of each pot, but for less than one unit."""
    part = claim.end - claim.start
    if claim.of_seller:
        assert abs(tokens * SHARES_ONE - pots.seller_pot * part) < SHARES_ONE
        assert wei == 0
    elif case.in_token:
        assert abs(tokens * case.votes - pots.cone_pot * part) < case.votes
        assert abs(wei * case.votes - pots.slash_pot * part) < case.votes
    else:
        exact = (pots.cone_pot + pots.slash_pot) * part
        assert abs(tokens * case.votes - exact) < 2 * case.votes


def test_more_votes_than_were_counted_exceed_the_pot(driver: Any) -> None:
    """The escrow does not trust the count of votes to fit: other jobs' money lies beside it."""
    escrow = ape.project.Escrow.at(driver.escrow())
    settlement = (BUYER, 1, 1, 5, NO_ROOT)
    job = (ETHER, 1000, 1000, [], settlement)
    votes = [Claim(0, 0, 3, False, []), Claim(1, 0, 3, False, [])]
    refusal(escrow.PotExceeded, driver.run, *job, votes, sender=NOBODY)
    simulate(driver.run, *job, [votes[0], votes[1]._replace(end=2)], sender=NOBODY)


def test_no_vote_is_paid_twice_whatever_its_claim(driver: Any) -> None:
    escrow = ape.project.Escrow.at(driver.escrow())
    job = (ETHER, 1000, 1000, [], (BUYER, 1, 1, 9, NO_ROOT))
    overlapping = [Claim(0, 0, 3, False, []), Claim(0, 2, 4, False, [])]
    refusal(escrow.AlreadyPaid, driver.run, *job, overlapping, sender=NOBODY)
