"""Asking a party's metrics address."""

from __future__ import annotations

import socket

import requests


def free_port() -> int:
    """A port of loopback that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(port: int, path: str) -> tuple[int, str]:
    """Status and text; (0, "") while nobody answers."""
    with requests.Session() as session:
        session.trust_env = False  # no proxy for loopback
        try:
            answer = session.get(f"http://127.0.0.1:{port}{path}", timeout=30)
        except requests.ConnectionError:
            return 0, ""
        return answer.status_code, answer.text
