"""Canonical JSON: one text for one value, so that a hash of it names the value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from d2m.errors import UserError

DECIMAL_PLACES = 18
"""Most places behind the point of a decimal in a specification."""

BYTES_LIMIT = 4096
"""Longest specification: bounds how deep a hostile text can nest before the parser is asked."""


class SpecError(UserError, ValueError):
    """A specification that is not well formed; the message names the key and what it should be."""


def encode_json(value: Mapping[str, Any]) -> bytes:
    """Sorted keys, no spaces, ASCII; integers and strings are the only leaves used here."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def decode_json(data: bytes) -> dict[str, Any]:
    """Parse canonical JSON of an object. Raises SpecError on anything but its canonical bytes."""
    if len(data) > BYTES_LIMIT:
        raise SpecError(f"{len(data)} bytes; a specification has at most {BYTES_LIMIT}")
    try:
        value = json.loads(data, parse_float=_refuse_float, parse_constant=_refuse_float)
    except (ValueError, RecursionError) as error:
        raise SpecError(f"not JSON of a specification: {error}") from error
    if not isinstance(value, dict):
        raise SpecError("a specification is a JSON object")
    if encode_json(value) != data:
        raise SpecError(
            "not canonical JSON: sort the keys, drop spaces and repeated keys, escape non-ASCII"
        )
    return value


def _refuse_float(text: str) -> float:
    raise ValueError(f"number {text}: write fractions as decimal strings")


def take_keys(value: Any, keys: set[str], what: str) -> dict[str, Any]:
    """The mapping itself when it has exactly these keys. Raises SpecError otherwise."""
    if not isinstance(value, dict):
        raise SpecError(f"{what}: expected an object")
    unknown, missing = sorted(set(value) - keys), sorted(keys - set(value))
    if unknown:
        raise SpecError(f"{what}: unknown key {unknown[0]!r}")
    if missing:
        raise SpecError(f"{what}: missing key {missing[0]!r}")
    return value


def take_integer(value: Any, what: str, low: int, high: int) -> int:
    """An integer in [low, high]. Raises SpecError otherwise."""
    if type(value) is not int or not low <= value <= high:
        raise SpecError(f"{what}: expected an integer from {low} to {high}, got {value!r}")
    return value


def take_integers(value: Any, what: str, low: int, high: int) -> tuple[int, ...]:
    """A tuple of integers in [low, high] from a list or tuple. Raises SpecError otherwise."""
    if not isinstance(value, (list, tuple)):
        raise SpecError(f"{what}: expected a list of integers, got {value!r}")
    return tuple(take_integer(item, what, low, high) for item in value)


def take_choice(value: Any, what: str, choices: tuple[str, ...]) -> str:
    """One of the named choices. Raises SpecError otherwise."""
    if value not in choices:
        raise SpecError(f"{what}: expected one of {', '.join(choices)}, got {value!r}")
    return str(value)


def decimal_text(value: Decimal) -> str:
    """The one text of a decimal: no exponent, no trailing zeros."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text or "0"


def take_decimal(value: Any, what: str, low: Decimal, high: Decimal) -> Decimal:
    """A decimal in [low, high] of at most DECIMAL_PLACES. Raises SpecError otherwise."""
    if not isinstance(value, Decimal) or not value.is_finite() or not low <= value <= high:
        raise SpecError(f"{what}: expected a decimal from {low} to {high}, got {value!r}")
    if len(decimal_text(value).partition(".")[2]) > DECIMAL_PLACES:
        raise SpecError(f"{what}: at most {DECIMAL_PLACES} decimal places, got {value}")
    return value


def take_decimal_text(value: Any, what: str) -> Decimal:
    """A decimal from its one text. Raises SpecError otherwise."""
    if not isinstance(value, str):
        raise SpecError(f"{what}: expected a decimal string such as '0.5', got {value!r}")
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise SpecError(f"{what}: {value!r} is not a decimal string") from error
    if not number.is_finite() or len(value) > 64 or value != decimal_text(number):
        raise SpecError(f"{what}: {value!r} is not a plain decimal string such as '0.5'")
    return number
