"""Sums of what accounts paid and were paid, by the escrow's events."""

from __future__ import annotations

from d2m.protocol.types import ETHER
from tests.support.world import World


def withdrawn(market: World, account: int, token: str = ETHER) -> int:
    wanted = {"account": market.signer(account).address, "token": token}
    logs = market.chain(0).logs("Escrow", "Withdrawn", argument_filters=wanted)
    return sum(log["args"]["amount"] for log in logs)


def deposited(market: World, account: int) -> int:
    """All that an account ever bid, outbid or not."""
    wanted = {"payer": market.signer(account).address}
    logs = market.chain(0).logs("Escrow", "Deposited", argument_filters=wanted)
    return sum(log["args"]["amount"] for log in logs)
