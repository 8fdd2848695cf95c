"""Addresses of nodes: parties speak JSON-RPC over HTTP, and nothing else."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

EXAMPLE = "http://127.0.0.1:8545"
_HOST_AND_PORT = re.compile(r"^(\[[0-9a-f:]+\]|[\w.-]+):\d+(/.*)?$", re.IGNORECASE)


class NoNodeAddress(ValueError):
    """The given text cannot be the address of a node; one line with the remedy."""


def checked_address(text: str) -> str:
    """`text`, which is an HTTP address. Raises NoNodeAddress."""
    lowered = text.lower()
    if lowered.startswith(("ws://", "wss://")):
        raise NoNodeAddress(
            f"{shown(text)} is a WebSocket: name the HTTP address of the same node, like {EXAMPLE}"
        )
    if _HOST_AND_PORT.match(text):
        raise NoNodeAddress(f"{text} has no scheme: write http:// or https:// before it")
    if not lowered.startswith(("http://", "https://")):
        raise NoNodeAddress(
            f"{text} is no HTTP address (nor are paths of IPC sockets): name one like {EXAMPLE}"
        )
    try:
        parts = urlsplit(text)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        has_host = False
    if not has_host:
        raise NoNodeAddress(f"{shown(text)} names no host or no port: name one like {EXAMPLE}")
    return text


def is_loopback(url: str) -> bool:
    """Whether the node runs on this machine."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def shown(url: str) -> str:
    """A node's address fit for messages: without the access key that its path may hold."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
