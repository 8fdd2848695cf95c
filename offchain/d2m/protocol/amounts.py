"""Amounts as people read and write them; the only place that does either."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from eth_utils.currency import from_wei, to_wei

from d2m.protocol.bounds import Bound
from d2m.protocol.constants import WAD
from d2m.protocol.types import ETHER

LEAST_SHOWN_AS_ETHER = 10**12
"""A millionth of an ether, in wei: below it six decimals would show nothing."""


def shown_amount(amount: int, token: str | None = ETHER) -> str:
    """`0.5 ether (500000000000000000 wei)`, or `7 (smallest units of token 0x…)`.

    `token` is the token's address; None where it is not known which one it is.
    """
    if token == ETHER:
        return f"{Decimal(from_wei(amount, 'ether')):f} ether ({amount} wei)"
    return f"{amount} (smallest units of {f'token {token}' if token else 'its token'})"


def parse_amount(given: int | str, bound: Bound) -> int:
    """The amount in wei, or a token's smallest unit; raises ValueError with the bounds.

    `given` is a number, or a text like `0.5 ether` or `20 gwei`.
    """
    amount = given if isinstance(given, int) else _parsed(given)
    if not bound.least <= amount <= bound.most:
        shown = f"{amount}" if str(given) == str(amount) else f"{given} ({amount})"
        raise ValueError(
            f"{shown} is not from {bound.least} to {bound.most} (wei, or a token's smallest unit)"
        )
    return amount


def _parsed(text: str) -> int:
    if text.isdecimal():
        return int(text)
    try:
        number, unit = text.split()
        return to_wei(Decimal(number), unit)
    except (ValueError, InvalidOperation):
        raise ValueError(
            f"{text!r} is no amount: write one like '0.5 ether' or '20 gwei'"
        ) from None


def ether(wei: int) -> str:
    """An amount for a table: six decimals of ether, rounded down, or wei where it is tiny."""
    if wei == 0:
        return "0"
    if wei < LEAST_SHOWN_AS_ETHER:
        return f"{wei} wei"
    whole, rest = divmod(wei, WAD)
    return f"{whole}.{rest // LEAST_SHOWN_AS_ETHER:06d} ETH"


def rough_ether(wei: float) -> str:
    """An amount in ether, rounded to three figures: an expectation, not a sum of money."""
    return f"{wei / WAD:.3g} ether"


def wei_exact(wei: int) -> str:
    """All digits, in groups of three."""
    return f"{wei:,} wei".replace(",", " ")
