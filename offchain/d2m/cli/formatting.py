"""A contract's values for people and for machines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from d2m.protocol.amounts import shown_amount
from d2m.protocol.types import ETHER, text_of

WEI_NAMES = {"slashPot", "slashed", "stake"}
"""Arguments of the contracts that are amounts in wei, whatever a job is paid in."""
AMOUNT_NAMES = {
    "amount",
    "conePot",
    "deposit",
    "forfeited",
    "forfeits",
    "price",
    "refund",
    "reserve",
    "sellerPot",
}
"""Arguments that are amounts in the token of their auction or job."""
SHOWN_BYTES = 8
"""Bytes shown of a hash or key: enough to tell two apart."""
SHOWN_ITEMS = 3
UNREADABLE = "\ufffd"
"""Stands in a text for bytes that are none."""


def token_of(arguments: Mapping[str, Any]) -> str | None:
    """The token that arguments name, themselves or in a struct."""
    for name, value in arguments.items():
        if name == "token":
            return str(value)
        found = token_of(_named(value)) if _named(value) else None
        if found:
            return found
    return None


def shown(name: str, value: Any, token: str | None) -> str:
    """An argument in short, for people; amounts are in `token`, None where it is not known."""
    if isinstance(value, int) and not isinstance(value, bool):
        if name in WEI_NAMES:
            return shown_amount(value)
        return shown_amount(value, token) if name in AMOUNT_NAMES else str(value)
    if isinstance(value, bytes):
        return _shown_bytes(value)
    if fields := _named(value):
        return f"({', '.join(f'{key}={shown(key, each, token)}' for key, each in fields.items())})"
    if isinstance(value, list | tuple):
        first = [shown(name, each, token) for each in value[:SHOWN_ITEMS]]
        more = [f"… {len(value)} in all"] if len(value) > SHOWN_ITEMS else []
        return f"[{', '.join(first + more)}]"
    return "ether" if name == "token" and value == ETHER else str(value)


def plain(value: Any) -> Any:
    """A value for JSON: bytes as 0x…, integers as decimal strings, as many exceed 2^53."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, Mapping) or hasattr(value, "_asdict"):
        return {name: plain(each) for name, each in _named(value).items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return str(value)


def clean(text: str) -> str:
    """Text of strangers without what could steer a terminal."""
    return "".join(each if each.isprintable() else UNREADABLE for each in text)


def _named(value: Any) -> dict[str, Any]:
    """A struct's fields by name; empty where the value is none."""
    if isinstance(value, Mapping):
        return dict(value)
    return value._asdict() if hasattr(value, "_asdict") else {}


def _shown_bytes(value: bytes) -> str:
    text = text_of(value)
    if len(value) == 32 and text.isprintable() and text and UNREADABLE not in text:
        return text
    short = value[:SHOWN_BYTES].hex()
    return f"0x{short}…" if len(value) > SHOWN_BYTES else f"0x{short}"
