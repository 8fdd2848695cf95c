"""How the address of an IPFS node's RPC is written, with or without a password or token."""

from __future__ import annotations

import base64
import re
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from d2m.store.errors import InvalidChoice

FORMS = (
    "/ip4/127.0.0.1/tcp/5001, http://127.0.0.1:5001, https://USER:PASSWORD@ipfs.example or"
    " https://TOKEN@ipfs.example"
)
_PORTS = {"http": 80, "https": 443}
_CREDENTIALS = re.compile(r"//[^/]*@")


class NodeAddress(NamedTuple):
    """Where a node's RPC is, and what it is shown to let a party in."""

    multiaddr: str
    authorization: str | None
    """The HTTP header of that name."""
    shown: str
    """For people and logs: without password and token."""


def parse_node_address(text: str) -> NodeAddress:
    """Read a multiaddr, or a URL that may hold `USER:PASSWORD@` or `TOKEN@`.

    Raises ``InvalidChoice``, which shows neither password nor token.
    """
    if not text.lower().startswith(("http://", "https://")):
        return NodeAddress(text, None, text)
    shown = _CREDENTIALS.sub("//", text)
    try:
        url = urlsplit(text)
        port, host = url.port or _PORTS[url.scheme], url.hostname
    except ValueError:
        host = None
    if not host or url.path.strip("/") or url.query or url.fragment:
        raise invalid(shown)
    end = f"/tcp/{port}/{url.scheme}"
    return NodeAddress(
        f"/{_kind(host)}/{host}{end}", _authorization(url.username, url.password), shown
    )


def invalid(shown: str) -> InvalidChoice:
    """The error for an address that is none."""
    return InvalidChoice(f"{shown!r} is no address of an IPFS node's RPC: write one like {FORMS}")


def _kind(host: str) -> str:
    try:
        return f"ip{ip_address(host).version}"
    except ValueError:
        return "dns"


def _authorization(user: str | None, password: str | None) -> str | None:
    """As Kubo's `API.Authorizations` takes it: a user with a password, or a token alone."""
    if not user:
        return None
    if password is None:
        return f"Bearer {unquote(user)}"
    both = f"{unquote(user)}:{unquote(password)}".encode()
    return f"Basic {base64.b64encode(both).decode()}"
