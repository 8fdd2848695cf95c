"""Refusals, and the money and moods of the parties."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache
from typing import NamedTuple

from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.crypto import keccak

from d2m.protocol.types import ETHER

NOBODY = "0x" + "00" * 20


class Refused(Exception):
    """The move reverts with this custom error."""

    def __init__(self, error: str, *args: int | str | bytes) -> None:
        super().__init__(error, *args)
        self.error = error
        self.data = selector(error) + b"".join(word(each).to_bytes(32, "big") for each in args)


def demand(condition: bool, error: str, *args: int | str | bytes) -> None:
    """Refuse unless `condition` holds."""
    if not condition:
        raise Refused(error, *args)


@cache
def selector(signature: str) -> bytes:
    """The first four bytes of a call, or of a custom error."""
    return bytes(function_signature_to_4byte_selector(signature))


@cache
def word(value: int | str | bytes) -> int:
    """A static value as the number that its ABI word is."""
    if isinstance(value, bytes):
        return int.from_bytes(value, "big")
    return int(value, 16) if isinstance(value, str) else int(value)


@cache
def hashed(*values: int | str | bytes) -> bytes:
    """keccak256 of the ABI encoding of static values, a word each."""
    return bytes(keccak(b"".join(word(each).to_bytes(32, "big") for each in values)))


class Move(NamedTuple):
    """A call of a market contract's function by a party, `value` wei sent along."""

    sender: str
    contract: str
    function: str
    args: tuple[object, ...]
    value: int = 0


class Mood(IntEnum):
    """`Chameleon.Mood`: what a party that is a contract does when it is paid."""

    TAKES = 0
    REFUSES = 1
    CALLS_BACK = 2


class Plan(NamedTuple):
    """A chameleon's mood, and the move it makes once when it calls back."""

    mood: Mood = Mood.TAKES
    move: Move | None = None


@dataclass
class Books:
    """Every party's ether and tokens, and what it has paid in, got out and earned."""

    chameleons: Mapping[str, Plan]
    balances: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By token and account, the market's contracts included."""
    paid_in: Counter[tuple[str, str]] = field(default_factory=Counter)
    paid_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    earned: Counter[tuple[str, str]] = field(default_factory=Counter)
    """What the rules say a party has earned, at most: shares of pots, and forfeits."""

    def pay_in(self, token: str, payer: str, contract: str, amount: int) -> None:
        """A party pays a contract. The ether of a chameleon comes from its operator."""
        if token != ETHER or payer not in self.chameleons:
            self.balances[token, payer] -= amount
        self.balances[token, contract] += amount
        self.paid_in[token, payer] += amount

    def pay_out(self, token: str, contract: str, owner: str, to: str, amount: int) -> None:
        """A contract pays what it owes to `owner`, to an address that the owner names."""
        self.balances[token, contract] -= amount
        self.balances[token, to] += amount
        self.paid_out[token, owner] += amount
