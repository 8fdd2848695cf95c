"""Amounts as commands show them: ether in both its units, tokens in their smallest one."""

from __future__ import annotations

from decimal import Decimal

from eth_utils.currency import from_wei

from offchain.chain.records import ETHER


def shown_amount(amount: int, token: str | None = ETHER) -> str:
    """`0.5 ether (500000000000000000 wei)`, or `7 (smallest units of token 0x…)`.

    `token` is the token's address; None where it is not known which one it is.
    """
    if token == ETHER:
        return f"{Decimal(from_wei(amount, 'ether')):f} ether ({amount} wei)"
    return f"{amount} (smallest units of {f'token {token}' if token else 'its token'})"
