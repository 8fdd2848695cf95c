"""ERC-20 tokens, faithful and not, in the hands of the market's parties."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.support.bidding import FIRST_PRICE, Bidding
from tests.support.evm import deploy, helper, look, send
from tests.support.play import TERMS, Market, People

PLENTY = 10**30


def issue(market: Market, people: People, name: str = "PlainToken") -> Any:
    """A token of which every buyer has plenty and has approved the escrow."""
    token = deploy(helper(name), sender=people.deployer)
    hand_out(market, token, people.buyers)
    return token


def hand_out(market: Market, token: Any, holders: Iterable[Any], amount: int = PLENTY) -> None:
    for holder in holders:
        send(token.mint, holder, amount, sender=holder)
        send(token.approve, market.escrow.address, amount, sender=holder)


def holding(token: Any, account: Any) -> int:
    return int(look(token.balanceOf, account))


def open_in(market: Market, people: People, token: Any) -> Bidding:
    """An open auction of 40 blocks, paid in the token."""
    terms = TERMS._replace(token=token.address, window_blocks=40)
    return Bidding.open(market, people, terms)


def sealed_in(market: Market, people: People, token: Any) -> Bidding:
    """A sealed auction paid in the token."""
    return Bidding.open(market, people, FIRST_PRICE._replace(token=token.address))
